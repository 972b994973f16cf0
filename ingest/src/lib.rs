//! The write API of orderflow: it validates requests, makes them durable and answers with what was decided.
//!
//! Way of a request: [`routes`] → handler → `validate` (pure) → an appender (numbers and appends) → the log →
//! `decisions` (hears what was decided) → `answers`. What fails validation never reaches the log, and nobody is
//! answered before their command is durable. `orderflow-web` is the vocabulary it
//! shares with the read API.

mod answers;
mod appender;
mod decisions;
mod fingerprint;
mod handlers;
mod lookup;
pub mod metrics;
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
pub use routes::routes;
pub use service::Ingest;
pub use settings::IngestSettings;
