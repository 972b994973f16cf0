//! Reads one partition of events for the requests that wait for its decisions.

use std::{convert::Infallible, sync::Arc};

use orderflow_feed::{Event, EventRecord, Feed, FeedEntry};
use orderflow_schemas::{Lifecycle, Offset, OrderEvent, StockEvent, Topic, TopicPartition};
use orderflow_topics::{LogError, Topics, Visibility};
use tokio_util::sync::CancellationToken;
use tracing::{error, instrument, warn};

use super::{
    DecidedEvent, Decision, Decisions,
    verdict::{Verdict, ends_waiting, order_of, verdict},
    waiters::RegisteredWaiter,
};

pub(super) struct DecisionReader {
    pub topic_partition: TopicPartition,
    pub topics: Arc<dyn Topics>,
    pub feed: Feed,
    pub decisions: Arc<Decisions>,
    pub lifecycle: Arc<Lifecycle>,
}

impl DecisionReader {
    /// Reads until it is stopped or the log fails. The requests that are still waiting then learn that no decision will
    /// come.
    #[instrument(name = "decisions", skip_all, fields(topic_partition = %self.topic_partition))]
    pub async fn run(self, stopping: CancellationToken) {
        let read = async {
            let mut from = self.end().await?;
            self.decisions.watched(self.topic_partition).ready.cancel();
            loop {
                from = self.step(from).await?;
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            result = read => {
                let Err::<Infallible, LogError>(error) = result;
                error!(%error, "decisions cannot be read any more");
            }
        }
        self.decisions.watched(self.topic_partition).ready.cancel();
        self.decisions.lock(self.topic_partition).clear();
    }

    async fn end(&self) -> Result<Offset, LogError> {
        Ok(self.topics.bounds(self.topic_partition, Visibility::Durable).await?.end)
    }

    /// Waits for events at or beyond `from`, handles them, and returns the offset to continue from.
    async fn step(&self, from: Offset) -> Result<Offset, LogError> {
        self.topics.wait_beyond(self.topic_partition, from, Visibility::Durable).await?;
        if self.decisions.lock(self.topic_partition).is_empty() {
            let end = self.end().await?;
            // The command of a waiter that registers after this check has not been appended yet. Its decision is
            // therefore beyond the end that was read.
            if self.decisions.lock(self.topic_partition).is_empty() {
                return Ok(end);
            }
        }
        match self.feed.read(self.topic_partition, from).await {
            Ok(entries) => {
                for entry in entries.iter() {
                    self.observe(entry);
                }
                Ok(entries.next())
            }
            Err(LogError::Trimmed { start, .. }) => Ok(start),
            Err(error) => Err(error),
        }
    }

    /// Handles one event. An entry that is not an event is ignored: the sinks report it.
    fn observe(&self, entry: &FeedEntry) {
        let FeedEntry::Event(record) = entry else { return };
        let Some(cause) = &record.header.cause else { return };
        let waiter = self.decisions.lock(self.topic_partition).take_command(&cause.source, cause.number);
        if self.topic_partition.topic == Topic::StockEvents {
            self.observe_stock(record, waiter);
        } else {
            self.observe_order(record, waiter);
        }
    }

    fn observe_stock(&self, record: &EventRecord, waiter: Option<RegisteredWaiter>) {
        let Some(waiter) = waiter else { return };
        let Some(Event::Stock(event)) = event_of(record) else { return };
        let replayed = match event {
            StockEvent::Repeated(_) => true,
            StockEvent::Rejected(rejected) => rejected.repeated,
            _ => false,
        };
        let event = DecidedEvent::Stock(Box::new(event.clone()));
        waiter.complete(Decision { cause: record.cause, replayed, event });
    }

    fn observe_order(&self, record: &EventRecord, waiter: Option<RegisteredWaiter>) {
        let following = self.followers(record);
        if waiter.is_none() && following.is_empty() {
            return;
        }
        let Some(Event::Order(event)) = event_of(record) else { return };
        let decision = |replayed| Decision {
            cause: record.cause,
            replayed,
            event: DecidedEvent::Order(Box::new(event.clone())),
        };
        for waiter in following {
            let replayed = waiter.replayed;
            waiter.complete(decision(replayed));
        }
        let Some(mut waiter) = waiter else { return };
        match verdict(event, &self.lifecycle) {
            Verdict::Decided => waiter.complete(decision(is_repeat(event))),
            Verdict::Follow { order, replayed } => {
                waiter.replayed = replayed;
                self.decisions.lock(self.topic_partition).follow(order, waiter);
            }
        }
    }

    /// The waiters for the next event of the order that this event is about.
    fn followers(&self, record: &EventRecord) -> Vec<RegisteredWaiter> {
        let ends = ends_waiting(&record.kind, &self.lifecycle);
        if !ends || !self.decisions.lock(self.topic_partition).follow_orders() {
            return Vec::new();
        }
        order_of(&record.kind, record.data())
            .map(|order| self.decisions.lock(self.topic_partition).take_order(order))
            .unwrap_or_default()
    }
}

fn is_repeat(event: &OrderEvent) -> bool {
    match event {
        OrderEvent::Repeated(_) => true,
        OrderEvent::Rejected(rejected) => rejected.repeated,
        _ => false,
    }
}

fn event_of(record: &EventRecord) -> Option<&Event> {
    record.event().inspect_err(|error| warn!(%error, "a decision somebody waits for cannot be read")).ok()
}
