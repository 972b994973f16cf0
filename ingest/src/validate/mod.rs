//! Turns what a client sent into a command, or into everything that is wrong with it. Pure: ids and the caller are
//! arguments.
//!
//! Each error has a JSON pointer to its field. A request that fails here never reaches the log.

mod order;
mod shipment;
mod status;
mod stock;

pub use order::{Owner, place};
pub use shipment::{assign_courier, report_shipment, take_back};
pub use status::{ChangeHeaders, change_status, perform};
pub use stock::{adjust, product_line, receive, receive_line, set_product};

#[cfg(test)]
mod tests;
