//! The five tables that the sink writes: their columns, and what happens when a row already exists.
//!
//! Each upsert keeps the higher version, so a repeated batch changes nothing. Columns that never change are not
//! updated: in SQLite, updating them would halve the rate, because their indexes would be written again.

/// A table that the sink writes.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The columns in the order in which they are bound, each with its type in Postgres as in `$1::type[]`.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// The clause for a row whose key already exists.
    pub(crate) conflict: &'static str,
}

impl Table {
    /// The beginning of the insert statement, up to the rows.
    pub(crate) fn insert(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        format!("INSERT INTO {} ({})", self.name, columns.join(", "))
    }
}

pub(crate) const ORDERS: Table = Table {
    name: "orders",
    columns: &[
        ("id", "uuid"),
        ("customer_id", "text"),
        ("status", "text"),
        ("version", "bigint"),
        ("currency", "text"),
        ("total", "bigint"),
        ("lines", "text[]::json"),
        ("channel", "text"),
        ("notes", "text"),
        ("fail_reason", "text"),
        ("failures", "text[]::json"),
        ("idempotency_key", "text"),
        ("placed_at", "bigint"),
        ("created_at", "bigint"),
        ("updated_at", "bigint"),
        ("reserve_for", "bigint"),
        ("courier_id", "text"),
        ("acted_by", "text"),
        ("acted_at", "bigint"),
        ("returned", "text[]::json"),
    ],
    conflict: "ON CONFLICT (id) DO UPDATE SET status = excluded.status, version = excluded.version, \
               total = excluded.total, lines = excluded.lines, fail_reason = excluded.fail_reason, \
               failures = excluded.failures, updated_at = excluded.updated_at, \
               courier_id = excluded.courier_id, acted_by = excluded.acted_by, \
               acted_at = excluded.acted_at, returned = excluded.returned \
               WHERE excluded.version > orders.version",
};

pub(crate) const ORDER_HISTORY: Table = Table {
    name: "order_history",
    columns: &[
        ("order_id", "uuid"),
        ("version", "bigint"),
        ("type", "text"),
        ("status", "text"),
        ("from_status", "text"),
        ("at", "bigint"),
        ("by_role", "text"),
        ("by_subject", "text"),
        ("reason", "text"),
        ("cause", "bigint"),
    ],
    conflict: "ON CONFLICT (order_id, version) DO NOTHING",
};

pub(crate) const SHIPMENT_EVENTS: Table = Table {
    name: "shipment_events",
    columns: &[
        ("order_id", "uuid"),
        ("\"offset\"", "bigint"),
        ("at", "bigint"),
        ("status", "text"),
        ("carrier", "text"),
        ("tracking_number", "text"),
        ("location", "text"),
        ("occurred_at", "bigint"),
        ("event_id", "text"),
        ("by_role", "text"),
        ("by_subject", "text"),
    ],
    conflict: "ON CONFLICT (order_id, \"offset\") DO NOTHING",
};

pub(crate) const STOCK: Table = Table {
    name: "stock",
    columns: &[
        ("sku", "text"),
        ("version", "bigint"),
        ("received", "bigint"),
        ("available", "bigint"),
        ("reserved", "bigint"),
        ("shipped", "bigint"),
        ("written_off", "bigint"),
        ("name", "text"),
        ("unit_price", "bigint"),
        ("currency", "text"),
    ],
    conflict: "ON CONFLICT (sku) DO UPDATE SET version = excluded.version, received = excluded.received, \
               available = excluded.available, reserved = excluded.reserved, shipped = excluded.shipped, \
               written_off = excluded.written_off, name = coalesce(excluded.name, stock.name), \
               unit_price = coalesce(excluded.unit_price, stock.unit_price), \
               currency = coalesce(excluded.currency, stock.currency) \
               WHERE excluded.version > stock.version",
};

pub(crate) const CHECKPOINTS: Table = Table {
    name: "checkpoints",
    columns: &[
        ("topic", "text"),
        ("partition", "bigint"),
        ("next_offset", "bigint"),
        ("number", "bigint"),
        ("unreadable", "bigint"),
        ("cause", "bigint"),
    ],
    conflict: "ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, \
               number = excluded.number, unreadable = excluded.unreadable, cause = excluded.cause \
               WHERE excluded.next_offset >= checkpoints.next_offset",
};
