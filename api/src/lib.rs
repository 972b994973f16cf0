//! The read API: what was decided, as the database shows it, and the health of the system.
//!
//! [`routes`] has every route. Handlers extract, read and build the response; `orderflow_web` has the HTTP
//! code that they share with the write API. A handler that reads the database gets it from [`caught_up`], which first
//! waits for the position that the caller must see.

mod caught_up;
mod customers;
pub mod health;
mod lists;
mod operations;
mod orders;
mod records;
mod routes;
mod shipments;
mod state;
mod stock;

#[cfg(test)]
mod tests;

pub use caught_up::WAIT_MAX;
pub use customers::{CustomerName, CustomerNames, NoNames};
pub use health::{Health, Part, Status};
pub use records::push_line;
pub use routes::{declared, metrics_route, monitoring_routes, routes};
pub use state::{Api, RenderMetrics};
