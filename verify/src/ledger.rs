//! An independent ledger: the levels of every SKU after every event, computed only from the units moved.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use anyhow::Result;
use orderflow_database::StockItem;
use orderflow_schemas::{
    Levels, Offset, OrderId, Record, Sku, StockEvent, TopicPartition,
    events::{Movement, StockChanged, StockReturned},
    returns::ReturnTo,
};
use orderflow_sinks::Checkpoint;
use orderflow_topics::Topics;

use super::{Report, records::Records, returns::Returns};

/// The rows of stock that the database should have, by SKU.
pub(super) type Rows = BTreeMap<Sku, StockItem>;

/// The levels of every SKU of a partition, and the rows that the database should have at its checkpoint.
#[derive(Default)]
struct Ledger {
    levels: HashMap<Sku, Levels>,
    open: HashMap<OrderId, u64>,
    /// Whether retention has removed the partition's beginning. The first levels of a SKU are then taken as given.
    trimmed: bool,
    rows: Rows,
}

#[derive(Clone, Copy)]
enum MovementKind {
    Reserved,
    Released,
    Shipped,
}

/// Reads all events of a partition and checks their levels.
pub(super) async fn keep_ledger(
    topics: Arc<dyn Topics>,
    topic_partition: TopicPartition,
    checkpoint: Arc<Checkpoint>,
    returns: Returns,
) -> Result<(Rows, Report)> {
    let (mut ledger, mut report) = (Ledger::default(), Report::default());
    let shown = checkpoint.partition(topic_partition).next;
    let (mut records, mut number) = (Records::new(topics, topic_partition, Offset::ZERO).await?, 0);
    ledger.trimmed = records.trimmed;
    while let Some((offset, record)) = records.next().await? {
        let record = match Record::<StockEvent>::decode(&record) {
            Ok(record) => record,
            Err(error) => {
                report
                    .differences
                    .add(|| format!("{topic_partition} offset {offset}: unreadable event: {error}"));
                continue;
            }
        };
        if record.header.number <= number {
            continue;
        }
        number = record.header.number;
        ledger.take(topic_partition, offset, &record.data, &mut report);
        returns.note(topic_partition, offset, &record.data, ledger.trimmed, &mut report)?;
        if offset < shown {
            ledger.show(offset, &record.data);
        } else {
            report.lag += 1;
        }
    }
    report.skus = ledger.levels.len() as u64;
    Ok((ledger.rows, report))
}

impl Ledger {
    fn take(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        event: &StockEvent,
        report: &mut Report,
    ) {
        match event {
            StockEvent::Received(changed) | StockEvent::Adjusted(changed) => {
                self.change(topic_partition, offset, changed, report);
            }
            StockEvent::Reserved(event) => {
                self.move_all(topic_partition, offset, &event.lines, MovementKind::Reserved, report);
                if self.open.insert(event.order_id, units(&event.lines)).is_some() {
                    report.differences.add(|| {
                        format!(
                            "{topic_partition} offset {offset}: order {} is reserved twice",
                            event.order_id
                        )
                    });
                }
            }
            StockEvent::Released(event) => {
                self.move_all(topic_partition, offset, &event.lines, MovementKind::Released, report);
                self.resolve(topic_partition, offset, event.order_id, units(&event.lines), report);
            }
            StockEvent::Shipped(event) => {
                self.move_all(topic_partition, offset, &event.lines, MovementKind::Shipped, report);
                self.resolve(topic_partition, offset, event.order_id, units(&event.lines), report);
            }
            StockEvent::Returned(event) => self.take_back(topic_partition, offset, event, report),
            StockEvent::ProductUpdated(event) => {
                let first = if self.trimmed { event.levels } else { Levels::default() };
                self.levels.entry(event.sku.clone()).or_insert(first);
            }
            StockEvent::Refused(_) | StockEvent::Rejected(_) | StockEvent::Repeated(_) => {}
        }
    }

    /// Checks the levels after units came back. Whether they were shipped for this order is checked by `returns`.
    fn take_back(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        event: &StockReturned,
        report: &mut Report,
    ) {
        for line in &event.lines {
            let units = u64::from(line.quantity);
            let before = self.levels.get(&line.sku).copied().unwrap_or_default();
            let expected = before.shipped.checked_sub(units).map(|shipped| match line.to {
                ReturnTo::Stock => Levels { shipped, available: before.available + units, ..before },
                ReturnTo::WrittenOff => Levels { shipped, written_off: before.written_off + units, ..before },
            });
            self.set(topic_partition, offset, &line.sku, expected, line.levels, report);
        }
    }

    fn change(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        changed: &StockChanged,
        report: &mut Report,
    ) {
        let before = self.levels.get(&changed.sku).copied().unwrap_or_default();
        let units = changed.delta.unsigned_abs();
        let expected = if changed.delta >= 0 {
            Some(Levels { received: before.received + units, available: before.available + units, ..before })
        } else {
            let available = before.available.checked_sub(units);
            available.map(|available| Levels { available, written_off: before.written_off + units, ..before })
        };
        self.set(topic_partition, offset, &changed.sku, expected, changed.levels, report);
    }

    fn move_all(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        lines: &[Movement],
        moved: MovementKind,
        report: &mut Report,
    ) {
        for line in lines {
            let before = self.levels.get(&line.sku).copied().unwrap_or_default();
            let expected = after(before, u64::from(line.quantity), moved);
            self.set(topic_partition, offset, &line.sku, expected, line.levels, report);
        }
    }

    fn set(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        sku: &Sku,
        expected: Option<Levels>,
        there: Levels,
        report: &mut Report,
    ) {
        let given = self.trimmed && !self.levels.contains_key(sku);
        if !(given || expected == Some(there)) || !there.balance() {
            report.differences.add(|| {
                format!("{topic_partition} offset {offset}: SKU {sku} has levels {there:?}, what moved gives {expected:?}")
            });
        }
        self.levels.insert(sku.clone(), there);
    }

    fn resolve(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        id: OrderId,
        units: u64,
        report: &mut Report,
    ) {
        let open = self.open.get(&id).copied();
        if open.is_none() && self.trimmed {
            return;
        }
        let left = open.unwrap_or(0).checked_sub(units);
        match left {
            Some(0) => drop(self.open.remove(&id)),
            Some(left) => drop(self.open.insert(id, left)),
            None => report.differences.add(|| {
                format!(
                    "{topic_partition} offset {offset}: {units} units of order {id} are resolved that it does not hold"
                )
            }),
        }
    }

    /// Changes the rows as the database does when it applies an event.
    fn show(&mut self, offset: Offset, event: &StockEvent) {
        match event {
            StockEvent::Received(changed) | StockEvent::Adjusted(changed) => {
                self.row(&changed.sku, offset, changed.levels);
            }
            StockEvent::Reserved(event) => self.rows_of(offset, &event.lines),
            StockEvent::Released(event) => self.rows_of(offset, &event.lines),
            StockEvent::Shipped(event) => self.rows_of(offset, &event.lines),
            StockEvent::Returned(event) => {
                for line in &event.lines {
                    self.row(&line.sku, offset, line.levels);
                }
            }
            StockEvent::ProductUpdated(event) => {
                let row = self.row(&event.sku, offset, event.levels);
                row.name = Some(event.name.clone());
                row.unit_price = Some(event.unit_price);
                row.currency = Some(event.currency);
            }
            StockEvent::Refused(_) | StockEvent::Rejected(_) | StockEvent::Repeated(_) => {}
        }
    }

    fn rows_of(&mut self, offset: Offset, lines: &[Movement]) {
        for line in lines {
            self.row(&line.sku, offset, line.levels);
        }
    }

    fn row(&mut self, sku: &Sku, version: Offset, levels: Levels) -> &mut StockItem {
        let row = self.rows.entry(sku.clone()).or_insert_with(|| StockItem {
            sku: sku.clone(),
            version,
            levels,
            name: None,
            unit_price: None,
            currency: None,
        });
        (row.version, row.levels) = (version, levels);
        row
    }
}

fn units(lines: &[Movement]) -> u64 {
    lines.iter().map(|line| u64::from(line.quantity)).sum()
}

/// The levels after `units` units moved; `None` if there were too few units to move.
fn after(before: Levels, units: u64, moved: MovementKind) -> Option<Levels> {
    Some(match moved {
        MovementKind::Reserved => Levels {
            available: before.available.checked_sub(units)?,
            reserved: before.reserved + units,
            ..before
        },
        MovementKind::Released => Levels {
            reserved: before.reserved.checked_sub(units)?,
            available: before.available + units,
            ..before
        },
        MovementKind::Shipped => Levels {
            reserved: before.reserved.checked_sub(units)?,
            shipped: before.shipped + units,
            ..before
        },
    })
}
