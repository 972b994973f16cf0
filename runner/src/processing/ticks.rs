//! Clock ticks: time reaches a processor as records of its input, like everything else.
//!
//! A tick is appended only when something is due, so an idle system writes nothing.

use bytes::Bytes;
use orderflow_schemas::{OrderCommand, Record, commands::Tick};
use orderflow_world::{Numbering, World};

/// The source of a partition's ticks.
pub(super) struct Ticks(Numbering);

impl Ticks {
    pub(super) fn new(world: &dyn World) -> Self {
        Self(Numbering::new("clock", world))
    }

    /// The next tick. Its number counts even if appending it fails: the same record must then be appended again.
    pub(super) fn next(&mut self, world: &dyn World) -> Bytes {
        let time = self.0.time(world);
        let header = self.0.header(0, time, None);
        self.0.take(1, time);
        Record { header, data: OrderCommand::Tick(Tick {}) }.encode()
    }
}
