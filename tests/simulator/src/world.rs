//! Simulated time and names, which the loops get as their [`World`].
//!
//! There are two clocks. The first never goes back and moves only when the simulation moves it. The wall clock is the
//! first clock plus a shift, which jumps. Sleepers wake in the order of their deadlines.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use orderflow_schemas::Timestamp;
use orderflow_world::{Instant, Task, World};

use crate::executor::Spawned;

/// The wall clock at the start of every run: 2026-01-01, in microseconds since 1970.
const START_MICROS: i64 = 1_767_225_600_000_000;

/// The simulated world. Clones share it.
#[derive(Clone)]
pub struct SimWorld {
    state: Arc<Mutex<State>>,
    spawned: Spawned,
}

struct State {
    instant: Instant,
    shift_micros: i64,
    sleepers: BTreeMap<(Instant, u64), Option<Waker>>,
    last_sleeper: u64,
    names: fastrand::Rng,
}

impl SimWorld {
    /// A world whose unique names come from `seed`. Spawned tasks are added to `spawned`.
    pub fn new(seed: u64, spawned: Spawned) -> Self {
        let state = State {
            instant: Instant::ZERO,
            shift_micros: START_MICROS,
            sleepers: BTreeMap::new(),
            last_sleeper: 0,
            names: fastrand::Rng::with_seed(seed),
        };
        Self { state: Arc::new(Mutex::new(state)), spawned }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The earliest deadline of all sleepers.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.lock().sleepers.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Advances both clocks and wakes the sleepers whose deadline has passed.
    pub fn advance_to(&self, instant: Instant) {
        let mut state = self.lock();
        state.instant = state.instant.max(instant);
        let now = state.instant;
        let later = state.sleepers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().flatten().for_each(Waker::wake);
    }

    /// Moves only the wall clock, forward or back.
    pub fn jump(&self, seconds: i64) {
        self.lock().shift_micros += seconds * 1_000_000;
    }

    /// The wall clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.now().as_micros() / 1000).unwrap_or(0)
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let mut state = self.lock();
        state.last_sleeper += 1;
        let key = (deadline, state.last_sleeper);
        state.sleepers.insert(key, None);
        Sleep { world: self.clone(), key }
    }
}

impl World for SimWorld {
    fn now(&self) -> Timestamp {
        let state = self.lock();
        Timestamp::from_micros(
            state.shift_micros + i64::try_from(state.instant.as_micros()).unwrap_or(i64::MAX),
        )
    }

    fn instant(&self) -> Instant {
        self.lock().instant
    }

    fn sleep(&self, pause: Duration) -> Task {
        Box::pin(self.sleep_until(self.instant() + pause))
    }

    fn nonce(&self) -> u64 {
        self.lock().names.u64(..)
    }

    fn spawn(&self, task: Task) {
        self.spawned.push(task);
    }
}

struct Sleep {
    world: SimWorld,
    key: (Instant, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.lock();
        let now = state.instant;
        match state.sleepers.get_mut(&self.key) {
            Some(waker) if self.key.0 > now => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.world.lock().sleepers.remove(&self.key);
    }
}
