//! A store's checkpoint, and the log it was filled from, against the log.

use anyhow::Result;
use orderflow_feed::PartitionCheckpoint;
use orderflow_schemas::{LogId, Offset, RawRecord, RecordHeader, Topic, TopicPartition};
use orderflow_sinks::Checkpoint;
use orderflow_topics::{Topics, Visibility, partitions_of};

use crate::Differences;

/// How many repeats are passed over to find the last event.
const REPEATS_MAX: usize = 1_000;

/// A store must show this log. One that nothing was written to shows none.
pub(crate) fn compare_log(name: &str, log: &LogId, stored: Option<&LogId>, differences: &mut Differences) {
    if let Some(stored) = stored.filter(|stored| *stored != log) {
        differences.add(|| format!("the {name} was filled from the log {stored}, and this is the log {log}"));
    }
}

/// The checkpoint must stand in the log, behind the event whose number it has.
pub(crate) async fn compare_checkpoint(
    name: &str,
    topics: &dyn Topics,
    checkpoint: &Checkpoint,
    differences: &mut Differences,
) -> Result<()> {
    for topic in [Topic::OrdersEvents, Topic::StockEvents] {
        for at in partitions_of(topics, topic) {
            compare_partition(name, topics, at, checkpoint.partition(at), differences).await?;
        }
    }
    Ok(())
}

async fn compare_partition(
    name: &str,
    topics: &dyn Topics,
    at: TopicPartition,
    progress: PartitionCheckpoint,
    differences: &mut Differences,
) -> Result<()> {
    let bounds = topics.bounds(at, Visibility::Accepted).await?;
    if progress.next > bounds.end {
        let (next, end) = (progress.next, bounds.end);
        differences.add(|| {
            format!(
                "the {name}'s checkpoint of {at} is {next}, beyond the log's end {end}: the {name} is ahead of \
                 the log, which has lost events, or was copied before the {name} and not after it"
            )
        });
        return Ok(());
    }
    if progress.next < bounds.start {
        let (next, start) = (progress.next, bounds.start);
        differences.add(|| {
            format!(
                "the {name}'s checkpoint of {at} is {next}, but the log begins at {start}: events are missing"
            )
        });
        return Ok(());
    }
    if progress.unreadable == 0
        && let Some(number) = number_before(topics, at, bounds.start, progress).await?
        && number != progress.number
    {
        let had = progress.number;
        differences.add(|| format!("the {name}'s checkpoint of {at} has number {had}, the log has {number}"));
    }
    Ok(())
}

/// The number of the last event before the mark. The last records may be repeats, which have lower numbers; then it
/// stands a little before them. `None` if there is none, or one that cannot be read, which is found elsewhere.
async fn number_before(
    topics: &dyn Topics,
    at: TopicPartition,
    start: Offset,
    progress: PartitionCheckpoint,
) -> Result<Option<u64>> {
    let mut last = None;
    for offset in (start.0..progress.next.0).rev().take(REPEATS_MAX) {
        let chunk = topics.read(at, Offset(offset), 1, Visibility::Accepted).await?;
        let Some(record) = chunk.records.first() else { break };
        let Ok(RawRecord { header: RecordHeader { number, .. }, .. }) = RawRecord::decode(record) else {
            break;
        };
        last = last.max(Some(number));
        if number >= progress.number {
            break;
        }
    }
    Ok(last)
}
