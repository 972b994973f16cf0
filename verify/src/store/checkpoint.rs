//! A store's checkpoint against the log.

use anyhow::Result;
use orderflow_feed::Mark;
use orderflow_schemas::{Header, Offset, RawRecord, Topic, TopicPartition};
use orderflow_sinks::Checkpoint;
use orderflow_topics::{Topics, Visibility, partitions_of};

use crate::Differences;

/// How many repeats are passed over to find the last event.
const REPEATS_MAX: usize = 1_000;

/// The checkpoint must stand in the log, behind the event whose number it has.
pub(crate) async fn compare_checkpoint(
    topics: &dyn Topics,
    checkpoint: &Checkpoint,
    differences: &mut Differences,
) -> Result<()> {
    for topic in [Topic::OrdersEvents, Topic::StockEvents] {
        for at in partitions_of(topics, topic) {
            compare_mark(topics, at, checkpoint.mark(at), differences).await?;
        }
    }
    Ok(())
}

async fn compare_mark(
    topics: &dyn Topics,
    at: TopicPartition,
    mark: Mark,
    differences: &mut Differences,
) -> Result<()> {
    let bounds = topics.bounds(at, Visibility::Accepted).await?;
    if mark.next > bounds.end {
        let (next, end) = (mark.next, bounds.end);
        differences.add(|| {
            format!(
                "the database's checkpoint of {at} is {next}, beyond the log's end {end}: the database is ahead of \
                 the log, which has lost events, or was copied before the database and not after it"
            )
        });
        return Ok(());
    }
    if mark.next < bounds.start {
        let (next, start) = (mark.next, bounds.start);
        differences.add(|| {
            format!("the database's checkpoint of {at} is {next}, but the log begins at {start}: events are missing")
        });
        return Ok(());
    }
    if mark.unreadable == 0
        && let Some(number) = number_before(topics, at, bounds.start, mark).await?
        && number != mark.number
    {
        let had = mark.number;
        differences
            .add(|| format!("the database's checkpoint of {at} has number {had}, the log has {number}"));
    }
    Ok(())
}

/// The number of the last event before the mark. The last records may be repeats, which have lower numbers; then it
/// stands a little before them. `None` if there is none, or one that cannot be read, which is found elsewhere.
async fn number_before(
    topics: &dyn Topics,
    at: TopicPartition,
    start: Offset,
    mark: Mark,
) -> Result<Option<u64>> {
    let mut last = None;
    for offset in (start.0..mark.next.0).rev().take(REPEATS_MAX) {
        let chunk = topics.read(at, Offset(offset), 1, Visibility::Accepted).await?;
        let Some(record) = chunk.records.first() else { break };
        let Ok(RawRecord { header: Header { number, .. }, .. }) = RawRecord::decode(record) else { break };
        last = last.max(Some(number));
        if number >= mark.number {
            break;
        }
    }
    Ok(last)
}
