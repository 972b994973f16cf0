//! The upserts: one statement writes many rows.
//!
//! Measured with three indexes and 5,000 rows a transaction, in orders inserted / updated a second: one statement a
//! row, 17k / 19k; one JSON array through `json_each`, 89k / 104k; `VALUES` of 50 rows, 136k / 211k; of 200 rows, 154k
//! / 239k; of 1,000 rows, 170k / 258k. The sink therefore uses `VALUES`, in chunks whose sizes are powers of two: there
//! are few distinct statements, and each is prepared once.

use std::sync::Arc;

use crate::sql::{CHECKPOINTS, ORDER_HISTORY, ORDERS, SHIPMENT_EVENTS, STOCK, Table};

/// The largest chunk in rows. With 20 columns it has far fewer than the 32,766 values that SQLite accepts.
const CHUNK_ROWS_MAX: usize = 512;

/// The upsert statements of a table, one for each size of chunk.
#[derive(Debug)]
pub(super) struct Upsert {
    /// The statements for 1, 2, 4, … rows.
    by_size: Vec<Arc<str>>,
}

impl Upsert {
    fn new(table: &Table) -> Self {
        let row = format!("({})", vec!["?"; table.columns.len()].join(","));
        let (insert, conflict) = (table.insert(), table.conflict);
        let sizes = (0..=CHUNK_ROWS_MAX.ilog2()).map(|power| 1usize << power);
        let statement = |rows| format!("{insert} VALUES {} {conflict}", vec![row.as_str(); rows].join(","));
        Self { by_size: sizes.map(|rows| statement(rows).into()).collect() }
    }

    /// Takes the largest possible chunk from the front of `rows`, and returns it with its statement.
    pub(super) fn next<'r, T>(&self, rows: &mut &'r [T]) -> Option<(Arc<str>, &'r [T])> {
        let power = rows.len().min(CHUNK_ROWS_MAX).checked_ilog2()?;
        let (chunk, rest) = rows.split_at(1 << power);
        *rows = rest;
        Some((self.by_size[power as usize].clone(), chunk))
    }
}

/// The upserts of all tables.
#[derive(Debug)]
pub(super) struct Upserts {
    pub(super) orders: Upsert,
    pub(super) history: Upsert,
    pub(super) shipments: Upsert,
    pub(super) stock: Upsert,
    pub(super) checkpoints: Upsert,
}

impl Upserts {
    pub(super) fn new() -> Self {
        Self {
            orders: Upsert::new(&ORDERS),
            history: Upsert::new(&ORDER_HISTORY),
            shipments: Upsert::new(&SHIPMENT_EVENTS),
            stock: Upsert::new(&STOCK),
            checkpoints: Upsert::new(&CHECKPOINTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_take_every_row_once_and_in_order() {
        let upsert = Upsert::new(&Table { name: "t", columns: &[("n", "bigint")], conflict: "" });
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
