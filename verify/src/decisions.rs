//! Runs a processor again: the same commands must give the same bytes of events and messages as in the log.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use orderflow_processors::Processor;
use orderflow_runner::processing::{Book, Output, Snapshots};
use orderflow_schemas::{Offset, Partition, Source, TopicPartition};
use orderflow_topics::{Topics, Visibility};

use super::{
    Report,
    messages::{SequenceDigest, SequenceDigests},
    records::Records,
    snapshots::KeptSnapshots,
    written::{Written, WrittenEvent},
};

/// The result of deciding a partition's commands again.
pub(super) struct Decided<S> {
    /// The partition of commands that was decided.
    pub(super) input: TopicPartition,
    /// The state at the end; `None` if the run stopped at a difference or had no place to begin.
    pub(super) state: Option<S>,
    /// Whether the input was decided from its first command to its last.
    pub(super) whole: bool,
    /// Digests of the messages that the commands lead to, by source and receiving partition.
    pub(super) sent: SequenceDigests,
    /// The digest of the offsets of the commands that could not be read.
    pub(super) letters: SequenceDigest,
    pub(super) report: Report,
}

/// Decides the commands of one partition again, up to where its events end.
pub(super) async fn decide_again<P>(
    topics: Arc<dyn Topics>,
    processor: P,
    partition: Partition,
    snapshots: Snapshots,
) -> Result<Decided<P::State>>
where
    P: Processor,
    P::State: PartialEq,
{
    let side = |topic| TopicPartition { topic, partition };
    let (input, events) = (side(P::INPUT), side(P::EVENTS));
    let (mut report, mut kept) = (Report::default(), KeptSnapshots::new(snapshots, input)?);
    let commands = topics.bounds(input, Visibility::Accepted).await?;
    let bounds = topics.bounds(events, Visibility::Accepted).await?;
    let book = if commands.start == Offset::ZERO && bounds.start == Offset::ZERO {
        Some(Book::new(topics.partitions(P::MESSAGES)))
    } else {
        kept.start(&commands, &bounds, &mut report)?
    };
    let Some(book) = book else {
        let start = commands.start;
        report.differences.add(|| {
            format!("{input} begins at offset {start}, and no snapshot that can be read goes on from there")
        });
        let (sent, letters) = (SequenceDigests::new(), SequenceDigest::default());
        return Ok(Decided { input, state: None, whole: false, sent, letters, report });
    };
    let records = Records::new(topics.clone(), input, book.input_next).await?;
    let written = Written::new(topics, events, book.events_next, book.event_number).await?;
    let (sent, letters, whole) = (SequenceDigests::new(), SequenceDigest::default(), !records.trimmed);
    Rerun { processor, input, events, book, written, kept, sent, letters, report }.run(records, whole).await
}

/// A run of a processor over a partition, compared with the log event by event.
struct Rerun<P: Processor> {
    processor: P,
    input: TopicPartition,
    events: TopicPartition,
    book: Book<P::State>,
    written: Written,
    kept: KeptSnapshots,
    sent: SequenceDigests,
    letters: SequenceDigest,
    report: Report,
}

impl<P: Processor> Rerun<P>
where
    P::State: PartialEq,
{
    async fn run(mut self, mut commands: Records, whole: bool) -> Result<Decided<P::State>> {
        let mut followed = true;
        let mut decided = self.book.input_next;
        while followed && let Some((offset, command)) = commands.next().await? {
            self.report.records += 1;
            followed = self.step(offset, &command).await?;
            if followed && !self.written.ended {
                decided = self.book.input_next;
                self.kept.meet(&self.book, self.written.next, &mut self.report)?;
            }
        }
        if followed && let Some(WrittenEvent { offset, .. }) = self.written.next(&mut self.report).await? {
            let events = self.events;
            self.report
                .differences
                .add(|| format!("{events} offset {offset}: an event that no command leads to"));
        }
        // After a decision that differs, there is no state to compare snapshots with.
        if followed {
            self.kept.finish::<P::State>(decided, &mut self.report)?;
        }
        let Self { input, book, sent, letters, report, .. } = self;
        let state = followed.then_some(book.state);
        Ok(Decided { input, state, whole: whole && followed, sent, letters, report })
    }

    /// Decides one command and compares its events. Returns `false` if the log differs.
    async fn step(&mut self, offset: Offset, command: &Bytes) -> Result<bool> {
        let mut output = Output::default();
        let decided = self.book.decide(&self.processor, self.input.partition, offset, command, &mut output);
        if let Err(error) = decided {
            self.report.differences.add(|| error.to_string());
            return Ok(false);
        }
        for event in &output.events {
            let expected = self.written.number + 1;
            let Some(there) = self.written.next(&mut self.report).await? else {
                self.report.undecided += 1;
                return Ok(true);
            };
            self.kept.pass(there.offset, &mut self.report);
            if there.bytes != *event {
                self.differ(&there, event, expected);
                return Ok(false);
            }
            self.report.records += 1;
        }
        if !self.written.ended {
            self.note(&output);
        }
        Ok(true)
    }

    /// Reports the first event that differs from the one that its command leads to.
    fn differ(&mut self, there: &WrittenEvent, again: &[u8], expected: u64) {
        let (events, offset) = (self.events, there.offset);
        self.report.differences.add(|| match there.number {
            Some(found) if found != expected => {
                format!("{events} offset {offset}: events jump to number {found}, expected {expected}")
            }
            _ => {
                let (there, again) = (String::from_utf8_lossy(&there.bytes), String::from_utf8_lossy(again));
                format!("{events} offset {offset}: the log has {there}, deciding again gives {again}")
            }
        });
    }

    /// Counts the unreadable commands and messages that the command has led to.
    fn note(&mut self, output: &Output) {
        for (offset, _, _) in &output.unreadable {
            self.report.unreadable += 1;
            self.letters.add(&offset.0.to_le_bytes());
        }
        for (to, messages) in (0..).map(Partition).zip(&output.messages) {
            if messages.is_empty() {
                continue;
            }
            let to = TopicPartition { topic: P::MESSAGES, partition: to };
            let digest = self.sent.entry((Source::processor(self.input), to)).or_default();
            messages.iter().for_each(|message| digest.add(message));
        }
    }
}
