//! The settings of connections and requests.

use std::{net::SocketAddr, path::PathBuf};

use orderflow_web::ForwardedHeader;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{front::CorsOrigins, listener::TrustedProxies};

/// Connections and requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// The TLS certificate in PEM, followed by its intermediate certificates; without it, the server speaks plain
    /// HTTP. When the contents of the two files change to another pair, the server uses that pair.
    #[schemars(extend("x-flag" = "tls-cert", "x-value" = "FILE"))]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    #[schemars(extend("x-flag" = "tls-key", "x-value" = "FILE"))]
    pub tls_key: Option<PathBuf>,
    /// An address for health and metrics alone, in plain HTTP; `/metrics` is then nowhere else. Port 0 takes a free
    /// one.
    #[schemars(with = "Option<String>", extend("x-flag" = "metrics-listen", "x-value" = "ADDR"))]
    pub metrics_listen: Option<SocketAddr>,
    /// Networks and addresses of proxies, separated by commas. The address of a client is taken from the header that
    /// they send, and bounds for each address do not apply to the proxies themselves.
    #[schemars(with = "String", extend("x-flag" = "trusted-proxies", "x-value" = "LIST"))]
    pub trusted_proxies: TrustedProxies,
    /// The header in which trusted proxies name the client: `Forwarded` or `X-Forwarded-For`. The other one is ignored.
    #[schemars(with = "String", extend("x-flag" = "forwarded-header", "x-value" = "NAME"))]
    pub forwarded_header: ForwardedHeader,
    /// Requests a second of each caller; 0 for no limit. Beyond it: 429 `too-many-requests`. A machine client may have
    /// a limit of its own.
    #[schemars(range(max = 1_000_000), extend("x-flag" = "requests-per-second"))]
    pub requests_per_second: u32,
    /// Requests that a caller may send at once, before `requests_per_second` applies; 0 for those of one second.
    #[schemars(range(max = 1_000_000), extend("x-flag" = "requests-burst"))]
    pub requests_burst: u32,
    /// Callers whose requests are counted. When there are more, those that are farthest from their limit are forgotten.
    #[schemars(range(min = 100))]
    pub limited_callers_max: usize,
    /// Origins whose web pages may read responses in a browser (CORS), separated by commas, such as
    /// `https://shop.example`.
    #[schemars(with = "String", extend("x-flag" = "cors-origins", "x-value" = "LIST"))]
    pub cors_origins: CorsOrigins,
    /// Connections of one address at the same time. Addresses of IPv6 count by their /64.
    #[schemars(range(min = 1), extend("x-flag" = "connections-per-address-max"))]
    pub connections_per_address_max: usize,
    /// Bytes of the request bodies that are received or decided at the same time. Beyond it: 503 `overloaded`. At least
    /// the largest body and the longest line of a stream.
    #[schemars(range(min = 64), extend("x-flag" = "bytes-in-flight-max", "x-value" = "BYTES"))]
    pub bytes_in_flight_max: usize,
    /// Requests that are answered at the same time. Beyond it: 503 `overloaded`.
    #[schemars(range(min = 1))]
    pub requests_in_flight_max: usize,
    /// Connections beyond `connections_max` that may ask for the health, or wait for another connection to end.
    #[schemars(range(min = 1))]
    pub connections_reserved: usize,
    /// The longest time for a request's head: from the connection to the first head, the TLS handshake included, and
    /// from the first byte of each later one. Beyond it the connection is closed.
    #[schemars(range(min = 1, max = 90))]
    pub head_within_s: u64,
    /// The longest time for a request's body, unless it is a stream of lines. Beyond it: 408 `body-too-slow`.
    #[schemars(range(min = 1, max = 90))]
    pub body_within_s: u64,
    /// Requests of one HTTP/2 connection at the same time.
    #[schemars(range(min = 1))]
    pub streams_max: u32,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            tls_cert: None,
            tls_key: None,
            metrics_listen: None,
            trusted_proxies: TrustedProxies::default(),
            forwarded_header: ForwardedHeader::default(),
            requests_per_second: 0,
            requests_burst: 0,
            limited_callers_max: 100_000,
            cors_origins: CorsOrigins::default(),
            connections_per_address_max: 1024,
            bytes_in_flight_max: 64 << 20,
            requests_in_flight_max: 8192,
            connections_reserved: 64,
            head_within_s: 10,
            body_within_s: 30,
            streams_max: 128,
        }
    }
}
