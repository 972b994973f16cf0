//! From what a client sent to a command, or to everything that is wrong with it. Pure: ids and the caller are
//! arguments.
//!
//! Each error carries a JSON pointer to its field. What fails here never reaches the log.

mod order;
mod status;
mod stock;

pub use order::{Owner, place};
pub use status::{change_status, perform};
pub use stock::{adjust, product_line, receive, receive_line, set_product};

#[cfg(test)]
mod tests;
