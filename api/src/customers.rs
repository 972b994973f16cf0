//! Finding customers by name. Names are personal data, which only accounts have; orders have ids.

use async_trait::async_trait;
use orderflow_schemas::CustomerId;
use orderflow_web::Problem;

/// A name to look for, in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerName<'a> {
    /// The whole name.
    Exact(&'a str),
    /// A part of the name.
    Part(&'a str),
}

/// Finds the ids of customers by their names.
///
/// *Cancellation*: the future may be dropped. *Concurrency*: called from many tasks at once.
#[async_trait]
pub trait CustomerNames: Send + Sync {
    /// The ids of the customers with this name, at most `limit`.
    async fn find(&self, name: CustomerName<'_>, limit: u32) -> Result<Vec<CustomerId>, Problem>;
}

/// A server without accounts knows no names.
#[derive(Clone, Copy, Debug)]
pub struct NoNames;

#[async_trait]
impl CustomerNames for NoNames {
    async fn find(&self, _: CustomerName<'_>, _: u32) -> Result<Vec<CustomerId>, Problem> {
        Err(Problem::bad_request(
            "no-accounts",
            "this server has no accounts, so it knows no names of customers",
        ))
    }
}
