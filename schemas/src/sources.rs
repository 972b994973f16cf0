//! What a reader remembers about the sources of its partition, so that it takes each record once.
//!
//! Every record carries its source and a number that counts 1, 2, 3 … for that source and partition. A number that was
//! taken before is a repeat and is skipped. A number too far ahead is a gap, and the reader stops.
//!
//! Transient sources are ingest processes and clocks. The reader forgets one that has been silent for an hour of record
//! time, but only while it remembers more than 4,096 sources, so this memory is bounded. After so long a silence a
//! process continues under a new name. Silence alone is not enough: a clock that runs hours ahead and is then corrected
//! would make active sources look silent.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    envelope::{RecordHeader, Source},
    time::Timestamp,
};

/// How long, in record time, a transient source is remembered after its last record.
pub const SILENCE_MAX: Duration = Duration::from_secs(3600);

/// Up to this many sources, none is forgotten, however long it has been silent. A process takes a new name for each
/// partition and after each half hour of silence, so this covers many days of many processes.
const REMEMBERED: usize = 4096;

/// How often, in record time, the reader looks for silent sources.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Whether a record is the next of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The record is the next one; take it.
    Next,
    /// The record was taken before; skip it.
    Repeat,
    /// Records before this one are missing; stop.
    Gap {
        /// The number of the first missing record.
        expected: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    number: u64,
    time: Timestamp,
}

/// The last number taken from each source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    last: BTreeMap<Source, Last>,
    newest: Timestamp,
    swept: Timestamp,
}

impl Sources {
    /// Whether a record with this header is the next of its source.
    pub fn arrival(&self, header: &RecordHeader) -> Arrival {
        let taken = self.last.get(&header.source).map_or(0, |last| last.number);
        match header.number {
            number if number <= taken => Arrival::Repeat,
            number if number == taken + 1 => Arrival::Next,
            _ => Arrival::Gap { expected: taken + 1 },
        }
    }

    /// Records that the reader took the record with this source, number and time.
    pub fn take(&mut self, source: &Source, number: u64, time: Timestamp) {
        self.newest = self.newest.max(time);
        let last = Last { number, time: self.newest };
        match self.last.get_mut(source) {
            Some(known) => *known = last,
            None => drop(self.last.insert(source.clone(), last)),
        }
        if self.newest > self.swept.plus(SWEEP_EVERY) {
            self.forget_silent();
        }
    }

    /// The newest time of all records taken.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }

    fn forget_silent(&mut self) {
        self.swept = self.newest;
        if self.last.len() <= REMEMBERED {
            return;
        }
        let horizon = self.newest.minus(SILENCE_MAX);
        self.last.retain(|source, last| !source.is_transient() || last.time >= horizon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(source: &str, number: u64) -> RecordHeader {
        let source = Source::new(source).unwrap();
        RecordHeader { source, number, time: at(0), cause: None, sent: Vec::new(), traceparent: None }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn each_number_is_taken_once_and_none_is_jumped() {
        let mut sources = Sources::default();
        assert_eq!(sources.arrival(&header("ingest-a", 2)), Arrival::Gap { expected: 1 });
        sources.take(&Source::new("ingest-a").unwrap(), 1, at(0));
        assert_eq!(sources.arrival(&header("ingest-a", 1)), Arrival::Repeat);
        assert_eq!(sources.arrival(&header("ingest-a", 2)), Arrival::Next);
        assert_eq!(sources.arrival(&header("ingest-a", 3)), Arrival::Gap { expected: 2 });
        assert_eq!(sources.arrival(&header("ingest-b", 1)), Arrival::Next);
    }

    #[test]
    fn of_many_the_silent_are_forgotten_and_processors_never() {
        let mut sources = Sources::default();
        sources.take(&Source::new("stock.commands/0").unwrap(), 1, at(10));
        for n in 0..REMEMBERED {
            sources.take(&Source::new(format!("ingest-{n}")).unwrap(), 1, at(10));
        }
        sources.take(&Source::new("ingest-z").unwrap(), 1, at(10 + 3601 + 60));
        assert_eq!(sources.arrival(&header("ingest-0", 1)), Arrival::Next);
        assert_eq!(sources.arrival(&header("ingest-z", 1)), Arrival::Repeat);
        assert_eq!(sources.arrival(&header("stock.commands/0", 1)), Arrival::Repeat);
    }

    #[test]
    fn nobody_is_forgotten_because_a_clock_was_wrong() {
        let mut sources = Sources::default();
        sources.take(&Source::new("ingest-a").unwrap(), 1, at(10));
        sources.take(&Source::new("ingest-b").unwrap(), 1, at(1_000_000));
        assert_eq!(sources.arrival(&header("ingest-a", 2)), Arrival::Next);
    }
}
