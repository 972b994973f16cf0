//! Compares the database with the log: every expected row is there and equal, and there is no other row.
//!
//! Both sides come in the order of their keys, so that no row is kept in memory.

mod history;
mod orders;
mod shipments;
mod stock;

use anyhow::Result;
use async_trait::async_trait;
use orderflow_database::DatabaseAudit;
use orderflow_schemas::LogId;
use orderflow_sinks::Checkpoint;

use self::{
    history::compare_history, orders::compare_orders, shipments::compare_shipments, stock::compare_stock,
};
use super::{Expected, StoredContent};
use crate::Report;

/// A database as content to verify.
pub struct DatabaseContent(pub Box<dyn DatabaseAudit>);

#[async_trait]
impl StoredContent for DatabaseContent {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn log(&self) -> Result<Option<LogId>> {
        Ok(self.0.log().await?)
    }

    async fn checkpoint(&self) -> Result<Checkpoint> {
        Ok(self.0.checkpoint().await?)
    }

    async fn compare(&self, expected: Expected, report: &mut Report) -> Result<()> {
        let Expected { mut orders, mut shipments, orders_reach, stock, stock_reach } = expected;
        let audit = &*self.0;
        compare_orders(audit, &mut orders, &orders_reach, report).await?;
        compare_history(audit, &mut orders, &orders_reach, report).await?;
        compare_shipments(audit, &mut shipments, &orders_reach, report).await?;
        compare_stock(audit, stock, &stock_reach, report).await
    }
}
