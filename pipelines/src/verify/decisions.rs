//! The processors, run again: the same commands must give the events and messages that are in the log, to the byte.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use bytes::Bytes;
use orderflow_processors::{OrderProcessor, Processor, StockProcessor, orders::Orders, stock::Stock};
use orderflow_schemas::{
    Arrival, Offset, OrderId, Partition, RawRecord, Source, Sources, Topic, TopicPartition, events::Holding,
};
use orderflow_topics::{Topics, partitions_of};
use xxhash_rust::xxh3::xxh3_64;

use super::{Differences, Report, records::Records};
use crate::{
    processing::{Book, Output, Snapshots},
    settings::Settings,
};

/// The processors of a log.
pub(super) struct Processors<'a> {
    settings: &'a Settings,
    order_partitions: u16,
    stock_partitions: u16,
}

/// Their states at the end of the log.
#[derive(Default)]
pub(super) struct States {
    orders: Vec<Orders>,
    stock: Vec<Stock>,
}

/// A digest of the records from one source to one partition, in the order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    number: u64,
    digest: u64,
}

impl Link {
    fn add(&mut self, record: &[u8]) {
        self.number += 1;
        self.digest = self.digest.rotate_left(7) ^ xxh3_64(record).wrapping_mul(self.number | 1);
    }
}

/// From which input to which partition.
type Links = BTreeMap<(Source, TopicPartition), Link>;

impl<'a> Processors<'a> {
    pub(super) fn new(topics: &dyn Topics, settings: &'a Settings) -> Self {
        let (order_partitions, stock_partitions) =
            (topics.partitions(Topic::OrdersCommands), topics.partitions(Topic::StockCommands));
        Self { settings, order_partitions, stock_partitions }
    }

    /// Runs all of them again and compares.
    pub(super) async fn run_again(&self, topics: &dyn Topics, report: &mut Report) -> Result<States> {
        let (mut states, mut sent) = (States::default(), Links::new());
        for at in partitions_of(topics, Topic::OrdersCommands) {
            let processor = OrderProcessor {
                lifecycle: self.settings.lifecycle.clone(),
                stock_partitions: self.stock_partitions,
                keys_max: self.settings.keys_max,
            };
            let state =
                run_again(topics, &processor, at.partition, &self.settings.data, &mut sent, report).await?;
            states.orders.push(state);
        }
        for at in partitions_of(topics, Topic::StockCommands) {
            let processor = StockProcessor {
                partition: at.partition,
                order_partitions: self.order_partitions,
                keys_max: self.settings.keys_max,
                resolved_max: self.settings.resolved_max,
            };
            let state =
                run_again(topics, &processor, at.partition, &self.settings.data, &mut sent, report).await?;
            states.stock.push(state);
        }
        for topic in [Topic::OrdersCommands, Topic::StockCommands] {
            for at in partitions_of(topics, topic) {
                compare_messages(topics, at, &sent, report).await?;
            }
        }
        Ok(states)
    }
}

/// Decides the commands of one partition again, up to where its events end.
async fn run_again<P: Processor>(
    topics: &dyn Topics,
    processor: &P,
    partition: Partition,
    data: &Path,
    sent: &mut Links,
    report: &mut Report,
) -> Result<P::State> {
    let side = |topic| TopicPartition { topic, partition };
    let (input, events) = (side(P::INPUT), side(P::EVENTS));
    let mut book = starting_book::<P>(topics, input, data).await?;
    let mut commands = Records::new(topics, input, book.input_next).await?;
    let whole = !commands.trimmed;
    let mut written = Written::new(Records::new(topics, events, book.events_next).await?, book.event_number);
    while let Some((offset, command)) = commands.next().await? {
        report.records += 1;
        let mut output = Output::default();
        if let Err(error) = book.decide(processor, partition, offset, &command, &mut output) {
            report.differences.add(|| error.to_string());
            break;
        }
        for event in &output.events {
            match written.next().await? {
                None => {
                    report.undecided += 1;
                    break;
                }
                Some((_, there)) if there == *event => report.records += 1,
                Some((at, there)) => {
                    report.differences.add(|| {
                        let (there, again) =
                            (String::from_utf8_lossy(&there), String::from_utf8_lossy(event));
                        format!("{events} offset {at}: the log has {there}, deciding again gives {again}")
                    });
                    return Ok(book.state);
                }
            }
        }
        if written.ended {
            continue;
        }
        report.unreadable += output.unreadable.len() as u64;
        // Of an input without its beginning, not all messages are known.
        for (to, messages) in (0..).map(Partition).zip(&output.messages).filter(|_| whole) {
            let link = (Source::processor(input), TopicPartition { topic: P::MESSAGES, partition: to });
            let link = sent.entry(link).or_default();
            messages.iter().for_each(|message| link.add(message));
        }
    }
    if let Some((offset, _)) = written.next().await? {
        report.differences.add(|| format!("{events} offset {offset}: an event that no command leads to"));
    }
    Ok(book.state)
}

/// An empty book, or where retention has removed the beginning, the newest snapshot's.
async fn starting_book<P: Processor>(
    topics: &dyn Topics,
    input: TopicPartition,
    data: &Path,
) -> Result<Book<P::State>> {
    let start = topics.bounds(input, orderflow_topics::Visibility::Accepted).await?.start;
    if start == Offset::ZERO {
        return Ok(Book::new(topics.partitions(P::MESSAGES)));
    }
    let snapshot = Snapshots::new(data, input).load()?;
    snapshot
        .with_context(|| format!("{input} begins at offset {start} and there is no snapshot to begin from"))
}

/// The events of a partition without repeats.
struct Written<'a> {
    records: Records<'a>,
    number: u64,
    ended: bool,
}

impl<'a> Written<'a> {
    fn new(records: Records<'a>, number: u64) -> Self {
        Self { records, number, ended: false }
    }

    async fn next(&mut self) -> Result<Option<(Offset, Bytes)>> {
        while let Some((offset, record)) = self.records.next().await? {
            // An unreadable event is no repeat: as none is ever decided, its reader finds the difference.
            let Ok(RawRecord { header, .. }) = RawRecord::decode(&record) else {
                return Ok(Some((offset, record)));
            };
            if header.number > self.number {
                self.number = header.number;
                return Ok(Some((offset, record)));
            }
        }
        self.ended = true;
        Ok(None)
    }
}

/// Checks the numbers of every source in a partition of commands, and that processors sent what they should have.
async fn compare_messages(
    topics: &dyn Topics,
    at: TopicPartition,
    sent: &Links,
    report: &mut Report,
) -> Result<()> {
    let mut records = Records::new(topics, at, Offset::ZERO).await?;
    if records.trimmed {
        return Ok(());
    }
    let (mut sources, mut came) = (Sources::default(), Links::new());
    while let Some((offset, record)) = records.next().await? {
        let header = match RawRecord::decode(&record) {
            Ok(RawRecord { header, .. }) => header,
            Err(error) => {
                report.differences.add(|| format!("{at} offset {offset}: unreadable header: {error}"));
                continue;
            }
        };
        match sources.arrival(&header) {
            Arrival::Repeat => continue,
            Arrival::Gap { expected } => report.differences.add(|| {
                let (source, found) = (header.source.as_str(), header.number);
                format!("{at} offset {offset}: `{source}` jumps to number {found}, expected {expected}")
            }),
            Arrival::Next => {}
        }
        sources.take(&header.source, header.number, header.time);
        if !header.source.is_transient() {
            came.entry((header.source, at)).or_default().add(&record);
        }
    }
    for ((source, to), link) in sent.iter().filter(|((_, to), _)| *to == at) {
        let there = came.get(&(source.clone(), *to)).copied().unwrap_or_default();
        if there != *link {
            report.differences.add(|| {
                let (has, should) = (there.number, link.number);
                format!(
                    "{to} has {has} messages from {}, of {should} that follow from its commands, or others",
                    source.as_str()
                )
            });
        }
    }
    Ok(())
}

impl States {
    /// What active orders hold must be what stock has reserved for them, and none may wait: for logs of which every
    /// command is decided.
    pub(super) fn compare_holdings(&self, differences: &mut Differences) {
        let mut held: BTreeMap<OrderId, u64> = BTreeMap::new();
        for (id, units) in self.stock.iter().flat_map(Stock::reservations) {
            *held.entry(id).or_default() += units;
        }
        for (order, holding) in self.orders.iter().flat_map(Orders::iter) {
            let reserved = held.remove(&order.id).unwrap_or(0);
            let ordered: u64 = order.lines.iter().map(|line| u64::from(line.quantity)).sum();
            let expected = if holding == Holding::Held { ordered } else { 0 };
            if holding == Holding::Asked {
                differences.add(|| {
                    format!("order {}: it waits for stock though every command is decided", order.id)
                });
            } else if reserved != expected {
                differences.add(|| {
                    format!(
                        "order {}: it holds {expected} units, stock has {reserved} reserved for it",
                        order.id
                    )
                });
            }
        }
        for (id, units) in held {
            differences
                .add(|| format!("order {id}: stock has {units} units reserved, but the order is over"));
        }
    }
}
