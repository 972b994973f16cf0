//! The places of connections: a bounded number of ordinary places, and a reserve for the connections that find none.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::slot::Slot;
use crate::telemetry::metrics::{CONNECTIONS, CONNECTIONS_CUT};

/// How long a request on a reserved connection waits for an ordinary place.
const PLACE_WITHIN: Duration = Duration::from_secs(5);

/// All open connections and their places.
pub struct Places {
    started: Instant,
    accepted: AtomicU64,
    open: Mutex<HashMap<u64, Slot>>,
    ordinary: Arc<Semaphore>,
    /// The reserved connections without a complete request head, oldest first.
    reserve: Mutex<VecDeque<Slot>>,
    reserve_max: usize,
    /// Permits for requests on reserved connections to wait for an ordinary place.
    may_wait: Semaphore,
    /// One of those at a time takes the next place, so that each closes one connection at most.
    turn: Semaphore,
    /// Whether a request waits for a connection to become idle.
    wanted: AtomicBool,
    became_idle: Notify,
}

impl Places {
    /// At most `ordinary` ordinary places, and `reserve_max` in the reserve.
    pub fn new(ordinary: usize, reserve_max: usize) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            accepted: AtomicU64::new(0),
            open: Mutex::default(),
            ordinary: Arc::new(Semaphore::new(ordinary)),
            reserve: Mutex::default(),
            reserve_max,
            may_wait: Semaphore::new(reserve_max),
            turn: Semaphore::new(1),
            wanted: AtomicBool::new(false),
            became_idle: Notify::new(),
        })
    }

    /// The slot of a new connection. It has an ordinary place if one is free; otherwise it is in the reserve.
    pub(super) fn add(self: &Arc<Self>) -> Slot {
        let place = self.ordinary.clone().try_acquire_owned().ok();
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        let slot = Slot::new(number, place, self.clone());
        self.open.lock().expect("nothing panics under it").insert(number, slot.clone());
        if !slot.has_place() {
            self.reserve(&slot);
        }
        slot
    }

    /// Puts a connection into the reserve. The oldest one leaves if there are too many.
    fn reserve(&self, slot: &Slot) {
        let mut reserve = self.reserve.lock().expect("nothing panics under it");
        reserve.push_back(slot.clone());
        if reserve.len() > self.reserve_max
            && let Some(oldest) = reserve.pop_front()
        {
            metrics::counter!(CONNECTIONS_CUT.name, "reason" => "reserve-full").increment(1);
            oldest.evict();
        }
    }

    /// Takes a connection out of the reserve: its request head is complete, or it has ended.
    fn unreserve(&self, number: u64) {
        self.reserve.lock().expect("nothing panics under it").retain(|slot| slot.number() != number);
    }

    pub(super) fn remove(&self, number: u64) {
        let removed = self.open.lock().expect("nothing panics under it").remove(&number);
        if removed.is_some_and(|slot| !slot.has_place()) {
            self.unreserve(number);
        }
    }

    /// Reports the gauge of open connections.
    pub fn report_gauge(&self) {
        let open = self.open.lock().expect("nothing panics under it").len();
        metrics::gauge!(CONNECTIONS.name).set(open as f64);
    }

    /// An ordinary place for a reserved connection whose request head is complete; `None` if there is none in time, or
    /// if too many wait already.
    pub(super) async fn wait_for_place(&self, slot: &Slot) -> Option<OwnedSemaphorePermit> {
        self.unreserve(slot.number());
        let _may_wait = self.may_wait.try_acquire().ok()?;
        tokio::time::timeout(PLACE_WITHIN, self.place()).await.ok()
    }

    /// An ordinary place: a free one, or the place of an idle connection, which is closed for it.
    async fn place(&self) -> OwnedSemaphorePermit {
        let _turn = self.turn.acquire().await.expect("the semaphore is never closed");
        let free = self.ordinary.clone().acquire_owned();
        tokio::pin!(free);
        let place = tokio::select! {
            biased;
            place = &mut free => place,
            () = self.close_longest_idle() => free.await,
        };
        place.expect("the semaphore is never closed")
    }

    /// Closes the connection that has been idle longest. Waits for an idle connection if there is none.
    async fn close_longest_idle(&self) {
        // From now on, a connection that becomes idle sends a notification.
        let _wanted = Wanted::new(&self.wanted);
        while !self.longest_idle().is_some_and(|slot| slot.close()) {
            self.became_idle.notified().await;
        }
    }

    fn longest_idle(&self) -> Option<Slot> {
        let open = self.open.lock().expect("nothing panics under it");
        let idle = open.values().filter_map(|slot| Some((slot.idle_since()?, slot)));
        idle.min_by_key(|(since, _)| *since).map(|(_, slot)| slot.clone())
    }

    /// Takes note that a connection has become idle.
    pub(super) fn one_is_idle(&self) {
        if self.wanted.load(Ordering::SeqCst) {
            self.became_idle.notify_one();
        }
    }

    /// Nanoseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Lets all connections end once their requests are answered.
    pub(super) fn finish_all(&self) {
        for slot in self.open.lock().expect("nothing panics under it").values() {
            slot.finish();
        }
    }
}

/// Says that a request waits for a connection to become idle, until it is dropped.
struct Wanted<'a>(&'a AtomicBool);

impl<'a> Wanted<'a> {
    fn new(wanted: &'a AtomicBool) -> Self {
        wanted.store(true, Ordering::SeqCst);
        Self(wanted)
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
