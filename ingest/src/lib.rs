//! The write API of orderflow: it validates requests, makes their commands durable and responds with the decisions.
//!
//! The path of a request: [`routes`] → handler → `validate` (pure) → an appender (numbers and appends) → the log →
//! `decisions` (waits for the decision) → `answers`. A request that fails validation never reaches the log. No client
//! gets a response before its command is durable. `orderflow-web` is the vocabulary that this crate shares with the
//! read API.

mod answers;
mod appender;
mod decisions;
mod fingerprint;
mod handlers;
mod lookup;
pub mod metrics;
mod operations;
pub mod requests;
mod routes;
mod service;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod validate;

pub use appender::{AppendedCommands, EncodedCommands, Refusal};
pub use decisions::{DecidedEvent, Decision};
pub use lookup::{LookupError, OrderLookup};
pub use routes::{declared, routes};
pub use service::Ingest;
pub use settings::IngestSettings;
