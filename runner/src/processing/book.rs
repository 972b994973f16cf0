//! A processor's book: its state and all counters of invariant 3. Pure: the same records in give the same bytes out.
//!
//! [`Book::decide`] takes a new command: it skips repeats, stops at gaps, decides, folds the events into the state and
//! encodes the output. [`Book::replay`] takes an event that is already in the log and folds it without deciding. Both
//! leave the book as if the command had been decided here.

use bytes::{Bytes, BytesMut};
use compact_str::CompactString;
use orderflow_processors::{Decision, Processor};
use orderflow_schemas::{
    Arrival, Cause, DecodeError, Offset, Partition, Payload, RawRecord, Record, RecordHeader, Source,
    Sources, TopicPartition,
    envelope::{self, TraceParent},
    events::{CommandRejected, RejectionCode},
};
use orderflow_world::spans;
use serde::{Deserialize, Serialize};

/// The state of a processor and its counters, after all commands before `input_next`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book<S> {
    /// The processor's state: the fold of all its events.
    pub state: S,
    /// The offset of the next command to decide.
    pub input_next: Offset,
    /// The offset in the events partition before which every event is folded into the state.
    pub events_next: Offset,
    /// The number of the last event; 0 before the first.
    pub event_number: u64,
    /// The number of the last message to each partition of the message topic; 0 before the first.
    pub sent: Vec<u64>,
    /// The last number that was taken from each source of commands.
    pub sources: Sources,
}

/// The output of the commands that were decided, ready to be appended.
#[derive(Debug, Default)]
pub struct Output {
    /// The encoded messages of each partition, in the order in which they were decided.
    pub messages: Vec<Vec<Bytes>>,
    /// The encoded events, in the order in which they were decided.
    pub events: Vec<Bytes>,
    /// Commands that could not be read: the offset, the record and the reason.
    pub unreadable: Vec<(Offset, Bytes, String)>,
    /// The decided commands whose traces are recorded.
    pub traced: Vec<Traced>,
    /// The total size of messages, events and unreadable commands, in bytes.
    pub bytes: usize,
}

/// A decided command whose trace is recorded.
#[derive(Debug)]
pub struct Traced {
    /// The trace, and the span that caused the command.
    pub parent: TraceParent,
    /// The kind of the command, such as `order.place`.
    pub kind: CompactString,
    /// The offset of the command in the input partition.
    pub offset: Offset,
}

impl Output {
    /// Whether there is nothing to append.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.unreadable.is_empty() && self.messages.iter().all(Vec::is_empty)
    }
}

/// Why a book cannot continue. Each of these means that the log breaks a guarantee of this design; an operator must
/// act.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Records of a source are missing.
    #[error("{topic_partition} offset {offset}: `{source}` jumps to number {found}, expected {expected}", source = .from.as_str())]
    Gap {
        /// The partition with the gap.
        topic_partition: TopicPartition,
        /// The offset of the record after the gap.
        offset: Offset,
        /// The source that numbered the record.
        from: Source,
        /// The number that should have come next from this source.
        expected: u64,
        /// The number of the record that was found instead.
        found: u64,
    },
    /// A command has no readable header, so it is unknown whether it may be skipped.
    #[error("{topic_partition} offset {offset}: unreadable header: {error}")]
    Header {
        /// The partition of the command.
        topic_partition: TopicPartition,
        /// The offset of the command.
        offset: Offset,
        /// Why the header cannot be read.
        error: DecodeError,
    },
    /// An event in the log cannot be read back.
    #[error("{topic_partition} offset {offset}: unreadable event: {error}")]
    Event {
        /// The partition of the event.
        topic_partition: TopicPartition,
        /// The offset of the event.
        offset: Offset,
        /// Why the event cannot be read.
        error: DecodeError,
    },
    /// An event does not name the command that it answers.
    #[error("{topic_partition} offset {offset}: an event without a cause")]
    NoCause {
        /// The partition of the event.
        topic_partition: TopicPartition,
        /// The offset of the event.
        offset: Offset,
    },
}

/// The partition that the processor with this number reads its commands from, and the one it writes its events to.
pub(super) fn input_and_output<P: Processor>(partition: Partition) -> (TopicPartition, TopicPartition) {
    let side = |topic| TopicPartition { topic, partition };
    (side(P::INPUT), side(P::EVENTS))
}

/// The event for an unreadable command, beside its dead letter. Like every command, it must lead to an event, so that
/// recovery counts it and its caller gets an answer.
fn unreadable(kind: &str, error: &DecodeError) -> CommandRejected {
    CommandRejected {
        command: kind.into(),
        code: RejectionCode::Unreadable,
        detail: error.to_string(),
        order_id: None,
        sku: None,
        allowed: None,
        version: None,
        key: None,
        repeated: false,
    }
}

impl<S: Default> Book<S> {
    /// The book of a processor that has decided nothing and can send to `message_partitions` partitions of the message
    /// topic.
    pub fn new(message_partitions: u16) -> Self {
        Self {
            state: S::default(),
            input_next: Offset::ZERO,
            events_next: Offset::ZERO,
            event_number: 0,
            sent: vec![0; usize::from(message_partitions)],
            sources: Sources::default(),
        }
    }
}

impl<S> Book<S> {
    /// Decides the command at `offset` of the processor's input, and adds what follows from it to `output`.
    pub fn decide<P: Processor<State = S>>(
        &mut self,
        processor: &P,
        partition: Partition,
        offset: Offset,
        bytes: &Bytes,
        output: &mut Output,
    ) -> Result<(), BookError> {
        let (topic_partition, _) = input_and_output::<P>(partition);
        let raw =
            RawRecord::decode(bytes).map_err(|error| BookError::Header { topic_partition, offset, error })?;
        self.input_next = offset.next();
        match self.sources.arrival(&raw.header) {
            Arrival::Repeat => return Ok(()),
            Arrival::Gap { expected } => {
                let RecordHeader { source, number: found, .. } = raw.header;
                return Err(BookError::Gap { topic_partition, offset, from: source, expected, found });
            }
            Arrival::Next => {}
        }
        self.sources.take(&raw.header.source, raw.header.number, raw.header.time);
        if let Some(parent) = spans::recorded(raw.header.traceparent.as_ref()) {
            output.traced.push(Traced { parent: parent.clone(), kind: (&*raw.kind).into(), offset });
        }
        let decision = match P::Command::decode(&raw.kind, raw.data) {
            Ok(command) => processor.decide(&self.state, &command, raw.header.time),
            Err(error) => {
                output.bytes += bytes.len();
                output.unreadable.push((offset, bytes.clone(), error.to_string()));
                Decision::event(processor.unreadable(unreadable(&raw.kind, &error)))
            }
        };
        self.carry_out(processor, topic_partition, offset, raw.header, decision, output);
        Ok(())
    }

    fn carry_out<P: Processor<State = S>>(
        &mut self,
        processor: &P,
        topic_partition: TopicPartition,
        offset: Offset,
        command_header: RecordHeader,
        decision: Decision<P::Event, P::Message>,
        output: &mut Output,
    ) {
        assert!(!decision.events.is_empty(), "every command leads to an event");
        let source = Source::processor(topic_partition);
        let mut header = RecordHeader {
            source,
            number: 0,
            time: command_header.time,
            cause: None,
            sent: Vec::new(),
            traceparent: command_header.traceparent,
        };
        let mut buffer = BytesMut::with_capacity(1024);
        output.messages.resize_with(self.sent.len(), Vec::new);
        let mut sent: Vec<(Partition, u64)> = Vec::with_capacity(decision.messages.len());
        for (to, message) in &decision.messages {
            let number = &mut self.sent[usize::from(to.0)];
            *number += 1;
            header.number = *number;
            match sent.iter_mut().find(|(partition, _)| partition == to) {
                Some(last) => last.1 = *number,
                None => sent.push((*to, *number)),
            }
            envelope::encode(&mut buffer, &header, message);
            output.bytes += buffer.len();
            output.messages[usize::from(to.0)].push(buffer.split().freeze());
        }
        sent.sort_unstable();
        header.cause = Some(Cause { offset, source: command_header.source, number: command_header.number });
        let last = decision.events.len() - 1;
        for (index, event) in decision.events.iter().enumerate() {
            self.event_number += 1;
            header.number = self.event_number;
            if index == last {
                header.sent = std::mem::take(&mut sent);
            }
            envelope::encode(&mut buffer, &header, event);
            output.bytes += buffer.len();
            output.events.push(buffer.split().freeze());
            processor.evolve(&mut self.state, event, command_header.time);
        }
    }

    /// Whether the book already contains this event of its own processor. False for a record that cannot be read.
    pub fn has_event(&self, bytes: &[u8]) -> bool {
        RawRecord::decode(bytes).is_ok_and(|raw| raw.header.number <= self.event_number)
    }

    /// Folds an event that is already in the log, at `offset` of the events partition. Skips an event that the book
    /// contains.
    pub fn replay<P: Processor<State = S>>(
        &mut self,
        processor: &P,
        partition: Partition,
        offset: Offset,
        bytes: &[u8],
    ) -> Result<(), BookError> {
        let (_, topic_partition) = input_and_output::<P>(partition);
        let event: Record<P::Event> =
            Record::decode(bytes).map_err(|error| BookError::Event { topic_partition, offset, error })?;
        let header = event.header;
        self.events_next = offset.next();
        if header.number <= self.event_number {
            return Ok(());
        }
        let expected = self.event_number + 1;
        if header.number != expected {
            return Err(BookError::Gap {
                topic_partition,
                offset,
                from: header.source,
                expected,
                found: header.number,
            });
        }
        let Some(cause) = header.cause else { return Err(BookError::NoCause { topic_partition, offset }) };
        self.event_number = header.number;
        self.input_next = cause.offset.next();
        self.sources.take(&cause.source, cause.number, header.time);
        for (to, number) in header.sent {
            if let Some(sent) = self.sent.get_mut(usize::from(to.0)) {
                *sent = number;
            }
        }
        processor.evolve(&mut self.state, &event.data, header.time);
        Ok(())
    }
}
