//! The read API: what was decided, as the database shows it, and the health of the system.
//!
//! [`routes`] has every route. Handlers extract, authorise, read and build the response; `orderflow_web` has the HTTP
//! code that they share with the write API. A handler that reads the database gets it from [`store`], which first waits
//! for the position that the caller must see.

pub mod health;
mod lists;
mod orders;
mod records;
mod routes;
mod state;
mod stock;
mod store;

#[cfg(test)]
mod tests;

pub use health::{Health, Part, Status};
pub use records::push_line;
pub use routes::routes;
pub use state::{Api, RenderMetrics};
pub use store::WAIT_MAX;
