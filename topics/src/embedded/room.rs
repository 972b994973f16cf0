//! Room for what is still to come of the commands that the log has taken.
//!
//! A log that is full of commands nobody has decided could never get out of that state: their decisions are appended to
//! the same log, and it can forget nothing that a processor still has to read. So new commands are refused before the
//! log is full, and what is left is kept for the rest. How much each command leads to is not known before it is decided:
//! an order of real baskets comes to about seven times the bytes of its command, in events, messages and replies, so
//! [`OWED_PER_BYTE`] bytes are kept for each byte that is not decided. Where that is too little, as for cancellations of
//! very large orders, processors store snapshots of what they have decided so far, and retention makes room behind them.

use std::{collections::VecDeque, sync::Arc};

use orderflow_schemas::Topic;

use super::{
    admission::{Admission, Next},
    shared::Shared,
};

/// How many bytes are kept for each byte of a command that is not decided.
const OWED_PER_BYTE: u64 = 16;
/// How many appends of a partition are told apart; of more, neighbours become one.
const ENTRIES_MAX: usize = 1024;

/// The commands of a partition that were accepted since the log was opened and are not decided.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    /// For each append the offset after it and its bytes, in the order of the offsets.
    appends: VecDeque<(u64, u64)>,
}

impl Undecided {
    /// Commands were accepted; the partition now ends at `end`.
    pub(super) fn add(&mut self, end: u64, bytes: u64) {
        if self.appends.len() == ENTRIES_MAX {
            let halves = self.appends.make_contiguous().chunks(2);
            self.appends = halves
                .map(|pair| (pair[pair.len() - 1].0, pair.iter().map(|(_, bytes)| bytes).sum()))
                .collect();
        }
        self.appends.push_back((end, bytes));
    }

    /// Commands before `next` are decided; answers how many bytes they had.
    pub(super) fn decide(&mut self, next: u64) -> u64 {
        let mut decided = 0;
        while let Some((_, bytes)) = self.appends.pop_front_if(|(end, _)| *end <= next) {
            decided += bytes;
        }
        decided
    }
}

/// Whether a topic holds commands.
pub(super) fn holds_commands(topic: Topic) -> bool {
    matches!(topic, Topic::OrdersCommands | Topic::StockCommands)
}

impl Shared {
    /// Why new commands of `size` bytes must not be taken, if they must not.
    pub(super) fn refuses_new(&self, admission: &Admission, size: usize) -> Option<Arc<str>> {
        let room = self.room(admission)?;
        let undecided = self.undecided_bytes() + size as u64;
        let kept = self.settings.append_limit() as u64 + OWED_PER_BYTE * undecided;
        (room < kept).then(|| {
            format!("the last {room} bytes are kept for the decisions on {undecided} bytes of commands")
                .into()
        })
    }

    /// How many bytes the log can still take; `None` if as many as the disk has.
    fn room(&self, admission: &Admission) -> Option<u64> {
        let left = admission.active.limit().saturating_sub(admission.tail);
        let next = match &admission.next {
            // The next segment could not be allocated: the active one is all there is.
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
