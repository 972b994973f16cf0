//! The upserts: one statement for many rows.
//!
//! Measured with three indexes, 5,000 rows a transaction, orders inserted / updated a second: a statement a row
//! 17k / 19k; one JSON array through `json_each` 89k / 104k; `VALUES` of 50 rows 136k / 211k, of 200 154k / 239k, of
//! 1,000 170k / 258k. So `VALUES`, in chunks whose sizes are powers of two: few distinct statements, all of them
//! prepared once. Columns that never change are not updated: doing so halves the rate, since their indexes are
//! then written again.

use std::sync::Arc;

/// The largest chunk, in rows: 15 columns of it are far below the 32,766 values SQLite takes.
const CHUNK_ROWS_MAX: usize = 512;

/// The upsert of a table, for chunks of each size.
#[derive(Debug)]
pub(super) struct Upsert {
    /// By size: 1, 2, 4, … rows.
    by_size: Vec<Arc<str>>,
}

impl Upsert {
    fn new(insert: &str, columns: usize, conflict: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let sizes = (0..=CHUNK_ROWS_MAX.ilog2()).map(|power| 1usize << power);
        let statement = |rows| format!("{insert} VALUES {} {conflict}", vec![row.as_str(); rows].join(","));
        Self { by_size: sizes.map(|rows| statement(rows).into()).collect() }
    }

    /// Takes the largest chunk off the front of `rows`, with its statement.
    pub(super) fn next<'r, T>(&self, rows: &mut &'r [T]) -> Option<(Arc<str>, &'r [T])> {
        let power = rows.len().min(CHUNK_ROWS_MAX).checked_ilog2()?;
        let (chunk, rest) = rows.split_at(1 << power);
        *rows = rest;
        Some((self.by_size[power as usize].clone(), chunk))
    }
}

/// All upserts.
#[derive(Debug)]
pub(super) struct Upserts {
    pub(super) orders: Upsert,
    pub(super) history: Upsert,
    pub(super) stock: Upsert,
    pub(super) checkpoints: Upsert,
}

impl Upserts {
    pub(super) fn new() -> Self {
        Self {
            orders: Upsert::new(
                "INSERT INTO orders (id, customer_id, status, version, currency, total, lines, channel, notes, \
                 fail_reason, failures, idempotency_key, placed_at, created_at, updated_at)",
                15,
                "ON CONFLICT (id) DO UPDATE SET status = excluded.status, version = excluded.version, \
                 total = excluded.total, lines = excluded.lines, fail_reason = excluded.fail_reason, \
                 failures = excluded.failures, updated_at = excluded.updated_at \
                 WHERE excluded.version > orders.version",
            ),
            history: Upsert::new(
                "INSERT INTO order_history (order_id, version, type, status, from_status, at, by_role, by_subject, \
                 reason, cause)",
                10,
                "ON CONFLICT (order_id, version) DO NOTHING",
            ),
            stock: Upsert::new(
                "INSERT INTO stock (sku, version, received, available, reserved, shipped, written_off, name, \
                 unit_price, currency)",
                10,
                "ON CONFLICT (sku) DO UPDATE SET version = excluded.version, received = excluded.received, \
                 available = excluded.available, reserved = excluded.reserved, shipped = excluded.shipped, \
                 written_off = excluded.written_off, name = coalesce(excluded.name, stock.name), \
                 unit_price = coalesce(excluded.unit_price, stock.unit_price), \
                 currency = coalesce(excluded.currency, stock.currency) \
                 WHERE excluded.version > stock.version",
            ),
            checkpoints: Upsert::new(
                "INSERT INTO checkpoints (topic, partition, next_offset, number, unreadable, cause)",
                6,
                "ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, \
                 number = excluded.number, unreadable = excluded.unreadable, cause = excluded.cause \
                 WHERE excluded.next_offset >= checkpoints.next_offset",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_take_every_row_once_and_in_order() {
        let upsert = Upsert::new("INSERT INTO t", 1, "");
        let rows: Vec<usize> = (0..1_337).collect();
        let (mut rest, mut seen, mut sizes) = (rows.as_slice(), Vec::new(), Vec::new());
        while let Some((statement, chunk)) = upsert.next(&mut rest) {
            assert_eq!(statement.matches('?').count(), chunk.len());
            seen.extend_from_slice(chunk);
            sizes.push(chunk.len());
        }
        assert_eq!(seen, rows);
        assert_eq!(sizes, [512, 512, 256, 32, 16, 8, 1]);
    }
}
