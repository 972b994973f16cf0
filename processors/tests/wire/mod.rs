//! Order and stock partitions connected in memory: each has an inbox, and messages arrive in the order they were sent.
//!
//! The caller chooses which partition takes its next command, so a test can try every interleaving that a log allows.
//! The [`model`] checks each decision as it is made.

pub mod actions;
pub mod model;
pub mod story;

use std::{collections::VecDeque, sync::Arc};

use model::Model;
use orderflow_processors::{OrderProcessor, Processor, State, StockProcessor};
use orderflow_schemas::{
    Cause, Lifecycle, Offset, OrderCommand, Partition, Record, RecordHeader, Source, StockCommand, Timestamp,
    TopicPartition,
};

/// One command, and the decision on it.
pub struct Step<P: Processor> {
    pub command: P::Command,
    pub time: Timestamp,
    pub events: Vec<P::Event>,
    pub messages: Vec<(Partition, P::Message)>,
}

/// One partition of a processor, with everything it has written.
pub struct Node<P: Processor> {
    pub processor: P,
    pub state: P::State,
    source: Source,
    inbox: VecDeque<(P::Command, Timestamp)>,
    taken: u64,
    /// The encoded events, in the order they were written.
    pub events: Vec<Vec<u8>>,
    /// The encoded messages, in the order they were sent.
    pub sent: Vec<Vec<u8>>,
}

impl<P: Processor> Node<P> {
    fn new(processor: P, partition: u16) -> Self {
        Self {
            processor,
            state: P::State::default(),
            source: Source::processor(TopicPartition::new(P::INPUT, partition)),
            inbox: VecDeque::new(),
            taken: 0,
            events: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Decides the next command and folds the events.
    fn step(&mut self) -> Step<P> {
        let (command, time) = self.inbox.pop_front().expect("only a partition with a command is chosen");
        let decision = self.processor.decide(&self.state, &command, time);
        assert!(!decision.events.is_empty(), "every command gives an event");
        self.taken += 1;
        let mut events = Vec::new();
        for event in decision.events {
            self.processor.evolve(&mut self.state, &event, time);
            let record = Record { header: self.header(self.events.len(), time), data: event };
            self.events.push(record.encode().to_vec());
            events.push(record.data);
        }
        let mut messages = Vec::new();
        for (to, message) in decision.messages {
            let record = Record { header: self.header(self.sent.len(), time), data: message };
            self.sent.push(record.encode().to_vec());
            messages.push((to, record.data));
        }
        Step { command, time, events, messages }
    }

    fn header(&self, before: usize, time: Timestamp) -> RecordHeader {
        let client = Source::new("client").expect("letters make a source");
        let cause = Cause { offset: Offset(self.taken - 1), source: client, number: self.taken };
        let number = before as u64 + 1;
        RecordHeader {
            source: self.source.clone(),
            number,
            time,
            cause: Some(cause),
            sent: Vec::new(),
            traceparent: None,
        }
    }

    fn restart(&mut self) {
        let bytes = postcard::to_stdvec(&self.state).expect("a state can be written");
        let state: P::State = postcard::from_bytes(&bytes).expect("and read");
        state.check().expect("and is sound");
        self.state = state;
    }

    /// The state as a fold of the encoded events.
    pub fn rebuilt(&self) -> P::State {
        let mut state = P::State::default();
        for bytes in &self.events {
            let record: Record<P::Event> = Record::decode(bytes).expect("what was encoded can be decoded");
            self.processor.evolve(&mut state, &record.data, record.header.time);
        }
        state
    }
}

/// All partitions, and the model that checks them.
pub struct Wire {
    pub orders: Vec<Node<OrderProcessor>>,
    pub stock: Vec<Node<StockProcessor>>,
    pub model: Model,
}

impl Wire {
    pub fn new(lifecycle: &Arc<Lifecycle>, order_partitions: u16, stock_partitions: u16) -> Self {
        let lifecycle = || Arc::clone(lifecycle);
        let order = |at| {
            let (keys_max, change_keys_max) = (1_000, 1_000);
            let processor =
                OrderProcessor { lifecycle: lifecycle(), stock_partitions, keys_max, change_keys_max };
            Node::new(processor, at)
        };
        let stock = |at| {
            let partition = Partition(at);
            let processor =
                StockProcessor { partition, order_partitions, change_keys_max: 1_000, resolved_max: 1_000 };
            Node::new(processor, at)
        };
        Self {
            orders: (0..order_partitions).map(order).collect(),
            stock: (0..stock_partitions).map(stock).collect(),
            model: Model::default(),
        }
    }

    pub fn send_order(&mut self, to: Partition, command: OrderCommand, time: Timestamp) {
        self.orders[usize::from(to.0)].inbox.push_back((command, time));
    }

    pub fn send_stock(&mut self, to: Partition, command: StockCommand, time: Timestamp) {
        self.stock[usize::from(to.0)].inbox.push_back((command, time));
    }

    /// Lets one of the partitions that have a command decide it. Returns whether there was one.
    pub fn step(&mut self, choice: u8) -> bool {
        let orders = (0..self.orders.len()).filter(|at| !self.orders[*at].inbox.is_empty()).map(Ok);
        let stock = (0..self.stock.len()).filter(|at| !self.stock[*at].inbox.is_empty()).map(Err);
        let ready: Vec<Result<usize, usize>> = orders.chain(stock).collect();
        let Some(chosen) = ready.get(usize::from(choice) % ready.len().max(1)) else { return false };
        match *chosen {
            Ok(at) => self.step_order(at),
            Err(at) => self.step_stock(at),
        }
        true
    }

    fn step_order(&mut self, at: usize) {
        let step = self.orders[at].step();
        self.model.order_step(&step, &self.orders[at]);
        for (to, message) in step.messages {
            self.send_stock(to, message, step.time);
        }
    }

    fn step_stock(&mut self, at: usize) {
        let step = self.stock[at].step();
        self.model.stock_step(&step, &self.stock[at].state);
        for (to, message) in step.messages {
            self.send_order(to, message, step.time);
        }
    }

    /// Replaces every state by what its snapshot has, as a restart does.
    pub fn restart(&mut self) {
        self.orders.iter_mut().for_each(Node::restart);
        self.stock.iter_mut().for_each(Node::restart);
    }

    /// Decides all commands in flight, until no partition has one.
    pub fn quiesce(&mut self) {
        while self.step(0) {}
        self.model.at_rest(self);
    }
}
