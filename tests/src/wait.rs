//! Waits for a condition.

use std::time::{Duration, Instant};

/// The longest wait for a condition, far longer than on a slow and busy machine. Only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(600);
/// The pause between two checks, which leaves the processor to others.
const PAUSE: Duration = Duration::from_millis(2);

/// Calls `look` until it returns a value. Panics with `what` if it never does.
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
