//! The handlers: extract, authorise, call the domain, turn the result into a response.

mod change;
mod context;
pub mod orders;
pub mod products;
pub mod shipments;
pub mod status;
pub mod stock;

pub use self::context::WriteContext;
