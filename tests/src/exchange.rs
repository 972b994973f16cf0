//! One request over a connection of its own, in HTTP/1.1 or HTTP/2, in clear or over TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::Certificate;

/// The longest time that a response may take. Only a failing test waits this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2, with prior knowledge in clear.
    Two,
}

/// A request of an admin. Over HTTP/2 and over TLS, its host is `localhost`.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).uri(format!("http://localhost{path}"));
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(Full::new(Bytes::from(body.to_owned()))).expect("tests send valid requests")
}

/// Sends a request and reads the whole response. Over TLS, the server must have exactly the certificate `trusted`.
pub fn exchange(
    address: SocketAddr,
    trusted: Option<&Certificate>,
    version: Http,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(async {
        let exchanging = async {
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            match trusted {
                None => send(stream, version, request).await,
                Some(trusted) => {
                    let connector = TlsConnector::from(Arc::new(config(trusted, version)));
                    let name = "localhost".try_into().expect("it is a name");
                    let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
                    let agreed = stream.get_ref().1.alpn_protocol() == Some(alpn(version));
                    assert!(agreed, "the server speaks {version:?}");
                    send(stream, version, request).await
                }
            }
        };
        tokio::time::timeout(ANSWER_WITHIN, exchanging).await.expect("an answer comes at all")
    })
}

fn alpn(version: Http) -> &'static [u8] {
    match version {
        Http::One => b"http/1.1",
        Http::Two => b"h2",
    }
}

fn config(trusted: &Certificate, version: Http) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone().into()).expect("it is a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("ring has them");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn(version).to_vec()];
    config
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    version: Http,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, String> {
    let text = |error: hyper::Error| format!("{error}: {:?}", std::error::Error::source(&error));
    let io = TokioIo::new(stream);
    let response = match version {
        Http::One => {
            let host = request.uri().authority().map(|host| host.as_str().to_owned());
            if let (Some(host), false) = (host, request.headers().contains_key("host")) {
                request.headers_mut().insert("host", host.parse().expect("it is a host"));
            }
            let path = request.uri().path_and_query().map(|path| path.as_str().to_owned());
            *request.uri_mut() = path.unwrap_or_default().parse().expect("it is a path");
            let (mut sender, connection) = http1::handshake(io).await.map_err(text)?;
            tokio::spawn(connection);
            sender.send_request(request).await.map_err(text)?
        }
        Http::Two => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.map_err(text)?;
            tokio::spawn(connection);
            sender.send_request(request).await.map_err(text)?
        }
    };
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, body.collect().await.map_err(text)?.to_bytes()))
}
