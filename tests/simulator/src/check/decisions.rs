//! Invariant 2: the processor, run again over its durable commands, gives the same bytes of events as the durable
//! log, and each command is decided once.
//!
//! The run follows the events. A command is decided again when its first event is durable, under the rules of that
//! time. An upgrade in the middle of a run is therefore no difference, but deciding the past again under new rules is
//! one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use orderflow_processors::Processor;
use orderflow_runner::processing::{Book, Output};
use orderflow_schemas::{Arrival, Offset, Partition, RawRecord, Record, Source, Timestamp, TopicPartition};

use super::{Checked, broken};

/// A second instance of a processor, whose decisions are compared with the durable ones.
#[derive(Debug)]
pub struct Decisions<P: Processor> {
    /// The rules, by the first input offset that they apply to.
    rules: BTreeMap<Offset, P>,
    partition: Partition,
    book: Book<P::State>,
    seen: usize,
    number: u64,
    /// Events that this instance decided and whose durable counterparts are still to come.
    expected: VecDeque<Bytes>,
    /// The messages to each partition, in the order of their numbers.
    messages: Vec<Vec<Bytes>>,
    /// The number of the last decided command, by source.
    decided: BTreeMap<Source, u64>,
    /// The offsets of the commands that an event answers.
    answered: BTreeSet<Offset>,
}

impl<P: Processor> Decisions<P> {
    /// An instance that has decided nothing.
    pub fn new(processor: P, partition: Partition, message_partitions: u16) -> Self {
        Self {
            rules: BTreeMap::from([(Offset::ZERO, processor)]),
            partition,
            book: Book::new(message_partitions),
            seen: 0,
            number: 0,
            expected: VecDeque::new(),
            messages: vec![Vec::new(); usize::from(message_partitions)],
            decided: BTreeMap::new(),
            answered: BTreeSet::new(),
        }
    }

    /// Applies new rules to the commands that are not decided yet.
    pub fn upgrade(&mut self, processor: P) {
        self.rules.insert(self.book.input_next, processor);
    }

    /// The partition of commands that it reads, and the partition of its events.
    pub fn input_and_output(&self) -> (TopicPartition, TopicPartition) {
        let side = |topic| TopicPartition { topic, partition: self.partition };
        (side(P::INPUT), side(P::EVENTS))
    }

    /// Whether all of these commands are decided. The commands after the last decided one may only be repeats.
    pub fn is_done(&self, commands: &[Bytes]) -> bool {
        let decided = usize::try_from(self.book.input_next.0).unwrap_or(usize::MAX);
        let is_repeat = |command: &Bytes| {
            let raw = RawRecord::decode(command);
            raw.is_ok_and(|raw| self.book.sources.arrival(&raw.header) == Arrival::Repeat)
        };
        self.expected.is_empty() && commands.iter().skip(decided).all(is_repeat)
    }

    /// The number of the last command of a source that was decided.
    pub fn decided(&self, source: &Source) -> u64 {
        self.decided.get(source).copied().unwrap_or(0)
    }

    /// Whether an event answers the command at this offset.
    pub fn answers(&self, offset: Offset) -> bool {
        self.answered.contains(&offset)
    }

    /// The messages to one partition that follow from the decisions so far, in the order of their numbers.
    pub fn messages(&self, to: Partition) -> &[Bytes] {
        self.messages.get(usize::from(to.0)).map_or(&[], Vec::as_slice)
    }

    /// Compares the new durable events with this instance's decisions, and passes each event once to `take`, with its
    /// offset, the offset of its command, and its time.
    pub fn check(
        &mut self,
        commands: &[Bytes],
        events: &[Bytes],
        mut take: impl FnMut(Offset, (Offset, Timestamp), &P::Event) -> Checked,
    ) -> Checked {
        let (_, topic_partition) = self.input_and_output();
        for (offset, bytes) in events.iter().enumerate().skip(self.seen) {
            let event: Record<P::Event> = match Record::decode(bytes) {
                Ok(event) => event,
                Err(error) => return broken(format!("{topic_partition} offset {offset}: {error}")),
            };
            if event.header.number <= self.number {
                continue;
            }
            self.number = event.header.number;
            let Some(cause) = event.header.cause else {
                return broken(format!("{topic_partition} offset {offset}: an event without a cause"));
            };
            if self.expected.is_empty() {
                self.decide_up_to(cause.offset, commands)?;
            }
            let expected = self.expected.pop_front();
            if expected.as_ref() != Some(bytes) {
                let again = expected.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let there = String::from_utf8_lossy(bytes);
                let again = again.unwrap_or_else(|| "nothing".into());
                return broken(format!(
                    "{topic_partition} offset {offset}: {there} is there, deciding again gives {again}"
                ));
            }
            self.answered.insert(cause.offset);
            self.decided.insert(cause.source, cause.number);
            take(Offset(offset as u64), (cause.offset, event.header.time), &event.data)?;
        }
        self.seen = events.len();
        Ok(())
    }

    /// Decides all commands up to the one at `last`. Commands before `last` may only be repeats.
    fn decide_up_to(&mut self, last: Offset, commands: &[Bytes]) -> Checked {
        let (topic_partition, _) = self.input_and_output();
        while self.book.input_next <= last {
            let offset = self.book.input_next;
            let Some(command) = usize::try_from(offset.0).ok().and_then(|index| commands.get(index)) else {
                return broken(format!(
                    "{topic_partition} offset {offset}: an event is durable, its command is not"
                ));
            };
            let Some((_, rules)) = self.rules.range(..=offset).next_back() else {
                return broken("there are no rules");
            };
            let mut output = Output::default();
            if let Err(error) = self.book.decide(rules, self.partition, offset, command, &mut output) {
                return broken(error.to_string());
            }
            if offset < last && !output.events.is_empty() {
                return broken(format!(
                    "{topic_partition} offset {offset}: {} has no decision",
                    named(command)
                ));
            }
            self.expected.extend(output.events);
            for (messages, more) in self.messages.iter_mut().zip(output.messages) {
                messages.extend(more);
            }
        }
        Ok(())
    }
}

/// A short description of a command.
fn named(bytes: &[u8]) -> String {
    match RawRecord::decode(bytes) {
        Ok(RawRecord { header, kind, .. }) => {
            format!("number {} of {}, {kind},", header.number, header.source.as_str())
        }
        Err(error) => error.to_string(),
    }
}
