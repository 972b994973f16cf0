//! Compares the kept snapshots of a processor: each must equal the fold of the log at its offset.
//!
//! Snapshots are compared as books and not as bytes, because a snapshot's bytes depend on the order of a hash map. A
//! snapshot is decoded only when the fold reaches its offset. Memory therefore holds one more state than the
//! processor needs, however many snapshots are kept.

use std::{collections::VecDeque, ops::Range};

use anyhow::Result;
use orderflow_processors::State;
use orderflow_runner::processing::{Book, Snapshots};
use orderflow_schemas::{Offset, TopicPartition};

use super::Report;

/// The snapshots of a processor that the fold has not reached yet, oldest first.
#[derive(Debug)]
pub(super) struct KeptSnapshots {
    snapshots: Snapshots,
    input: TopicPartition,
    waiting: VecDeque<Offset>,
    /// Where the last compared snapshot continues in the events, and the snapshot's offset. The next event must not
    /// be before that place.
    resumes: Option<(Offset, Offset)>,
}

impl KeptSnapshots {
    /// The snapshots of the processor of `input`.
    pub(super) fn new(snapshots: Snapshots, input: TopicPartition) -> Result<Self> {
        let waiting = snapshots.list()?.into();
        Ok(Self { snapshots, input, waiting, resumes: None })
    }

    /// The oldest snapshot from which the fold can continue in a log with these ranges of commands and events.
    pub(super) fn start<S: State>(
        &mut self,
        commands: &Range<Offset>,
        events: &Range<Offset>,
        report: &mut Report,
    ) -> Result<Option<Book<S>>> {
        while let Some(offset) = self.waiting.pop_front() {
            let Some(book) = self.read::<S>(offset, report)? else { continue };
            if book.input_next >= commands.start && book.events_next >= events.start {
                return Ok(Some(book));
            }
            report.unchecked += 1;
        }
        Ok(None)
    }

    /// Compares the snapshots up to this point of the fold.
    pub(super) fn meet<S: State + PartialEq>(
        &mut self,
        fold: &Book<S>,
        events_next: Offset,
        report: &mut Report,
    ) -> Result<()> {
        while self.waiting.front().is_some_and(|offset| *offset <= fold.input_next) {
            let Some(offset) = self.waiting.pop_front() else { break };
            let Some(book) = self.read::<S>(offset, report)? else { continue };
            match difference(&book, fold, events_next) {
                Some(part) => {
                    let path = self.snapshots.location(offset);
                    report
                        .differences
                        .add(|| format!("damaged snapshot {}: its {part} is not the fold of the log", path));
                }
                None => {
                    report.snapshots += 1;
                    self.resumes = Some((book.events_next, offset));
                }
            }
        }
        Ok(())
    }

    /// Takes note that the next event is at `offset`. A snapshot that continues after that offset would lose the
    /// event.
    pub(super) fn pass(&mut self, offset: Offset, report: &mut Report) {
        let Some((resumes, topic_partition)) = self.resumes.take() else { return };
        if resumes > offset {
            let path = self.snapshots.location(topic_partition);
            report.differences.add(|| {
                format!("damaged snapshot {path}: it goes on at event offset {resumes}, past the event at {offset}")
            });
        }
    }

    /// Reports the snapshots that the fold never reaches, because the log ends at `end`.
    pub(super) fn finish<S: State>(mut self, end: Offset, report: &mut Report) -> Result<()> {
        while let Some(offset) = self.waiting.pop_front() {
            if self.read::<S>(offset, report)?.is_none() {
                continue;
            }
            let (path, input) = (self.snapshots.location(offset), self.input);
            report.differences.add(|| {
                format!("damaged snapshot {path}: it is ahead of the log, which decides {input} up to offset {end}")
            });
        }
        Ok(())
    }

    /// Reads the book of a snapshot. If that is impossible, reports the damage and returns `None`.
    fn read<S: State>(&self, offset: Offset, report: &mut Report) -> Result<Option<Book<S>>> {
        let path = self.snapshots.location(offset);
        let why = match self.snapshots.read::<S>(offset)? {
            Ok(book) if book.input_next != offset => format!("it is of offset {}", book.input_next),
            Ok(book) => match book.state.check() {
                Ok(()) => return Ok(Some(book)),
                Err(why) => why,
            },
            Err(why) => why,
        };
        report.differences.add(|| format!("damaged snapshot {}: {why}", path));
        Ok(None)
    }
}

/// The part in which a snapshot differs from the fold; `None` if they are equal. A snapshot may continue anywhere
/// after the last new event, since repeats change nothing.
fn difference<S: PartialEq>(snapshot: &Book<S>, fold: &Book<S>, events_next: Offset) -> Option<&'static str> {
    let parts = [
        ("offset of the next command", snapshot.input_next == fold.input_next),
        ("number of the last event", snapshot.event_number == fold.event_number),
        ("offset of the next event", snapshot.events_next >= events_next),
        ("number of messages", snapshot.sent == fold.sent),
        ("memory of sources", snapshot.sources == fold.sources),
        ("state", snapshot.state == fold.state),
    ];
    parts.into_iter().find(|(_, same)| !same).map(|(part, _)| part)
}
