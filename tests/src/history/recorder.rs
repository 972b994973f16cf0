//! Records the requests of clients and their answers in one order.
//!
//! The clock is a counter. A request gets a number before it is sent, and its answer gets a number after it has
//! arrived. One request was over before another began exactly if its second number is smaller than the other's first
//! number.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Entry, Operation, Outcome};
use crate::Answer;

/// All requests and answers of a run.
#[derive(Debug, Default)]
pub struct History {
    clock: AtomicU64,
    entries: Mutex<Vec<Entry>>,
}

impl History {
    /// Sends a request for a client and records it with its answer. Returns the entry and, if one arrived, the
    /// response.
    pub fn record(
        &self,
        client: usize,
        key: Option<String>,
        operation: Operation,
        send: impl FnOnce() -> io::Result<Answer>,
    ) -> (Entry, Option<Answer>) {
        let invoked = self.now();
        let answer = send().ok();
        let completed = self.now();
        let outcome = answer.as_ref().map_or(Outcome::Unknown, |answer| Outcome::of(&operation, answer));
        let entry = Entry { client, key, operation, invoked, completed, outcome };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
        (entry, answer)
    }

    /// The next number of the clock.
    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// The number of recorded requests.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether a recorded request satisfies the condition.
    pub fn has(&self, is_it: impl FnMut(&Entry) -> bool) -> bool {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter().any(is_it)
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All recorded requests, in the order in which they were invoked.
    pub fn into_entries(self) -> Vec<Entry> {
        let mut entries = self.entries.into_inner().unwrap_or_else(PoisonError::into_inner);
        entries.sort_by_key(|entry| entry.invoked);
        entries
    }
}
