//! What a process reports about itself: logs, metrics and traces.

pub mod access;
mod http_seconds;
mod log_format;
pub mod log_writer;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub mod request_context;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::TelemetrySettings;
