//! The listeners of a process: the API, and health and metrics on a port of their own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use orderflow_web::{Authenticator, BodyLimit, RequestLimits, Routes};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::serving;
use crate::{
    front::{Admission, AdmissionLimits, CorsOrigins, FrontDoor, FrontSettings},
    listener::{Limits, Places, Server},
    settings::Configuration,
    telemetry::metrics,
    tls::{self, Reload},
};

/// Connections of the listener for health and metrics alone.
const MONITORING_CONNECTIONS_MAX: usize = 64;

/// The certificate in use, and what loads it again when its files change; `None` without TLS.
pub(super) fn load_tls(configuration: &Configuration) -> Result<Option<(TlsAcceptor, Reload)>> {
    configuration.tls_files().map(|files| tls::load(files).context("TLS cannot be used")).transpose()
}

/// The work in flight on the API's listener.
#[derive(Clone)]
pub(super) struct InFlight {
    admission: Arc<Admission>,
    places: Arc<Places>,
}

impl InFlight {
    /// Nothing is in flight yet.
    pub(super) fn new(configuration: &Configuration) -> Self {
        let limits = AdmissionLimits {
            bytes_max: configuration.network.bytes_in_flight_max,
            requests_max: configuration.network.requests_in_flight_max,
            body_bytes_max: configuration.body_bytes_max,
            line_bytes_max: configuration.ingest.line_bytes_max,
        };
        let places = Places::new(configuration.connections_max, configuration.network.connections_reserved);
        Self { admission: Admission::new(limits), places }
    }

    /// All metrics of the process as text, with the gauges of what is in flight as they are now.
    pub(super) fn render_metrics(&self) -> String {
        self.admission.report_gauges();
        self.places.report_gauge();
        metrics::render()
    }
}

/// What the listeners serve, and how callers are determined.
pub(super) struct Served {
    pub(super) routes: Routes,
    pub(super) monitoring: Routes,
    pub(super) authenticator: Arc<dyn Authenticator>,
}

/// The listeners, bound to their addresses and not serving yet. Connections wait in the kernel's queue.
pub(super) struct Listeners {
    api: TcpListener,
    monitoring: Option<TcpListener>,
}

impl Listeners {
    /// Binds the addresses.
    pub(super) async fn bind(configuration: &Configuration) -> Result<Self> {
        let api = bind(configuration.listen).await?;
        let monitoring = match configuration.network.metrics_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self { api, monitoring })
    }

    /// The address of the API.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.api.local_addr()?)
    }

    /// The address of health and metrics alone, if there is one.
    pub(super) fn monitoring_address(&self) -> Result<Option<SocketAddr>> {
        Ok(self.monitoring.as_ref().map(TcpListener::local_addr).transpose()?)
    }

    /// Serves `routes` and, on the other address if there is one, `monitoring`, until `stop`.
    pub(super) fn serve(
        self,
        configuration: &Configuration,
        served: Served,
        tls: Option<TlsAcceptor>,
        in_flight: InFlight,
        stop: &CancellationToken,
    ) -> JoinSet<()> {
        let mut servers = JoinSet::new();
        let InFlight { admission, places } = in_flight;
        let Served { routes, monitoring, authenticator } = served;
        let settings = front_settings(configuration, &routes, tls.is_some());
        let router = serving::router(routes, authenticator.clone(), request_limits(configuration));
        let door = FrontDoor::new(router, settings, admission.clone());
        let server = Server::new(self.api, places, limits(configuration), tls);
        servers.spawn(server.run(door, stop.clone()));
        if let Some(listener) = self.monitoring {
            let settings = front_settings(configuration, &monitoring, false);
            let settings = FrontSettings { cors_origins: CorsOrigins::default(), ..settings };
            let router = serving::router(monitoring, authenticator, RequestLimits::default());
            let door = FrontDoor::new(router, settings, admission);
            let places = Places::new(MONITORING_CONNECTIONS_MAX, configuration.network.connections_reserved);
            let server = Server::new(listener, places, limits(configuration), None);
            servers.spawn(server.run(door, stop.clone()));
        }
        servers
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn limits(configuration: &Configuration) -> Limits {
    let network = &configuration.network;
    Limits {
        per_address_max: network.connections_per_address_max,
        trusted_proxies: network.trusted_proxies.clone(),
        head_within: Duration::from_secs(network.head_within_s),
        streams_max: network.streams_max,
    }
}

fn request_limits(configuration: &Configuration) -> RequestLimits {
    let network = &configuration.network;
    RequestLimits::new(network.requests_per_second, network.requests_burst, network.limited_callers_max)
}

fn front_settings(configuration: &Configuration, routes: &Routes, requires_tls: bool) -> FrontSettings {
    FrontSettings {
        body_limit: BodyLimit(configuration.body_bytes_max),
        body_within: Duration::from_secs(configuration.network.body_within_s),
        trace_per_mille: configuration.telemetry.trace_per_mille,
        cors_origins: configuration.network.cors_origins.clone(),
        requires_tls,
        trusted_proxies: configuration.network.trusted_proxies.clone(),
        forwarded_header: configuration.network.forwarded_header,
        other_media_types: routes.other_media_types().clone(),
    }
}
