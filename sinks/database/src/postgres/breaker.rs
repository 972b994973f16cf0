//! A circuit breaker: while the server is unavailable, reads fail at once instead of waiting for it one by one.
//!
//! Closed, it counts consecutive failures. Open, it refuses all calls for a while; then it lets exactly one call
//! through, and the outcome of that call closes or opens it again. Existing crates were considered; they let all calls
//! through when they try again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The circuit breaker of one server. Clones share its state.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: Arc<Mutex<State>>,
    failures_max: u32,
    open: Duration,
}

#[derive(Debug)]
struct State {
    /// The number of failures since the last success.
    failures: u32,
    /// When the breaker is open, the time at which the next call may try. `None` when it is closed.
    retry_at: Option<Instant>,
    /// Whether a call is trying at the moment.
    trying: bool,
}

/// A call that was let through. If it is dropped without an outcome, it counts as neither success nor failure.
#[derive(Debug)]
pub(super) struct Call {
    breaker: Breaker,
    is_trial: bool,
}

impl Breaker {
    pub(super) fn new(failures_max: u32, open: Duration) -> Self {
        let state = State { failures: 0, retry_at: None, trying: false };
        Self { state: Arc::new(Mutex::new(state)), failures_max: failures_max.max(1), open }
    }

    /// Lets a call through, or returns how long to wait.
    pub(super) fn call(&self, now: Instant) -> Result<Call, Duration> {
        let mut state = self.lock();
        let Some(retry_at) = state.retry_at else {
            return Ok(Call { breaker: self.clone(), is_trial: false });
        };
        if now < retry_at {
            return Err(retry_at - now);
        }
        if state.trying {
            return Err(self.open);
        }
        state.trying = true;
        Ok(Call { breaker: self.clone(), is_trial: true })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values stay consistent even if a holder of the lock panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Reports that the server answered, even if with an error.
    pub(super) fn succeeded(self) {
        let mut state = self.breaker.lock();
        // A late answer to a call from before the failures does not mean that the server is back.
        if self.is_trial || state.retry_at.is_none() {
            (state.failures, state.retry_at) = (0, None);
        }
    }

    /// Reports that the server could not be reached.
    pub(super) fn failed(self, now: Instant) {
        let mut state = self.breaker.lock();
        state.failures = state.failures.saturating_add(1);
        if self.is_trial || (state.retry_at.is_none() && state.failures >= self.breaker.failures_max) {
            state.retry_at = Some(now + self.breaker.open);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.lock().trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Duration = Duration::from_secs(1);

    fn opened() -> (Breaker, Instant) {
        let (breaker, now) = (Breaker::new(2, OPEN), Instant::now());
        for _ in 0..2 {
            breaker.call(now).unwrap().failed(now);
        }
        (breaker, now)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let (breaker, now) = (Breaker::new(2, OPEN), Instant::now());
        for _ in 0..5 {
            breaker.call(now).unwrap().failed(now);
            breaker.call(now).unwrap().succeeded();
        }
        for _ in 0..2 {
            breaker.call(now).unwrap().failed(now);
        }
        assert_eq!(breaker.call(now).unwrap_err(), OPEN);
    }

    #[test]
    fn open_it_lets_one_call_try_and_closes_when_that_succeeds() {
        let (breaker, now) = opened();
        assert_eq!(breaker.call(now).unwrap_err(), OPEN);
        let trial = breaker.call(now + OPEN).unwrap();
        assert_eq!(breaker.call(now + OPEN).unwrap_err(), OPEN, "only one tries");
        trial.succeeded();
        breaker.call(now + OPEN).unwrap().failed(now + OPEN);
        assert!(breaker.call(now + OPEN).is_ok(), "failures count from none again");
    }

    #[test]
    fn a_failed_trial_opens_it_again_and_a_dropped_one_lets_the_next_try() {
        let (breaker, now) = opened();
        breaker.call(now + OPEN).unwrap().failed(now + OPEN);
        assert_eq!(breaker.call(now + OPEN).unwrap_err(), OPEN);
        drop(breaker.call(now + 2 * OPEN).unwrap());
        assert!(breaker.call(now + 2 * OPEN).is_ok());
    }

    #[test]
    fn a_late_success_from_before_does_not_close_it() {
        let (breaker, now) = (Breaker::new(1, OPEN), Instant::now());
        let early = breaker.call(now).unwrap();
        breaker.call(now).unwrap().failed(now);
        early.succeeded();
        assert!(breaker.call(now).is_err());
    }
}
