//! A server, and how a connection to it is made.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, Error as TlsError, InvalidMessage, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{origin::Origin, tls};

/// A server, and what makes TLS connections to it.
#[derive(Clone)]
pub struct Server {
    origin: Origin,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.origin)
    }
}

impl Server {
    /// The server at a URL. Over `https`, its certificate must come from an authority in `ca_cert`; without that, from
    /// one that the system trusts.
    pub fn at(url: &str, ca_cert: Option<&Path>) -> Result<Self> {
        let origin = Origin::parse(url)?;
        let tls = origin.is_tls().then(|| tls::connector(ca_cert)).transpose()?;
        Ok(Self { origin, tls })
    }

    /// The origin of the server.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Connects. The connection ends when the sender is dropped.
    pub(super) async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let authority = self.origin.authority();
        let stream = TcpStream::connect(&authority).await;
        let stream = stream
            .with_context(|| format!("cannot connect to {authority}; is `orderflow serve` running?"))?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return speak(stream).await };
        let name = ServerName::try_from(self.origin.certified_name().to_owned())
            .with_context(|| format!("{} is no name that a certificate can have", self.origin))?;
        let stream = tls.connect(name, stream).await.map_err(|error| self.explain(error))?;
        speak(stream).await
    }

    /// Why there is no TLS connection, and what to do.
    fn explain(&self, error: std::io::Error) -> anyhow::Error {
        let origin = &self.origin;
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<TlsError>());
        match cause {
            Some(TlsError::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => anyhow!(
                "the certificate of {origin} comes from no authority that is trusted here; name its authority with \
                 --ca-cert"
            ),
            Some(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => anyhow!("the server at {origin} has a certificate for another name"),
            Some(TlsError::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                anyhow!("the server at {origin} does not speak TLS; use http://")
            }
            _ => anyhow!("no TLS connection to {origin}: {error}"),
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // This task ends when the sender is dropped.
    tokio::spawn(connection);
    Ok(sender)
}
