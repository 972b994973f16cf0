//! A disk in memory that loses power, tears writes, lies and fails, all from one seed.
//!
//! *Model*: each file has its bytes as the processes see them (the page cache) and as the platter has them. A write
//! changes the first at once and the second when the file is synced. A power cut in between leaves each sector of
//! 512 bytes, each length and each name as it was, as it is, or as any write in between has left it, independently
//! of all others; only that a file was cut short is lost or kept with all that was written to it since. Within a sector nothing is torn, except the last write before the power went.
//! *Processes*: a [`Mount`] and the files opened through it belong to one generation. A power cut or the end of a
//! process begins a new one, and everything of the old fails from then on without any effect; so it does no harm
//! that threads of the old still close their files.
//! *Not modelled*: latency, the page cache being written back while no cut follows (nobody could tell), and its
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
