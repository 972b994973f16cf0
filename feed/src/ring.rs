//! The blocks of one partition that were read last, shared by all readers near its end.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use orderflow_schemas::{Offset, Source, TopicPartition};
use orderflow_topics::{LogError, Topics, Visibility};

use crate::{
    FeedSettings,
    entry::{Block, FeedEntries, FeedEntry},
};

/// The ring of one partition, and how it reads the log.
pub(crate) struct Ring {
    pub(crate) topic_partition: TopicPartition,
    pub(crate) source: Source,
    topics: Arc<dyn Topics>,
    settings: FeedSettings,
    blocks: Mutex<Blocks>,
    /// Held while the block after the last one is read, so that only one reader reads it.
    reading: tokio::sync::Mutex<()>,
}

/// Contiguous blocks, oldest first, and their total size in bytes.
#[derive(Default)]
struct Blocks {
    blocks: VecDeque<Arc<Block>>,
    bytes: usize,
}

/// Where an offset is, relative to the ring.
enum RingLookup {
    /// In the ring: the entries from the offset on.
    In(FeedEntries),
    /// Before the first block of the ring.
    Before,
    /// At the end of the ring or beyond it.
    Beyond,
}

impl Blocks {
    fn find(&self, from: Offset) -> RingLookup {
        match (self.blocks.front(), self.blocks.back()) {
            (Some(first), Some(last)) if from < last.next() => {
                if from < first.first {
                    return RingLookup::Before;
                }
                let index = self.blocks.partition_point(|block| block.next() <= from);
                RingLookup::In(FeedEntries::new(self.blocks[index].clone(), from))
            }
            _ => RingLookup::Beyond,
        }
    }

    fn push(&mut self, block: Arc<Block>, bytes_max: usize) {
        if self.blocks.back().is_some_and(|last| last.next() != block.first) {
            // The entries between were not read. A reader that is there reads them from the log.
            *self = Self::default();
        }
        self.bytes += block.bytes;
        self.blocks.push_back(block);
        while self.bytes > bytes_max && self.blocks.len() > 1 {
            let oldest = self.blocks.pop_front();
            self.bytes -= oldest.map_or(0, |block| block.bytes);
        }
    }
}

impl Ring {
    pub(crate) fn new(
        topics: Arc<dyn Topics>,
        topic_partition: TopicPartition,
        source: Source,
        settings: FeedSettings,
    ) -> Self {
        Self {
            topic_partition,
            source,
            topics,
            settings,
            blocks: Mutex::default(),
            reading: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn topics(&self) -> &dyn Topics {
        &*self.topics
    }

    /// Durable entries from `from` on: at least one if there is one, none at the end. The future may be dropped at any
    /// time.
    pub(crate) async fn read(&self, from: Offset) -> Result<FeedEntries, LogError> {
        let mut reading = None;
        loop {
            match self.find(from) {
                RingLookup::In(entries) => return Ok(entries),
                RingLookup::Before => {
                    // Readers that are further along do not wait for this read.
                    drop(reading);
                    return Ok(FeedEntries::new(self.load(from).await?, from));
                }
                // Another reader may have read the block in the meantime, so the ring is searched once more.
                RingLookup::Beyond if reading.is_none() => reading = Some(self.reading.lock().await),
                RingLookup::Beyond => break,
            }
        }
        let block = self.load(from).await?;
        if !block.entries.is_empty() {
            self.blocks().push(block.clone(), self.settings.ring_bytes_max);
        }
        Ok(FeedEntries::new(block, from))
    }

    async fn load(&self, from: Offset) -> Result<Arc<Block>, LogError> {
        let (topic_partition, bytes_max) = (self.topic_partition, self.settings.read_bytes);
        let chunk = self.topics.read(topic_partition, from, bytes_max, Visibility::Durable).await?;
        let bytes = chunk.records.iter().map(|record| record.len()).sum();
        let read =
            |(offset, bytes)| FeedEntry::read(self.topic_partition, &self.source, Offset(offset), bytes);
        let entries = (from.0..).zip(&chunk.records).map(read).collect();
        Ok(Arc::new(Block { first: from, entries, bytes }))
    }

    fn find(&self, from: Offset) -> RingLookup {
        self.blocks().find(from)
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        // A panic leaves at worst a sum that is too large.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of blocks and bytes that the ring holds.
    #[cfg(test)]
    pub(crate) fn held(&self) -> (usize, usize) {
        let blocks = self.blocks();
        (blocks.blocks.len(), blocks.bytes)
    }
}
