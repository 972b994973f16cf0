//! Reading and decoding events, one batch ahead of applying.

use orderflow_feed::{Cursor, Delivery, FeedEntries, FeedError};
use orderflow_schemas::{DeadLetter, TopicPartition};
use orderflow_sinks::{Checkpoint, EventBatch};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{SinkDriver, SinkDriverError, SinkDriverSettings, reader_name};

/// A batch that was read and is not yet applied.
#[derive(Default)]
pub(super) struct ReadBatch {
    pub(super) batch: EventBatch,
    pub(super) letters: Vec<DeadLetter>,
    /// The sink's checkpoint once this batch is applied.
    pub(super) checkpoint: Checkpoint,
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl ReadBatch {
    fn is_full(&self, settings: &SinkDriverSettings) -> bool {
        self.records >= settings.records_max || self.bytes >= settings.bytes_max
    }

    /// Takes entries at the cursor's place until the batch is full.
    fn take(
        &mut self,
        cursor: &mut Cursor,
        entries: &FeedEntries,
        reader: &str,
        settings: &SinkDriverSettings,
    ) -> Result<(), FeedError> {
        for entry in entries.iter() {
            if self.is_full(settings) {
                break;
            }
            let (topic_partition, offset) = (cursor.at(), cursor.checkpoint().next);
            let letter = |reason: &str, bytes| {
                DeadLetter::new(reader, topic_partition, offset, reason.to_owned(), bytes)
            };
            match cursor.take(entry)? {
                Delivery::Repeat => {}
                Delivery::Event(record) => match record.event() {
                    Ok(_) => self.batch.records.push(record),
                    Err(reason) => self.letters.push(letter(reason, &record.bytes)),
                },
                Delivery::Unusable(record) => self.letters.push(letter(&record.reason, &record.bytes)),
            }
            self.records += 1;
            self.bytes += entry.bytes_len();
        }
        Ok(())
    }
}

/// The task that reads and decodes events, one batch ahead.
pub(super) struct ReadAhead {
    cursors: Vec<Cursor>,
    settings: SinkDriverSettings,
    sink: &'static str,
    /// The name of the reader in its dead letters.
    reader: String,
}

impl ReadAhead {
    pub(super) fn new(driver: &SinkDriver, checkpoint: &Checkpoint) -> Result<Self, SinkDriverError> {
        let sink = driver.sink.name();
        let cursor = |topic_partition: &TopicPartition| {
            driver.feed.cursor(*topic_partition, checkpoint.partition(*topic_partition))
        };
        let cursors = driver.inputs.iter().map(cursor).collect::<Result<_, _>>();
        let cursors = cursors.map_err(|source| SinkDriverError::Read { sink, source })?;
        Ok(Self { cursors, settings: driver.settings, sink, reader: reader_name(&*driver.sink) })
    }

    /// Sends batches until it fails, is told to stop, or the receiver is closed. An error is the last thing it sends.
    pub(super) async fn run(
        mut self,
        sender: mpsc::Sender<Result<ReadBatch, SinkDriverError>>,
        stop: CancellationToken,
    ) {
        let reading = async {
            // The place in the channel is reserved first, so that at most one batch is ahead.
            while let Ok(permit) = sender.reserve().await {
                let read = self.next().await;
                let failed = read.is_err();
                permit.send(read);
                if failed {
                    break;
                }
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    /// Waits for records and reads a batch of them. Dropping the future loses nothing: no checkpoint of the sink has
    /// passed the records read so far.
    async fn next(&mut self) -> Result<ReadBatch, SinkDriverError> {
        loop {
            let read = self.read().await?;
            if read.records > 0 {
                return Ok(read);
            }
            let waits = self.cursors.iter().map(|cursor| Box::pin(cursor.wait()));
            let (woken, _, _) = futures_util::future::select_all(waits).await;
            woken.map_err(|source| SinkDriverError::Read { sink: self.sink, source })?;
        }
    }

    /// Reads the available entries of each partition in turn, until there are no more or the batch is full. Entries
    /// before an event that cannot be taken are returned first, without an error; the next call returns the error.
    async fn read(&mut self) -> Result<ReadBatch, SinkDriverError> {
        let mut read = ReadBatch::default();
        // Each batch begins with another partition, so that no partition waits indefinitely behind those that fill the
        // batch.
        self.cursors.rotate_left(1);
        'reading: loop {
            let before = read.records;
            for cursor in &mut self.cursors {
                let entries = cursor.read().await;
                let entries = entries.map_err(|source| SinkDriverError::Read { sink: self.sink, source })?;
                match read.take(cursor, &entries, &self.reader, &self.settings) {
                    Ok(()) if read.is_full(&self.settings) => break 'reading,
                    Ok(()) => {}
                    Err(source) if read.records == 0 => {
                        return Err(SinkDriverError::Events { sink: self.sink, source });
                    }
                    Err(_) => break 'reading,
                }
                // Decoding takes CPU time, so the thread is yielded between chunks.
                tokio::task::yield_now().await;
            }
            if read.records == before {
                break;
            }
        }
        read.checkpoint =
            Checkpoint(self.cursors.iter().map(|cursor| (cursor.at(), cursor.checkpoint())).collect());
        Ok(read)
    }
}
