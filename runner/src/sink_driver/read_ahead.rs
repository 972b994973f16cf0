//! Reading and decoding, one batch ahead of applying.

use std::sync::Arc;

use orderflow_schemas::TopicPartition;
use orderflow_sinks::{
    Checkpoint, DeadLetter, EventBatch,
    intake::{Intake, IntakeError},
};
use orderflow_topics::{Chunk, Topics, Visibility};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{SinkDriver, SinkDriverError, SinkDriverSettings};

/// What was read and not yet applied.
#[derive(Default)]
pub(super) struct Read {
    pub(super) batch: EventBatch,
    pub(super) letters: Vec<DeadLetter>,
    /// How far the sink is once this is applied.
    pub(super) checkpoint: Checkpoint,
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Read {
    fn is_full(&self, settings: &SinkDriverSettings) -> bool {
        self.records >= settings.records_max || self.bytes >= settings.bytes_max
    }

    /// Takes the records of a chunk, as many as there is room for.
    fn take(
        &mut self,
        intake: &mut Intake,
        chunk: &Chunk,
        settings: &SinkDriverSettings,
    ) -> Result<(), IntakeError> {
        for record in &chunk.records {
            if self.is_full(settings) {
                break;
            }
            intake.take(record, &mut self.batch.records, &mut self.letters)?;
            self.records += 1;
            self.bytes += record.len();
        }
        Ok(())
    }
}

/// Reads and decodes, one batch ahead.
pub(super) struct ReadAhead {
    topics: Arc<dyn Topics>,
    intakes: Vec<Intake>,
    settings: SinkDriverSettings,
    sink: &'static str,
}

impl ReadAhead {
    pub(super) fn new(driver: &SinkDriver, checkpoint: &Checkpoint) -> Result<Self, SinkDriverError> {
        let sink = driver.sink.name();
        let intake = |at: &TopicPartition| Intake::new(format!("sink/{sink}"), *at, checkpoint.mark(*at));
        let intakes = driver.inputs.iter().map(intake).collect::<Result<_, _>>();
        let intakes = intakes.map_err(|source| SinkDriverError::Intake { sink, source })?;
        Ok(Self { topics: driver.topics.clone(), intakes, settings: driver.settings, sink })
    }

    /// Sends batches, and at last an error, until it is told to stop or nobody takes them any more.
    pub(super) async fn run(
        mut self,
        sender: mpsc::Sender<Result<Read, SinkDriverError>>,
        stop: CancellationToken,
    ) {
        let reading = async {
            // The place in the queue comes first: so no more than one batch is ahead.
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

    /// Waits for records and reads a batch of them. Dropped half-way it has read nothing that anybody misses.
    async fn next(&mut self) -> Result<Read, SinkDriverError> {
        loop {
            let read = self.read().await?;
            if read.records > 0 {
                return Ok(read);
            }
            let waits = self
                .intakes
                .iter()
                .map(|intake| self.topics.wait_beyond(intake.at(), intake.mark().next, Visibility::Durable));
            let (woken, _, _) = futures_util::future::select_all(waits).await;
            woken.map_err(|source| SinkDriverError::Read { sink: self.sink, source })?;
        }
    }

    /// One chunk of each partition in turn, until there is nothing more or the batch is full. What stands before an
    /// event that cannot be taken goes first, alone; the error comes again at the next call.
    async fn read(&mut self) -> Result<Read, SinkDriverError> {
        let mut read = Read::default();
        // Another partition begins each time, so that none waits for ever behind those that fill the batch.
        self.intakes.rotate_left(1);
        'reading: loop {
            let before = read.records;
            for intake in &mut self.intakes {
                let (at, from) = (intake.at(), intake.mark().next);
                let chunk = self.topics.read(at, from, self.settings.read_bytes, Visibility::Durable).await;
                let chunk = chunk.map_err(|source| SinkDriverError::Read { sink: self.sink, source })?;
                match read.take(intake, &chunk, &self.settings) {
                    Ok(()) if read.is_full(&self.settings) => break 'reading,
                    Ok(()) => {}
                    Err(source) if read.records == 0 => {
                        return Err(SinkDriverError::Intake { sink: self.sink, source });
                    }
                    Err(_) => break 'reading,
                }
                // Decoding is work; let others have the thread between chunks.
                tokio::task::yield_now().await;
            }
            if read.records == before {
                break;
            }
        }
        read.checkpoint =
            Checkpoint(self.intakes.iter().map(|intake| (intake.at(), intake.mark())).collect());
        Ok(read)
    }
}
