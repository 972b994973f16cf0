//! The write API of orderflow: it validates requests, makes them durable and answers with what was decided.
//!
//! Way of a request: [`routes`] → handler → `validate` (pure) → an appender (numbers and appends) → the log →
//! `decisions` (hears what was decided) → `answers`. What fails validation never reaches the log, and nobody is
//! answered before their command is durable. [`http`] is the vocabulary it shares with the read API.

mod answers;
mod appender;
mod decisions;
#[cfg(test)]
mod fake_topics;
mod fingerprint;
mod handlers;
pub mod http;
mod lookup;
pub mod measures;
mod preconditions;
mod requests;
mod routes;
mod service;
mod settings;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod validate;

pub use lookup::{LookupError, OrderLookup};
pub use preconditions::{NoConditions, NoKey};
pub use requests::WantedRequest;
pub use routes::routes;
pub use service::Ingest;
pub use settings::Settings;
pub use validate::wanted;
