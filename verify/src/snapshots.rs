//! The kept snapshots of a processor: each must equal the fold of the log at its offset.
//!
//! They are compared as books, not as bytes: a snapshot's bytes depend on the order of a hash map. A snapshot is
//! decoded only when the fold has come to it, so one more state is in memory than the processor needs, however many
//! snapshots are kept.

use std::{collections::VecDeque, ops::Range};

use anyhow::Result;
use orderflow_processors::State;
use orderflow_runner::processing::{Book, Snapshots};
use orderflow_schemas::{Offset, TopicPartition};

use super::Report;

/// The snapshots of a processor that the fold has not come to yet, oldest first.
#[derive(Debug)]
pub(super) struct KeptSnapshots {
    snapshots: Snapshots,
    input: TopicPartition,
    waiting: VecDeque<Offset>,
    /// Where the last one goes on in the events, and its offset: the next event must not lie before.
    resumes: Option<(Offset, Offset)>,
}

impl KeptSnapshots {
    /// The snapshots of the processor of `input`.
    pub(super) fn new(snapshots: Snapshots, input: TopicPartition) -> Result<Self> {
        let waiting = snapshots.list()?.into();
        Ok(Self { snapshots, input, waiting, resumes: None })
    }

    /// The oldest snapshot from which the fold can go on in a log that has these commands and events.
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

    /// Compares the snapshot at this point of the fold, if there is one.
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

    /// Notes that the next event stands at `offset`: a snapshot that goes on behind it would lose it.
    pub(super) fn pass(&mut self, offset: Offset, report: &mut Report) {
        let Some((resumes, at)) = self.resumes.take() else { return };
        if resumes > offset {
            let path = self.snapshots.location(at);
            report.differences.add(|| {
                format!("damaged snapshot {path}: it goes on at event offset {resumes}, past the event at {offset}")
            });
        }
    }

    /// Names those that the fold never comes to.
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

    /// The book of a snapshot; `None`, and the damage named, if it cannot be read.
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

/// Which part of a snapshot differs from the fold. In the events a snapshot may stand anywhere behind the last one,
/// since repeats change nothing.
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
