//! The handlers: extract, authorise, call the domain, turn the result into a response.

pub mod orders;
pub mod products;
pub mod status;
pub mod stock;
