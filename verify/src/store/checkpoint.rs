//! Compares a store's checkpoint, and the id of its log, with the log.

use anyhow::Result;
use orderflow_feed::PartitionCheckpoint;
use orderflow_schemas::{LogId, Offset, RawRecord, RecordHeader, Topic, TopicPartition};
use orderflow_sinks::Checkpoint;
use orderflow_topics::{Topics, Visibility, partitions_of};

use crate::Differences;

/// How many records are read backwards to find the last event that is not a repeat.
const REPEATS_MAX: usize = 1_000;

/// The store must be filled from this log. A store with nothing written has no log id.
pub(crate) fn compare_log(name: &str, log: &LogId, stored: Option<&LogId>, differences: &mut Differences) {
    if let Some(stored) = stored.filter(|stored| *stored != log) {
        differences.add(|| format!("the {name} was filled from the log {stored}, and this is the log {log}"));
    }
}

/// The checkpoint must be in the log, directly after the event with the checkpoint's number.
pub(crate) async fn compare_checkpoint(
    name: &str,
    topics: &dyn Topics,
    checkpoint: &Checkpoint,
    differences: &mut Differences,
) -> Result<()> {
    for topic in [Topic::OrdersEvents, Topic::StockEvents] {
        for topic_partition in partitions_of(topics, topic) {
            compare_partition(
                name,
                topics,
                topic_partition,
                checkpoint.partition(topic_partition),
                differences,
            )
            .await?;
        }
    }
    Ok(())
}

async fn compare_partition(
    name: &str,
    topics: &dyn Topics,
    topic_partition: TopicPartition,
    progress: PartitionCheckpoint,
    differences: &mut Differences,
) -> Result<()> {
    let bounds = topics.bounds(topic_partition, Visibility::Accepted).await?;
    if progress.next > bounds.end {
        let (next, end) = (progress.next, bounds.end);
        differences.add(|| {
            format!(
                "the {name}'s checkpoint of {topic_partition} is {next}, beyond the log's end {end}: the {name} is ahead of \
                 the log, which has lost events, or was copied before the {name} and not after it"
            )
        });
        return Ok(());
    }
    if progress.next < bounds.start {
        let (next, start) = (progress.next, bounds.start);
        differences.add(|| {
            format!(
                "the {name}'s checkpoint of {topic_partition} is {next}, but the log begins at {start}: events are missing"
            )
        });
        return Ok(());
    }
    if progress.unreadable == 0
        && let Some(number) = number_before(topics, topic_partition, bounds.start, progress).await?
        && number != progress.number
    {
        let had = progress.number;
        differences.add(|| {
            format!("the {name}'s checkpoint of {topic_partition} has number {had}, the log has {number}")
        });
    }
    Ok(())
}

/// The number of the last event before the checkpoint's offset. The last records may be repeats, which have lower
/// numbers; the event is then a little earlier. `None` if there is no such event, or an unreadable one, which another
/// check reports.
async fn number_before(
    topics: &dyn Topics,
    topic_partition: TopicPartition,
    start: Offset,
    progress: PartitionCheckpoint,
) -> Result<Option<u64>> {
    let mut last = None;
    for offset in (start.0..progress.next.0).rev().take(REPEATS_MAX) {
        let chunk = topics.read(topic_partition, Offset(offset), 1, Visibility::Accepted).await?;
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
