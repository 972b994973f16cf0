//! Clock ticks: time reaches a processor as records of its input, like all else.
//!
//! A tick is appended only when something is due, so an idle system writes nothing.

use bytes::Bytes;
use orderflow_schemas::{
    Header, OrderCommand, Record, Source, Timestamp, commands::Tick, sources::SILENCE_MAX,
};

use crate::{World, world::new_source};

/// Numbers ticks under a name that is new at each start, and anew after long silence, since readers forget.
pub(super) struct Ticks {
    source: Source,
    number: u64,
    last: Timestamp,
}

impl Ticks {
    pub(super) fn new(world: &dyn World) -> Self {
        Self { source: new_source(world, "clock"), number: 0, last: Timestamp::default() }
    }

    /// The next tick. Its number counts even if appending it fails: the same record must then be appended again.
    pub(super) fn next(&mut self, world: &dyn World) -> Bytes {
        let now = world.now();
        if now > self.last.plus(SILENCE_MAX / 2) {
            self.source = new_source(world, "clock");
            self.number = 0;
        }
        self.number += 1;
        self.last = self.last.max(now);
        let header = Header {
            source: self.source.clone(),
            number: self.number,
            time: self.last,
            cause: None,
            sent: Vec::new(),
            traceparent: None,
        };
        Record { header, data: OrderCommand::Tick(Tick {}) }.encode()
    }
}
