//! Names and numbers of an appender's records. Pure: the time and fresh names are arguments.
//!
//! Numbers count 1, 2, 3 … under one name. Readers forget a name that was silent for an hour of record time and
//! would then take an old number for a gap, so a new name starts well before that.

use std::time::Duration;

use orderflow_schemas::{Source, Timestamp, sources::SILENCE_MAX};

/// After so long without a record, numbering starts again under a new name.
const SILENCE_OWN_MAX: Duration = Duration::from_secs(SILENCE_MAX.as_secs() / 2);

/// How the next records will be numbered and dated.
#[derive(Debug)]
pub struct Numbering {
    source: Source,
    next: u64,
    last: Option<Timestamp>,
}

impl Numbering {
    /// From 1 under this name.
    pub fn new(source: Source) -> Self {
        Self { source, next: 1, last: None }
    }

    /// The time of records appended now: never before that of earlier ones under the same name.
    pub fn time(&mut self, now: Timestamp, fresh: impl FnOnce() -> Source) -> Timestamp {
        match self.last {
            Some(last) if now > last.plus(SILENCE_OWN_MAX) => {
                *self = Self::new(fresh());
                now
            }
            Some(last) => now.max(last),
            None => now,
        }
    }

    /// Under which name.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The number of the next record.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// So many records of this time were appended.
    pub fn take(&mut self, count: usize, time: Timestamp) {
        self.next += count as u64;
        self.last = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> Source {
        Source::new(name).unwrap()
    }

    fn minutes(minutes: i64) -> Timestamp {
        Timestamp::from_micros(minutes * 60_000_000)
    }

    #[test]
    fn time_does_not_go_backwards_within_a_source() {
        let mut numbering = Numbering::new(source("a"));
        let time = numbering.time(minutes(100), || unreachable!());
        numbering.take(3, time);
        assert_eq!(numbering.time(minutes(90), || unreachable!()), minutes(100));
        assert_eq!((numbering.next(), numbering.source().as_str()), (4, "a"));
    }

    #[test]
    fn a_silent_source_starts_again_under_a_new_name() {
        let mut numbering = Numbering::new(source("a"));
        numbering.take(3, minutes(100));
        assert_eq!(numbering.time(minutes(130), || unreachable!()), minutes(130));
        assert_eq!(numbering.time(minutes(131), || source("b")), minutes(131));
        assert_eq!((numbering.next(), numbering.source().as_str()), (1, "b"));
    }
}
