//! What the benchmarks share: the bare server they compare with, child processes, and tables for people.
//!
//! Each benchmark measures ours and a limit in one run, in turns, since two runs on a shared machine differ more than
//! what is to be seen. They print Markdown; `RESULTS.md` keeps what they printed on a day.

pub mod bare;
mod machine;
mod numbers;
mod process;
mod table;

pub use machine::machine;
pub use numbers::{grouped, mebibytes, median, milliseconds, percent};
pub use process::{Server, Usage, orderflow, repository};
pub use table::Table;

/// Whether this is `cargo bench`, and not a test run that happens to start benchmarks too.
pub fn wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
