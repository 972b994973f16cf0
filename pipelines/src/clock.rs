//! The wall clock and fresh names: the two things the core must be given.

use std::time::{Duration, SystemTime};

use orderflow_schemas::{Source, Timestamp};

/// The present.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How long until `time`; zero when it has passed.
pub fn until(time: Timestamp) -> Duration {
    let micros = time.as_micros().saturating_sub(now().as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A name for a source that no process has had before: 64 random bits.
pub fn new_source(what: &str) -> Source {
    let random = uuid::Uuid::new_v4().as_u128() as u64;
    Source::new(format!("{what}-{random:016x}")).expect("a word, a dash and hex digits are a name")
}
