//! Between Rust values and columns. What is read is checked: a file may have been changed by others.

use std::{fmt::Display, str::FromStr};

use compact_str::CompactString;
use orderflow_schemas::{
    Actor, Amount, Levels, Offset, Order, OrderId, Role, Sku, Timestamp, TopicPartition, events::Change,
};
use sqlx::{Decode, Row, Sqlite, Type, sqlite::SqliteRow};

use crate::{
    contract::Mark,
    database::{DatabaseError, HistoryEntry, StockItem},
};

/// A number as a column holds it. [`crate::database::Rows`] has refused what does not fit; offsets and counters
/// never get so far.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn lines_json(order: &Order) -> String {
    serde_json::to_string(&order.lines).expect("lines have string keys")
}

/// Almost no order has failures, so none is NULL.
pub(super) fn failures_json(order: &Order) -> Option<String> {
    let failures = Some(&order.failures).filter(|failures| !failures.is_empty());
    failures.map(|failures| serde_json::to_string(failures).expect("failures have string keys"))
}

/// A row that is being read.
pub(super) struct Columns<'r> {
    pub(super) table: &'static str,
    pub(super) row: &'r SqliteRow,
}

impl<'r> Columns<'r> {
    fn damaged(&self, column: &'static str, reason: impl Display) -> DatabaseError {
        DatabaseError::Damaged { table: self.table, column, reason: reason.to_string() }
    }

    fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, column: &'static str) -> Result<T, DatabaseError> {
        self.row.try_get(column).map_err(|error| self.damaged(column, error))
    }

    fn parse<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T, DatabaseError> {
        self.get::<&str>(column)?.parse().map_err(|error: T::Err| self.damaged(column, error))
    }

    fn parse_some<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<Option<T>, DatabaseError> {
        let text = self.get::<Option<&str>>(column)?;
        text.map(str::parse).transpose().map_err(|error: T::Err| self.damaged(column, error))
    }

    fn text(&self, column: &'static str) -> Result<Option<CompactString>, DatabaseError> {
        Ok(self.get::<Option<&str>>(column)?.map(CompactString::from))
    }

    fn count_some(&self, column: &'static str) -> Result<Option<u64>, DatabaseError> {
        let number = self.get::<Option<i64>>(column)?;
        number.map(u64::try_from).transpose().map_err(|error| self.damaged(column, error))
    }

    pub(super) fn count(&self, column: &'static str) -> Result<u64, DatabaseError> {
        u64::try_from(self.get::<i64>(column)?).map_err(|error| self.damaged(column, error))
    }

    fn time(&self, column: &'static str) -> Result<Timestamp, DatabaseError> {
        self.get::<i64>(column).map(Timestamp::from_micros)
    }

    fn order_id(&self, column: &'static str) -> Result<OrderId, DatabaseError> {
        let bytes = self.get::<&[u8]>(column)?;
        uuid::Uuid::from_slice(bytes).map(OrderId::from_uuid).map_err(|error| self.damaged(column, error))
    }

    fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, DatabaseError> {
        serde_json::from_str(text).map_err(|error| self.damaged(column, error))
    }

    pub(super) fn order(&self) -> Result<Order, DatabaseError> {
        Ok(Order {
            id: self.order_id("id")?,
            customer_id: self.parse("customer_id")?,
            status: self.parse("status")?,
            version: self.count("version")?,
            currency: self.parse("currency")?,
            total: self.count_some("total")?.map(Amount),
            lines: self.json("lines", self.get("lines")?)?,
            channel: self.text("channel")?,
            notes: self.text("notes")?,
            fail_reason: self.text("fail_reason")?,
            failures: self.json("failures", self.get::<Option<&str>>("failures")?.unwrap_or("[]"))?,
            idempotency_key: self.parse_some("idempotency_key")?,
            placed_at: self.time("placed_at")?,
            created_at: self.time("created_at")?,
            updated_at: self.time("updated_at")?,
        })
    }

    pub(super) fn history(&self) -> Result<HistoryEntry, DatabaseError> {
        let kind = self.get::<&str>("type")?;
        let change = Change::ALL.into_iter().find(|change| change.kind() == kind);
        Ok(HistoryEntry {
            order_id: self.order_id("order_id")?,
            version: self.count("version")?,
            change: change.ok_or_else(|| self.damaged("type", kind))?,
            status: self.parse("status")?,
            from: self.parse_some("from_status")?,
            at: self.time("at")?,
            by: self.actor()?,
            reason: self.text("reason")?,
            cause: self.count("cause").map(Offset)?,
        })
    }

    fn actor(&self) -> Result<Actor, DatabaseError> {
        let name = self.get::<&str>("by_role")?;
        let role = if name == Role::System.as_str() { Some(Role::System) } else { Role::of_client(name) };
        let role = role.ok_or_else(|| self.damaged("by_role", name))?;
        Ok(Actor { role, subject: self.get::<&str>("by_subject")?.into() })
    }

    pub(super) fn stock(&self) -> Result<StockItem, DatabaseError> {
        Ok(StockItem {
            sku: self.parse::<Sku>("sku")?,
            version: self.count("version").map(Offset)?,
            levels: Levels {
                received: self.count("received")?,
                available: self.count("available")?,
                reserved: self.count("reserved")?,
                shipped: self.count("shipped")?,
                written_off: self.count("written_off")?,
            },
            name: self.text("name")?,
            unit_price: self.count_some("unit_price")?.map(Amount),
            currency: self.parse_some("currency")?,
        })
    }

    pub(super) fn mark(&self) -> Result<(TopicPartition, Mark), DatabaseError> {
        let partition = u16::try_from(self.count("partition")?);
        let partition = partition.map_err(|error| self.damaged("partition", error))?;
        let mark = Mark {
            next: self.count("next_offset").map(Offset)?,
            number: self.count("number")?,
            unreadable: self.count("unreadable")?,
            cause: self.count_some("cause")?.map(Offset),
        };
        Ok((TopicPartition::new(self.parse("topic")?, partition), mark))
    }
}
