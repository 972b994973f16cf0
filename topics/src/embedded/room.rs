//! Space reserved for what still follows from commands that the log has accepted.
//!
//! A log full of undecided commands could never recover: their decisions are appended to the same log, and it cannot
//! remove anything that a processor still has to read. New commands are therefore refused before the log is full, and
//! the rest of the space is reserved. How much a command leads to is not known before it is decided. An order with a
//! realistic basket leads to about seven times the bytes of its command, in events, messages and replies.
//! [`OWED_PER_BYTE`] bytes are therefore reserved for each undecided byte. That can be too little, for example for
//! cancellations of very large orders. Processors then store snapshots of what they have decided so far, and retention
//! frees space behind them.

use std::{collections::VecDeque, sync::Arc};

use orderflow_schemas::Topic;

use super::{
    admission::{Admission, Next},
    shared::Shared,
};

/// The bytes reserved for each byte of an undecided command.
const OWED_PER_BYTE: u64 = 16;
/// How many appends of a partition are counted separately; beyond that, neighbouring entries are merged in pairs.
const ENTRIES_MAX: usize = 1024;

/// The commands of a partition that were accepted since the log was opened and are not decided yet.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    /// The offset after each append and the append's size in bytes, in the order of the offsets.
    appends: VecDeque<(u64, u64)>,
}

impl Undecided {
    /// Counts an append of `bytes` bytes of commands, after which the partition ends at `end`.
    pub(super) fn add(&mut self, end: u64, bytes: u64) {
        if self.appends.len() == ENTRIES_MAX {
            let halves = self.appends.make_contiguous().chunks(2);
            self.appends = halves
                .map(|pair| (pair[pair.len() - 1].0, pair.iter().map(|(_, bytes)| bytes).sum()))
                .collect();
        }
        self.appends.push_back((end, bytes));
    }

    /// Removes the appends whose commands are all before `next`, and returns their size in bytes.
    pub(super) fn decide(&mut self, next: u64) -> u64 {
        let mut decided = 0;
        while let Some((_, bytes)) = self.appends.pop_front_if(|(end, _)| *end <= next) {
            decided += bytes;
        }
        decided
    }
}

/// Whether the records of the topic are commands.
pub(super) fn holds_commands(topic: Topic) -> bool {
    matches!(topic, Topic::OrdersCommands | Topic::StockCommands)
}

impl Shared {
    /// The reason to refuse new commands of `size` bytes, or `None` if there is space for them.
    pub(super) fn refuses_new(&self, admission: &Admission, size: usize) -> Option<Arc<str>> {
        let room = self.room(admission)?;
        let undecided = self.undecided_bytes() + size as u64;
        let kept = self.settings.append_limit() as u64 + OWED_PER_BYTE * undecided;
        (room < kept).then(|| {
            format!("the last {room} bytes are kept for the decisions on {undecided} bytes of commands")
                .into()
        })
    }

    /// How many bytes the log can still accept; `None` if only the disk limits it.
    fn room(&self, admission: &Admission) -> Option<u64> {
        let left = admission.active.limit().saturating_sub(admission.tail);
        let next = match &admission.next {
            // The next segment could not be allocated, so only the active one has space.
            Next::Failed => return Some(left),
            Next::Wanted => 0,
            Next::Ready(next) => next.length,
        };
        let allocated = self.size().1 + next;
        let allocatable = self.settings.bytes_max?.saturating_sub(allocated);
        let length = self.settings.segment_bytes;
        Some(left + next + allocatable / length * length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_decided_is_counted_however_many_appends_there_are() {
        let mut undecided = Undecided::default();
        for end in 1..=5_000 {
            undecided.add(end, 10);
        }
        assert!(undecided.appends.len() <= ENTRIES_MAX);
        let mut decided = 0;
        for next in (0..=5_000).step_by(7).chain([5_000, 5_000]) {
            decided += undecided.decide(next);
            assert!(decided <= next * 10, "nothing counts as decided before it is");
        }
        assert_eq!(decided, 50_000);
    }
}
