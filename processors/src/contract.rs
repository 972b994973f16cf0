//! What a processor is.

use orderflow_schemas::{Partition, Payload, Timestamp, Topic, events::CommandRejected};
use serde::{Serialize, de::DeserializeOwned};

/// What a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<E, M> {
    /// The facts, at least one. They alone change the state.
    pub events: Vec<E>,
    /// Commands to partitions of the processor's message topic.
    pub messages: Vec<(Partition, M)>,
}

impl<E, M> Decision<E, M> {
    /// One fact and nothing to send.
    pub fn event(event: E) -> Self {
        Self { events: vec![event], messages: Vec::new() }
    }

    /// One fact and what it sends.
    pub fn sending(event: E, messages: Vec<(Partition, M)>) -> Self {
        Self { events: vec![event], messages }
    }
}

/// What a processor remembers. Snapshots contain it in postcard, which has no field names: any change of a type in it is a
/// new format of snapshots.
pub trait State: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Reads what is read only when it is needed; why it cannot be.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A deterministic function of one topic partition.
///
/// The same commands in the same order give the same events and messages, to the byte, whoever runs it and when.
/// `evolve` of the events of a decision must be called before the next `decide`.
pub trait Processor: Send + Sync + 'static {
    /// What it reads.
    type Command: Payload + Send + Sync;
    /// What it decides.
    type Event: Payload + Send + Sync;
    /// What it sends.
    type Message: Payload + Send + Sync;
    /// The fold of its events.
    type State: State;

    /// The topic it reads.
    const INPUT: Topic;
    /// The topic its events go to, under the number of its input partition.
    const EVENTS: Topic;
    /// The topic its messages go to.
    const MESSAGES: Topic;

    /// What the command, taken at `time`, leads to.
    fn decide(
        &self,
        state: &Self::State,
        command: &Self::Command,
        time: Timestamp,
    ) -> Decision<Self::Event, Self::Message>;

    /// Folds an event, of a command taken at `time`, into the state.
    fn evolve(&self, state: &mut Self::State, event: &Self::Event, time: Timestamp);

    /// The event that says that a command of this kind could not be read.
    fn unreadable(&self, refusal: CommandRejected) -> Self::Event;

    /// When a tick would find something due.
    fn next_due(&self, _state: &Self::State) -> Option<Timestamp> {
        None
    }

    /// Why this processor, as configured, cannot go on from the state; checked once after recovery.
    fn incompatibility(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// Counts worth a gauge, by name.
    fn gauges(&self, state: &Self::State) -> Vec<(&'static str, u64)>;
}
