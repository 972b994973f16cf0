//! Shared parts of the benchmarks: the bare server for comparison, child processes, and tables.
//!
//! Each benchmark measures orderflow and a limit in one run, in turns, since two runs on a shared machine differ by
//! more than the effect to be measured. Benchmarks print Markdown; `RESULTS.md` keeps the output of certain days.

pub mod bare;
mod machine;
mod numbers;
mod process;
mod table;

pub use machine::machine;
pub use numbers::{grouped, mebibytes, median, milliseconds, percent};
pub use process::{Server, Usage, orderflow, repository};
pub use table::Table;

/// Whether this is `cargo bench`, and not a test run that also starts benchmarks.
pub fn wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
