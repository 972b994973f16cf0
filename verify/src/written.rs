//! Reads the events of a partition, each once.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use orderflow_schemas::{Offset, RawRecord, TopicPartition};
use orderflow_topics::Topics;

use super::{
    Report,
    records::Records,
    repeats::{Repeat, Repeats},
};

/// An event that is not a repeat.
#[derive(Debug)]
pub(super) struct WrittenEvent {
    pub(super) offset: Offset,
    /// The number of the event; `None` if the event cannot be read.
    pub(super) number: Option<u64>,
    pub(super) bytes: Bytes,
}

/// The events of a partition without repeats. Repeats are compared with the events they repeat.
pub(super) struct Written {
    topic_partition: TopicPartition,
    records: Records,
    repeats: Repeats,
    /// The number of the last event that was returned.
    pub(super) number: u64,
    /// The offset after the last event that was returned.
    pub(super) next: Offset,
    /// Whether the end was reached.
    pub(super) ended: bool,
}

impl Written {
    /// Reads the events of a partition from the offset `next` on. `number` is the number of the last event before that
    /// offset.
    pub(super) async fn new(
        topics: Arc<dyn Topics>,
        topic_partition: TopicPartition,
        next: Offset,
        number: u64,
    ) -> Result<Self> {
        let records = Records::new(topics, topic_partition, next).await?;
        Ok(Self { topic_partition, records, repeats: Repeats::default(), number, next, ended: false })
    }

    /// The next event; `None` at the end.
    pub(super) async fn next(&mut self, report: &mut Report) -> Result<Option<WrittenEvent>> {
        while let Some((offset, bytes)) = self.records.next().await? {
            // An unreadable event is no repeat. No decision gives such an event, so the caller finds the difference.
            let Ok(RawRecord { header, .. }) = RawRecord::decode(&bytes) else {
                return Ok(Some(WrittenEvent { offset, number: None, bytes }));
            };
            if header.number > self.number {
                self.repeats.remember(&header, &bytes);
                (self.number, self.next) = (header.number, offset.next());
                return Ok(Some(WrittenEvent { offset, number: Some(header.number), bytes }));
            }
            match self.repeats.compare(&header, &bytes) {
                Repeat::Same => {}
                Repeat::Forgotten => report.unchecked += 1,
                Repeat::Other => {
                    let (topic_partition, number) = (self.topic_partition, header.number);
                    report.differences.add(|| {
                        format!(
                            "{topic_partition} offset {offset}: event {number} comes again with other bytes"
                        )
                    });
                }
            }
        }
        self.ended = true;
        Ok(None)
    }
}
