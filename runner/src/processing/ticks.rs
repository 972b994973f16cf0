//! Clock ticks: a processor learns of time through records of its input, as of everything else.
//!
//! A tick is appended only when something is due, so an idle system writes nothing.

use bytes::Bytes;
use orderflow_schemas::{OrderCommand, Record, commands::Tick};
use orderflow_world::{Numbering, World};

/// The source that numbers the ticks of one partition.
pub(super) struct Ticks {
    numbering: Numbering,
    /// The tick that was made last and is not known to be in the log.
    pending: Option<Bytes>,
}

impl Ticks {
    pub(super) fn new(world: &dyn World) -> Self {
        Self { numbering: Numbering::new("clock", world), pending: None }
    }

    /// The record of the next tick. It stays the next one until it is in the log: its number is used up, and a number
    /// that never came would stop the partition as a gap.
    pub(super) fn next(&mut self, world: &dyn World) -> Bytes {
        let numbering = &mut self.numbering;
        let make = || {
            let time = numbering.time(world);
            let header = numbering.header(0, time, None);
            numbering.take(1, time);
            Record { header, data: OrderCommand::Tick(Tick {}) }.encode()
        };
        self.pending.get_or_insert_with(make).clone()
    }

    /// The next tick is in the log.
    pub(super) fn appended(&mut self) {
        self.pending = None;
    }
}
