//! Which database, and opening it: SQLite in the data directory, or Postgres. Another one gets its place here.
//!
//! What this program cannot work with, such as a wrong password or tables of a newer program, is an error when it
//! starts. A database that is away is none: orders are taken and decided, and its sink opens it when it is back.

mod location;
mod open;
mod sink;
mod stored_orders;

pub use location::{DatabaseUrl, Location};
pub use open::{Database, open, open_audit};
pub use stored_orders::StoredOrders;
