//! Waiting for a condition.

use std::time::{Duration, Instant};

/// How long a condition may take to come true: far longer than on a slow and busy machine. Only a test that fails waits
/// so long.
const DEADLINE: Duration = Duration::from_secs(600);
/// How long to leave others the processor between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until `look` finds something; panics, naming `what`, when it never does.
#[track_caller]
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} in vain until {what}");
        std::thread::sleep(PAUSE);
    }
}
