//! The handlers: extract, authorise, call the domain, map the answer.

pub mod orders;
pub mod products;
pub mod status;
pub mod stock;
