//! Turns columns into values. Every value is checked: other programs may have changed the database.

use std::{fmt::Display, str::FromStr};

use compact_str::CompactString;
use orderflow_feed::PartitionCheckpoint;
use orderflow_schemas::{
    Actor, Amount, Currency, Levels, LogId, Offset, Order, OrderId, Role, ShipmentEvent, ShipmentStatus, Sku,
    Status, Timestamp, TopicPartition, events::Change,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::NO_CURRENCY;
use crate::{DatabaseError, HistoryEntry, ShipmentEntry, StockItem};

/// A row of one database. A column is read by its name; the error says what is wrong with it. NULL is `None`.
pub(crate) trait Row: Send + Sync + Sized {
    /// A text without control characters, such as a name.
    fn text(&self, column: &'static str) -> Result<Option<&str>, sqlx::Error>;

    /// A text that may contain any character.
    fn words(&self, column: &'static str) -> Result<Option<CompactString>, sqlx::Error>;

    /// A signed 64-bit integer.
    fn integer(&self, column: &'static str) -> Result<Option<i64>, sqlx::Error>;

    /// The id of an order.
    fn id(&self, column: &'static str) -> Result<Uuid, sqlx::Error>;

    /// A value that is stored as JSON.
    fn json<T: DeserializeOwned + 'static>(&self, column: &'static str) -> Result<Option<T>, sqlx::Error>;
}

/// A row that is being read, with the name of its table for errors.
pub(crate) struct Columns<'r, R> {
    pub(crate) table: &'static str,
    pub(crate) row: &'r R,
}

impl<'r, R: Row> Columns<'r, R> {
    fn damaged(&self, column: &'static str, reason: impl Display) -> DatabaseError {
        DatabaseError::Damaged { table: self.table, column, reason: reason.to_string() }
    }

    /// The value of a column that is never NULL.
    fn present<T>(
        &self,
        column: &'static str,
        read: Result<Option<T>, sqlx::Error>,
    ) -> Result<T, DatabaseError> {
        let value = read.map_err(|error| self.damaged(column, error))?;
        value.ok_or_else(|| self.damaged(column, "it is NULL"))
    }

    fn text(&self, column: &'static str) -> Result<&'r str, DatabaseError> {
        self.present(column, self.row.text(column))
    }

    fn parse<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T, DatabaseError> {
        self.text(column)?.parse().map_err(|error: T::Err| self.damaged(column, error))
    }

    fn parse_some<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<Option<T>, DatabaseError> {
        let text = self.row.text(column).map_err(|error| self.damaged(column, error))?;
        text.map(str::parse).transpose().map_err(|error: T::Err| self.damaged(column, error))
    }

    fn words(&self, column: &'static str) -> Result<Option<CompactString>, DatabaseError> {
        self.row.words(column).map_err(|error| self.damaged(column, error))
    }

    fn count_some(&self, column: &'static str) -> Result<Option<u64>, DatabaseError> {
        let number = self.row.integer(column).map_err(|error| self.damaged(column, error))?;
        number.map(u64::try_from).transpose().map_err(|error| self.damaged(column, error))
    }

    pub(crate) fn count(&self, column: &'static str) -> Result<u64, DatabaseError> {
        self.present(column, Ok(self.count_some(column)?))
    }

    fn time(&self, column: &'static str) -> Result<Timestamp, DatabaseError> {
        self.present(column, self.row.integer(column)).map(Timestamp::from_micros)
    }

    fn time_some(&self, column: &'static str) -> Result<Option<Timestamp>, DatabaseError> {
        let micros = self.row.integer(column).map_err(|error| self.damaged(column, error))?;
        Ok(micros.map(Timestamp::from_micros))
    }

    fn order_id(&self, column: &'static str) -> Result<OrderId, DatabaseError> {
        self.row.id(column).map(OrderId::from_uuid).map_err(|error| self.damaged(column, error))
    }

    fn json_some<T: DeserializeOwned + 'static>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, DatabaseError> {
        self.row.json(column).map_err(|error| self.damaged(column, error))
    }

    pub(crate) fn order(&self) -> Result<Order, DatabaseError> {
        Ok(Order {
            id: self.order_id("id")?,
            customer_id: self.parse("customer_id")?,
            status: self.parse("status")?,
            version: self.count("version")?,
            currency: self.currency()?,
            total: self.count_some("total")?.map(Amount),
            lines: self.present("lines", Ok(self.json_some("lines")?))?,
            channel: self.words("channel")?,
            notes: self.words("notes")?,
            fail_reason: self.words("fail_reason")?,
            failures: self.json_some("failures")?.unwrap_or_default(),
            idempotency_key: self.parse_some("idempotency_key")?,
            placed_at: self.time("placed_at")?,
            created_at: self.time("created_at")?,
            updated_at: self.time("updated_at")?,
            reserve_for: self.seconds("reserve_for")?,
            courier_id: self.words("courier_id")?,
            acted_by: self.words("acted_by")?,
            acted_at: self.time_some("acted_at")?,
            returned: self.json_some("returned")?.unwrap_or_default(),
        })
    }

    /// The currency of an order; `None` for the code that stands for no currency.
    fn currency(&self) -> Result<Option<Currency>, DatabaseError> {
        if self.text("currency")? == NO_CURRENCY { Ok(None) } else { self.parse("currency").map(Some) }
    }

    fn seconds(&self, column: &'static str) -> Result<Option<u32>, DatabaseError> {
        let number = self.count_some(column)?;
        number.map(u32::try_from).transpose().map_err(|error| self.damaged(column, error))
    }

    pub(crate) fn shipment(&self) -> Result<ShipmentEntry, DatabaseError> {
        let status = self.text("status")?;
        let status = ShipmentStatus::find(status).ok_or_else(|| self.damaged("status", status))?;
        Ok(ShipmentEntry {
            order_id: self.order_id("order_id")?,
            offset: self.count("offset").map(Offset)?,
            at: self.time("at")?,
            by: self.actor()?,
            event: ShipmentEvent {
                status,
                carrier: self.words("carrier")?,
                tracking_number: self.words("tracking_number")?,
                location: self.words("location")?,
                occurred_at: self.time_some("occurred_at")?,
                event_id: self.words("event_id")?,
            },
        })
    }

    pub(crate) fn history(&self) -> Result<HistoryEntry, DatabaseError> {
        let kind = self.text("type")?;
        let change = Change::ALL.into_iter().find(|change| change.kind() == kind);
        Ok(HistoryEntry {
            order_id: self.order_id("order_id")?,
            version: self.count("version")?,
            change: change.ok_or_else(|| self.damaged("type", kind))?,
            status: self.parse("status")?,
            from: self.parse_some("from_status")?,
            at: self.time("at")?,
            by: self.actor()?,
            reason: self.words("reason")?,
            cause: self.count("cause").map(Offset)?,
        })
    }

    fn actor(&self) -> Result<Actor, DatabaseError> {
        let name = self.text("by_role")?;
        let role = if name == Role::System.as_str() { Some(Role::System) } else { Role::of_client(name) };
        let role = role.ok_or_else(|| self.damaged("by_role", name))?;
        Ok(Actor { role, subject: self.present("by_subject", Ok(self.words("by_subject")?))? })
    }

    pub(crate) fn stock(&self) -> Result<StockItem, DatabaseError> {
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
            name: self.words("name")?,
            unit_price: self.count_some("unit_price")?.map(Amount),
            currency: self.parse_some("currency")?,
        })
    }

    pub(crate) fn log_id(&self) -> Result<LogId, DatabaseError> {
        self.parse("id")
    }

    /// A status and the number of orders that have it.
    pub(crate) fn order_count(&self) -> Result<(Status, u64), DatabaseError> {
        Ok((self.parse("status")?, self.count("count")?))
    }

    pub(crate) fn partition_checkpoint(
        &self,
    ) -> Result<(TopicPartition, PartitionCheckpoint), DatabaseError> {
        let partition = u16::try_from(self.count("partition")?);
        let partition = partition.map_err(|error| self.damaged("partition", error))?;
        let progress = PartitionCheckpoint {
            next: self.count("next_offset").map(Offset)?,
            number: self.count("number")?,
            unreadable: self.count("unreadable")?,
            cause: self.count_some("cause")?.map(Offset),
        };
        Ok((TopicPartition::new(self.parse("topic")?, partition), progress))
    }
}
