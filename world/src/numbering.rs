//! How a process names and numbers the records it appends to one partition.
//!
//! The records under one source name are numbered 1, 2, 3 …. Readers forget a name that was silent for an hour of
//! record time ([`SILENCE_MAX`]); its next number would then look like a gap. A new name therefore starts well before
//! that.

use std::time::Duration;

use orderflow_schemas::{RecordHeader, Source, Timestamp, envelope::TraceParent, sources::SILENCE_MAX};

use crate::World;

/// After this time without a record, numbering starts again under a new name: half of what readers tolerate.
const SILENCE_OWN_MAX: Duration = Duration::from_secs(SILENCE_MAX.as_secs() / 2);

/// The name of a source, its next number, and the time of its last record.
#[derive(Debug)]
pub struct Numbering {
    prefix: &'static str,
    source: Source,
    next: u64,
    last: Option<Timestamp>,
}

impl Numbering {
    /// Starts at 1 under a new name that begins with `prefix`, a word of lower-case letters.
    pub fn new(prefix: &'static str, world: &dyn World) -> Self {
        let source = Source::new(format!("{prefix}-{:016x}", world.nonce()));
        let source = source.expect("a word, a dash and hex digits are a name");
        Self { prefix, source, next: 1, last: None }
    }

    /// Starts again at 1 under a new name. This is needed when the outcome of an append is unknown and the record will
    /// not be appended again: its number is then neither free nor used.
    pub fn rename(&mut self, world: &dyn World) {
        *self = Self::new(self.prefix, world);
    }

    /// The time for records that are appended now: the wall clock, but never earlier than previous records under the
    /// same name. Renames the source if it was silent for too long.
    pub fn time(&mut self, world: &dyn World) -> Timestamp {
        let now = world.now();
        match self.last {
            Some(last) if now > last.plus(SILENCE_OWN_MAX) => {
                self.rename(world);
                now
            }
            Some(last) => now.max(last),
            None => now,
        }
    }

    /// The current name of the source.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The number of the next record under the current name.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The header of the record that is `index` places after the next one. Uses up no number.
    pub fn header(&self, index: u64, time: Timestamp, traceparent: Option<TraceParent>) -> RecordHeader {
        let (source, number) = (self.source.clone(), self.next + index);
        RecordHeader { source, number, time, cause: None, sent: Vec::new(), traceparent }
    }

    /// Uses up `count` numbers, for records with this time.
    pub fn take(&mut self, count: usize, time: Timestamp) {
        self.next += count as u64;
        self.last = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use super::*;
    use crate::{Instant, Task};

    /// A wall clock that the test sets, in minutes.
    #[derive(Default)]
    struct Clock {
        minutes: AtomicI64,
        nonces: AtomicU64,
    }

    impl World for Clock {
        fn now(&self) -> Timestamp {
            minutes(self.minutes.load(Ordering::Relaxed))
        }

        fn instant(&self) -> Instant {
            unreachable!("numbering asks for the wall clock only")
        }

        fn sleep(&self, _: Duration) -> Task {
            unreachable!("numbering does not wait")
        }

        fn nonce(&self) -> u64 {
            self.nonces.fetch_add(1, Ordering::Relaxed)
        }

        fn spawn(&self, _: Task) {
            unreachable!("numbering has no tasks")
        }
    }

    impl Clock {
        fn set(&self, minutes: i64) {
            self.minutes.store(minutes, Ordering::Relaxed);
        }
    }

    fn minutes(minutes: i64) -> Timestamp {
        Timestamp::from_micros(minutes * 60_000_000)
    }

    #[test]
    fn time_does_not_go_backwards_within_a_source() {
        let clock = Clock::default();
        let mut numbering = Numbering::new("a", &clock);
        clock.set(100);
        let time = numbering.time(&clock);
        numbering.take(3, time);
        clock.set(90);
        assert_eq!(numbering.time(&clock), minutes(100));
        assert_eq!((numbering.next(), numbering.source().as_str()), (4, "a-0000000000000000"));
    }

    #[test]
    fn a_silent_source_starts_again_under_a_new_name() {
        let clock = Clock::default();
        let mut numbering = Numbering::new("a", &clock);
        numbering.take(3, minutes(100));
        clock.set(130);
        assert_eq!(numbering.time(&clock), minutes(130));
        assert_eq!(numbering.next(), 4);
        clock.set(131);
        assert_eq!(numbering.time(&clock), minutes(131));
        assert_eq!((numbering.next(), numbering.source().as_str()), (1, "a-0000000000000001"));
    }

    #[test]
    fn headers_count_on_from_the_next_number() {
        let clock = Clock::default();
        let mut numbering = Numbering::new("a", &clock);
        numbering.take(3, minutes(1));
        let header = numbering.header(2, minutes(1), None);
        assert_eq!((header.number, &header.source, header.time), (6, numbering.source(), minutes(1)));
        assert!(header.source.is_transient(), "readers may forget it");
    }
}
