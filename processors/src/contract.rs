//! The contract of a processor: what it decides, what it keeps, and what it promises.

use orderflow_schemas::{Partition, Payload, Timestamp, Topic, events::CommandRejected};
use serde::{Serialize, de::DeserializeOwned};

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<E, M> {
    /// The events, at least one. Only events change the state.
    pub events: Vec<E>,
    /// Commands to partitions of the processor's message topic, each with its partition.
    pub messages: Vec<(Partition, M)>,
}

impl<E, M> Decision<E, M> {
    /// A decision of one event and no messages.
    pub fn event(event: E) -> Self {
        Self { events: vec![event], messages: Vec::new() }
    }

    /// A decision of one event and these messages.
    pub fn sending(event: E, messages: Vec<(Partition, M)>) -> Self {
        Self { events: vec![event], messages }
    }
}

/// The state of a processor for one partition. Snapshots contain it in postcard, which has no field names, so any
/// change of a type in it is a new format of snapshots.
pub trait State: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Decodes the parts that are otherwise decoded only when needed. The error says which part is damaged and why.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A deterministic function of one topic partition.
///
/// The same commands in the same order give the same events and messages, byte for byte, on every machine and at any
/// time. The events of a decision must be passed to `evolve` before the next call of `decide`.
pub trait Processor: Send + Sync + 'static {
    /// The commands that the processor reads.
    type Command: Payload + Send + Sync;
    /// The events that the processor writes.
    type Event: Payload + Send + Sync;
    /// The messages that the processor sends: commands of another processor.
    type Message: Payload + Send + Sync;
    /// The state: the fold of the events.
    type State: State;

    /// The topic that the processor reads.
    const INPUT: Topic;
    /// The topic of the processor's events. They go to the partition with the number of the input partition.
    const EVENTS: Topic;
    /// The topic of the processor's messages.
    const MESSAGES: Topic;

    /// Decides the command, which was accepted at `time`.
    fn decide(
        &self,
        state: &Self::State,
        command: &Self::Command,
        time: Timestamp,
    ) -> Decision<Self::Event, Self::Message>;

    /// Folds an event into the state. The command behind the event was accepted at `time`.
    fn evolve(&self, state: &mut Self::State, event: &Self::Event, time: Timestamp);

    /// The event that reports a command that could not be read.
    fn unreadable(&self, refusal: CommandRejected) -> Self::Event;

    /// The earliest time at which a tick finds something due; `None` if nothing is due at any time.
    fn next_due(&self, _state: &Self::State) -> Option<Timestamp> {
        None
    }

    /// Why this processor, as configured, cannot continue from the state, if so. Checked once after recovery.
    fn incompatibility(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// The values of the processor's gauges, by name.
    fn gauges(&self, state: &Self::State) -> Vec<(&'static str, u64)>;
}
