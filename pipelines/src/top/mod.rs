//! `orderflow top`: a live screen of a running server.
//!
//! `scrape.rs` asks the server for a `Sample`; `view.rs` computes a `View` from two of them (`interval.rs`,
//! `histogram.rs`); `screen.rs` draws it. `watch.rs` is what the loop in `live.rs` knows between two samples, and
//! `once.rs` prints one screen as text. Only `scrape.rs`, `live.rs` and `terminal.rs` touch the world.

mod arguments;
mod command;
mod exposition;
mod figures;
mod histogram;
mod interval;
mod live;
mod once;
mod sample;
mod scrape;
mod screen;
mod terminal;
mod view;
mod watch;

pub use self::{arguments::Top, command::run};
