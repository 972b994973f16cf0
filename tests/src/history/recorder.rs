//! Writing down what clients ask and are told, in one order.
//!
//! The clock counts: a request gets a number before it is sent and its answer one after it has come, so of two
//! requests one was over before the other began exactly if the numbers say so.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Entry, Operation, Outcome};
use crate::Answer;

/// All that clients asked and were told.
#[derive(Debug, Default)]
pub struct History {
    clock: AtomicU64,
    entries: Mutex<Vec<Entry>>,
}

impl History {
    /// Sends a request for a client and writes it down with its answer.
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

    /// The next moment.
    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// How many requests are over.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there was such a request.
    pub fn has(&self, is_it: impl FnMut(&Entry) -> bool) -> bool {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter().any(is_it)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All requests, in the order they were invoked.
    pub fn into_entries(self) -> Vec<Entry> {
        let mut entries = self.entries.into_inner().unwrap_or_else(PoisonError::into_inner);
        entries.sort_by_key(|entry| entry.invoked);
        entries
    }
}
