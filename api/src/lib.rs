//! The read API: what was decided, as the database shows it, and how the system is.
//!
//! [`routes`] shows every route. Handlers extract, authorise, ask and map the answer; the words of HTTP are those of
//! `orderflow_web`. Whoever reads the database gets it from [`store`], which first waits for the position
//! that the caller must see.

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
