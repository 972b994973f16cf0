//! What the outside can see of a process: logs, metrics, and traces.

pub mod access;
mod log_writer;
pub mod logs;
pub mod metrics;
pub mod otlp;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::TelemetrySettings;
