//! The entry point of every request, before it is routed. It is one service around the router, because each layer of
//! a router costs every request a copy of everything inside that layer.
//!
//! In this order, a request is observed, has a host, is a CORS preflight or not, accepts what would be sent, and is
//! admitted under the bounds on requests and bytes in flight. Its response gets the headers that every response has,
//! and is compressed if the client can read that.

mod admission;
mod compression;
mod cors;
mod paced_body;
mod response;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, Version, header};
use hyper::body::Incoming;
use orderflow_web::{
    BodyLimit, ClientAddress, ForwardedHeader, OtherMediaTypes, Problem, accept, host::require_host,
};
use tower::Service;

use self::{
    admission::Permit,
    compression::AcceptedCoding,
    cors::{Cors, Origin},
    paced_body::PacedBody,
    response::CommonHeaders,
};
pub use self::{
    admission::{Admission, AdmissionLimits},
    cors::CorsOrigins,
};
use crate::{
    listener::{Busy, Slot, TrustedProxies},
    telemetry::{access::RequestObserver, metrics::REQUESTS_SHED, request_context},
};

/// What every JSON route sends.
const JSON: &str = "application/json";

/// What the requests of a listener are checked against.
#[derive(Debug)]
pub struct FrontSettings {
    /// The largest request body, decompressed.
    pub body_limit: BodyLimit,
    /// How long a request body may take to arrive, unless it is a stream of lines.
    pub body_within: Duration,
    /// Of 1,000 requests without a trace, how many get one that is recorded.
    pub trace_per_mille: u32,
    /// The origins whose web pages may read responses.
    pub cors_origins: CorsOrigins,
    /// Whether browsers should use only TLS from now on.
    pub requires_tls: bool,
    /// The proxies that are believed which client they forward a request for.
    pub trusted_proxies: TrustedProxies,
    /// The header in which they name the client.
    pub forwarded_header: ForwardedHeader,
    /// The paths that send something besides JSON.
    pub other_media_types: OtherMediaTypes,
}

/// Makes a [`Front`] for each connection.
#[derive(Clone)]
pub struct FrontDoor(Arc<Rules>);

struct Rules {
    router: Router,
    settings: FrontSettings,
    admission: Arc<Admission>,
    cors: Option<Cors>,
    headers: CommonHeaders,
}

impl FrontDoor {
    /// Routes requests by `router`, within the bounds of `admission`.
    pub fn new(router: Router, settings: FrontSettings, admission: Arc<Admission>) -> Self {
        let cors = Cors::new(&settings.cors_origins);
        let headers = CommonHeaders { requires_tls: settings.requires_tls };
        Self(Arc::new(Rules { router, settings, admission, cors, headers }))
    }

    /// The service for the requests of one connection.
    pub fn front(&self, slot: Slot, peer: IpAddr) -> Front {
        let is_proxy = self.0.settings.trusted_proxies.contains(peer);
        let client = if is_proxy { ClientAddress::Hidden } else { ClientAddress::Known(peer) };
        Front { rules: self.0.clone(), slot, client }
    }
}

/// The requests of one connection. Each keeps the connection busy until its response has gone out.
pub struct Front {
    rules: Arc<Rules>,
    slot: Slot,
    /// The address at the other end; hidden if that is a trusted proxy, which names the client of each request.
    client: ClientAddress,
}

/// What is remembered of a request for its response.
struct Exchange {
    rules: Arc<Rules>,
    observer: RequestObserver,
    busy: Busy,
    coding: AcceptedCoding,
    origin: Origin,
}

impl Exchange {
    fn answer(self, mut response: Response) -> Response {
        response = self.coding.apply(response);
        self.rules.headers.add(&mut response);
        if let Some(cors) = &self.rules.cors {
            cors.add(self.origin, &mut response);
        }
        self.busy.answer(self.observer.end(response))
    }
}

impl Front {
    /// The slot of the connection.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }
}

impl hyper::service::Service<http::Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Response, Infallible>>,
        Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>,
    >;

    fn call(&self, mut request: http::Request<Incoming>) -> Self::Future {
        let rules = self.rules.clone();
        let busy = self.slot.begin(request.version());
        let observer = RequestObserver::begin(&mut request, rules.settings.trace_per_mille);
        let context = observer.context();
        let coding = AcceptedCoding::of(&request);
        let origin = rules.cors.as_ref().map(|cors| cors.origin(request.headers())).unwrap_or_default();
        let checked = rules.check(&mut request);
        let exchange = Exchange { rules, observer, busy, coding, origin };
        let (permit, is_monitoring) = match checked {
            Ok(admitted) => admitted,
            Err(response) => {
                let response = request_context::sync_scope(context, || exchange.answer(*response));
                return Either::Left(ready(Ok(response)));
            }
        };
        let request = exchange.rules.complete(request, self.client);
        if !self.slot.has_place() {
            let answering = answer_in_reserve(self.slot.clone(), exchange, request, permit, is_monitoring);
            return Either::Right(Box::pin(request_context::scope(context, answering)));
        }
        let answer = exchange.rules.router.clone().call(request);
        Either::Right(Box::pin(request_context::scope(context, async move {
            let response = answer.await?;
            drop(permit);
            Ok(exchange.answer(response))
        })))
    }
}

/// Answers a request on a connection without an ordinary place. Health is answered at once; other requests wait for a
/// place, and are 503 if there is none in time.
async fn answer_in_reserve(
    slot: Slot,
    exchange: Exchange,
    request: Request,
    permit: Permit,
    is_monitoring: bool,
) -> Result<Response, Infallible> {
    let version = request.version();
    let response = if is_monitoring || slot.wait_for_place().await {
        exchange.rules.router.clone().call(request).await?
    } else {
        metrics::counter!(REQUESTS_SHED.name, "reason" => "connections").increment(1);
        overloaded("too many connections are open").into_response()
    };
    drop(permit);
    let mut response = exchange.answer(response);
    if !slot.has_place() {
        if version == Version::HTTP_2 {
            slot.finish();
        } else {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
    Ok(response)
}

/// 503 `overloaded`: the request had no effect and can be sent again.
fn overloaded(detail: &str) -> Problem {
    Problem::unavailable("overloaded", detail, 1)
}

impl Rules {
    /// Checks a request and admits it. Also returns whether it only asks how the server is.
    fn check(&self, request: &mut http::Request<Incoming>) -> Result<(Permit, bool), Box<Response>> {
        let problem = |problem: Problem| Box::new(problem.into_response());
        require_host(request).map_err(problem)?;
        if let Some(response) = self.cors.as_ref().and_then(|cors| cors.preflight(request)) {
            return Err(Box::new(response));
        }
        let path = request.uri().path();
        let others = || self.settings.other_media_types.of(path);
        accept::require_acceptable(request.headers(), JSON, others).map_err(problem)?;
        let is_monitoring = path.starts_with("/health") || path == "/metrics";
        let permit = match is_monitoring {
            true => Permit::exempt(),
            false => self.admission.admit(request).map_err(problem)?,
        };
        Ok((permit, is_monitoring))
    }

    /// The client that a trusted proxy names.
    fn forwarded_client(&self, headers: &HeaderMap) -> ClientAddress {
        let FrontSettings { trusted_proxies, forwarded_header, .. } = &self.settings;
        let client = forwarded_header.client(headers, |address| trusted_proxies.contains(address));
        client.map_or(ClientAddress::Hidden, ClientAddress::Known)
    }

    /// The request with its body as handlers read it, and with what they need to know besides.
    fn complete(&self, request: http::Request<Incoming>, client: ClientAddress) -> Request {
        let is_stream = admission::is_stream(request.headers());
        let within = (!is_stream).then_some(self.settings.body_within);
        let client = match client {
            ClientAddress::Hidden => self.forwarded_client(request.headers()),
            known => known,
        };
        let mut request = request.map(|body| PacedBody::wrap(body, within));
        request.extensions_mut().insert(self.settings.body_limit);
        request.extensions_mut().insert(client);
        request
    }
}
