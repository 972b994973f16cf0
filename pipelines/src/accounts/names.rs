//! Finding customers by name, in accounts.

use std::sync::Arc;

use async_trait::async_trait;
use orderflow_accounts::Accounts;
use orderflow_api::{CustomerName, CustomerNames};
use orderflow_schemas::CustomerId;
use orderflow_web::Problem;

/// The names of people in accounts. A person's id is their customer id.
pub struct PeoplesNames(pub Arc<Accounts>);

#[async_trait]
impl CustomerNames for PeoplesNames {
    async fn find(&self, name: CustomerName<'_>, limit: u32) -> Result<Vec<CustomerId>, Problem> {
        let (text, is_part) = match name {
            CustomerName::Exact(text) => (text, false),
            CustomerName::Part(text) => (text, true),
        };
        let ids = self.0.ids_by_name(text, is_part, limit).await?;
        ids.into_iter().map(|id| CustomerId::new(id).map_err(Problem::internal)).collect()
    }
}
