//! The settings of traces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which traces are recorded, and where they go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// The OpenTelemetry collector that traces are sent to, by OTLP over HTTP with protobuf, such as
    /// `http://127.0.0.1:4318`; without it no trace is recorded. Only `http`: give a remote collector an agent on this
    /// machine.
    #[schemars(extend("x-flag" = "otlp-endpoint", "x-value" = "URL"))]
    pub otlp_endpoint: Option<String>,
    /// Of 1,000 requests that come without a `traceparent`, how many have their trace recorded. A request with one is
    /// recorded if its sampled flag is set.
    #[schemars(range(max = 1_000), extend("x-flag" = "trace-per-mille"))]
    pub trace_per_mille: u32,
    /// Spans that wait to be sent. Beyond it they are dropped and counted.
    #[schemars(range(min = 1))]
    pub spans_max: usize,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { otlp_endpoint: None, trace_per_mille: 1_000, spans_max: 16_384 }
    }
}
