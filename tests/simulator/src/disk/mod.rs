//! A disk in memory that loses power, tears writes, lies and fails, all determined by one seed.
//!
//! *Model*: each file has two contents, one as processes see it (the page cache) and one on the platter. A write
//! changes the first at once, and the second when the file is synced. A power cut in between leaves each sector of
//! 512 bytes, each length and each name in the durable version, the newest version or any version in between,
//! independently of all others. The exception is that a truncation is lost or kept together with all later writes to
//! the file. Within a sector nothing is torn, except in the last write before the power cut.
//! *Processes*: a [`Mount`] and the files opened through it belong to one generation. A power cut or the end of a
//! process begins a new generation, and all calls of the old generation then fail without any effect. Threads of the
//! old generation that still close their files therefore do no harm.
//! *Not modelled*: latency, writing back of the page cache while no cut follows (which nothing could notice), and its
//! eviction after a failed sync.

mod bytes;
mod content;
mod faults;
mod history;
mod mount;
mod names;
mod sim;
mod state;

pub use content::SECTOR_BYTES;
pub use faults::DiskFaults;
pub use history::Operations;
pub use mount::{Mount, SimFile};
pub use sim::SimDisk;
