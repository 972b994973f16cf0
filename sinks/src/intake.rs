//! From the bytes of a partition of events to events, each taken once. Pure.
//!
//! A partition of events has one source, the processor of the commands partition of the same number, which numbers
//! its events 1, 2, 3 …. A number that was taken is skipped, a gap stops the sink: something has lost records, and
//! going on would make the store wrong for good. A record that cannot be read becomes a dead letter. If not even its
//! number could be read, the next event may be one ahead; that is remembered in the checkpoint.

use bytes::Bytes;
use orderflow_schemas::{
    DecodeError, Header, Offset, OrderEvent, Payload, RawRecord, Source, StockEvent, Topic, TopicPartition,
    envelope::ENVELOPE_VERSION,
};

use crate::{
    contract::{Event, EventRecord, Mark, commands_of},
    dead_letter::DeadLetter,
};

/// Why a partition of events cannot be read on. Nothing gets better by trying again.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Records are missing.
    #[error(
        "{at} has a gap at offset {offset}: event {found} where {expected} should come; the log has lost events"
    )]
    Gap {
        /// The partition.
        at: TopicPartition,
        /// The offset of the event after the gap.
        offset: Offset,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A newer program wrote this. Skipping it would lose it, so this program must be upgraded first.
    #[error(
        "{at}, offset {offset}: written in envelope version {version}, this program reads up to {ENVELOPE_VERSION}; \
         upgrade it"
    )]
    NewerVersion {
        /// The partition.
        at: TopicPartition,
        /// The record's offset.
        offset: Offset,
        /// The version it is in.
        version: u16,
    },
    /// No sink reads this topic.
    #[error("{0} holds no events")]
    NotEvents(TopicPartition),
}

/// What came of one record.
enum Taken {
    Event(Box<EventRecord>),
    Repeat,
    Unusable { reason: String, numbered: Option<u64> },
}

/// Reads one partition of events from a mark on.
#[derive(Clone, Debug)]
pub struct Intake {
    reader: String,
    at: TopicPartition,
    source: Source,
    mark: Mark,
}

impl Intake {
    /// Reads `at` from `mark` on; `reader` is the name that dead letters give as theirs.
    pub fn new(reader: String, at: TopicPartition, mark: Mark) -> Result<Self, IntakeError> {
        let commands = commands_of(at).ok_or(IntakeError::NotEvents(at))?;
        Ok(Self { reader, at, source: Source::processor(commands), mark })
    }

    /// The partition it reads.
    pub fn at(&self) -> TopicPartition {
        self.at
    }

    /// How far it is.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Takes the record at the mark, which then moves past it.
    pub fn take(
        &mut self,
        bytes: &Bytes,
        events: &mut Vec<EventRecord>,
        letters: &mut Vec<DeadLetter>,
    ) -> Result<(), IntakeError> {
        let offset = self.mark.next;
        match self.read(bytes)? {
            Taken::Repeat => {}
            Taken::Event(record) => {
                self.mark.cause = self.mark.cause.max(Some(record.cause));
                self.number(record.header.number);
                events.push(*record);
            }
            Taken::Unusable { reason, numbered } => {
                match numbered {
                    Some(number) => self.number(number),
                    None => self.mark.unreadable += 1,
                }
                letters.push(DeadLetter::new(&self.reader, self.at, offset, reason, bytes));
            }
        }
        self.mark.next = offset.next();
        Ok(())
    }

    fn number(&mut self, number: u64) {
        self.mark.number = number;
        self.mark.unreadable = 0;
    }

    fn read(&self, bytes: &Bytes) -> Result<Taken, IntakeError> {
        let offset = self.mark.next;
        let raw = match RawRecord::decode(bytes) {
            Ok(raw) => raw,
            Err(DecodeError::Version(version)) => {
                return Err(IntakeError::NewerVersion { at: self.at, offset, version });
            }
            Err(error) => return Ok(Taken::Unusable { reason: error.to_string(), numbered: None }),
        };
        if raw.header.source != self.source {
            let reason =
                format!("written by {}, not by {}", raw.header.source.as_str(), self.source.as_str());
            return Ok(Taken::Unusable { reason, numbered: None });
        }
        let number = raw.header.number;
        let expected = self.mark.number + 1;
        if number < expected {
            return Ok(Taken::Repeat);
        }
        if number > expected.saturating_add(self.mark.unreadable) {
            return Err(IntakeError::Gap { at: self.at, offset, expected, found: number });
        }
        let Some(cause) = raw.header.cause.as_ref().map(|cause| cause.offset) else {
            return Ok(Taken::Unusable { reason: "an event without a cause".into(), numbered: Some(number) });
        };
        Ok(match self.decode(raw) {
            Ok((header, event)) => {
                Taken::Event(Box::new(EventRecord { at: self.at, offset, cause, header, event }))
            }
            Err(error) => Taken::Unusable { reason: error.to_string(), numbered: Some(number) },
        })
    }

    fn decode(&self, raw: RawRecord<'_>) -> Result<(Header, Event), DecodeError> {
        let event = match self.at.topic {
            Topic::StockEvents => Event::Stock(StockEvent::decode(&raw.kind, raw.data)?),
            _ => Event::Order(OrderEvent::decode(&raw.kind, raw.data)?),
        };
        Ok((raw.header, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{ORDERS, STOCK, bytes, changed, header, order, product};

    fn take(intake: &mut Intake, bytes: &Bytes) -> Result<(usize, usize), IntakeError> {
        let (mut events, mut letters) = (Vec::new(), Vec::new());
        intake.take(bytes, &mut events, &mut letters).map(|()| (events.len(), letters.len()))
    }

    fn event(number: u64) -> Bytes {
        bytes(ORDERS, number, changed(order(1, number, "CREATED")))
    }

    fn intake() -> Intake {
        Intake::new("sink/test".into(), ORDERS, Mark::default()).unwrap()
    }

    #[test]
    fn repeats_are_skipped_and_a_gap_stops() {
        let mut intake = intake();
        assert_eq!(take(&mut intake, &event(1)).unwrap(), (1, 0));
        assert_eq!(take(&mut intake, &event(1)).unwrap(), (0, 0));
        assert_eq!(take(&mut intake, &event(2)).unwrap(), (1, 0));
        let before = intake.mark();
        assert_eq!(before, Mark { next: Offset(3), number: 2, unreadable: 0, cause: Some(Offset(20)) });
        let error = take(&mut intake, &event(4)).unwrap_err();
        assert!(
            matches!(error, IntakeError::Gap { expected: 3, found: 4, offset: Offset(3), .. }),
            "{error}"
        );
        assert_eq!(intake.mark(), before);
    }

    #[test]
    fn what_cannot_be_read_is_a_dead_letter_and_makes_no_gap() {
        let mut intake = intake();
        let garbage = Bytes::from_static(b"\xffgarbage");
        assert_eq!(take(&mut intake, &garbage).unwrap(), (0, 1));
        assert_eq!(take(&mut intake, &event(2)).unwrap(), (1, 0), "the garbage may have been number 1");
        assert_eq!(take(&mut intake, &bytes(ORDERS, 3, product("A", "a", 1))).unwrap(), (0, 1), "wrong kind");
        assert_eq!(take(&mut intake, &event(4)).unwrap(), (1, 0));
        assert_eq!(
            take(&mut intake, &bytes(STOCK, 5, product("A", "a", 1))).unwrap(),
            (0, 1),
            "foreign source"
        );
        assert_eq!(take(&mut intake, &event(5)).unwrap(), (1, 0), "its number was another's");
        assert!(take(&mut intake, &event(7)).is_err(), "a gap is a gap again");
    }

    #[test]
    fn an_event_without_a_cause_is_a_dead_letter() {
        let mut intake = intake();
        let mut header = header(ORDERS, 1);
        header.cause = None;
        let record = orderflow_schemas::Record { header, data: changed(order(1, 1, "CREATED")) };
        assert_eq!(take(&mut intake, &record.encode()).unwrap(), (0, 1));
        assert_eq!(take(&mut intake, &event(2)).unwrap(), (1, 0));
    }

    #[test]
    fn a_newer_envelope_stops_instead_of_being_lost() {
        let text = String::from_utf8(event(1).to_vec()).unwrap().replace("{\"v\":1,", "{\"v\":2,");
        let error = take(&mut intake(), &text.into()).unwrap_err();
        assert!(matches!(error, IntakeError::NewerVersion { version: 2, .. }), "{error}");
    }

    #[test]
    fn only_events_can_be_read() {
        let commands = TopicPartition::new(Topic::OrdersCommands, 0);
        assert!(Intake::new("sink/test".into(), commands, Mark::default()).is_err());
    }
}
