//! What end-to-end tests of orderflow need: the real binary in a directory of its own, a client, and waiting for
//! conditions.
//!
//! Everything here panics with a readable message instead of returning errors: a test that cannot go on has failed.
//! Nothing is left behind: child processes end with the value that holds them, or with the thread that made them.

mod answer;
mod baskets;
mod binary;
mod collector;
mod copy;
mod database;
pub mod history;
mod http;
mod postgres;
mod prometheus;
mod records;
mod rewrite;
mod settle;
mod shop;
mod shopper;
mod stage;
mod tmpfs;
mod trimmed;
mod wait;

pub use answer::Answer;
pub use baskets::{Basket, Baskets, units};
pub use binary::{Ran, Running, binary, repository};
pub use collector::Collector;
pub use copy::{copy_file, copy_folder};
pub use database::{execute, tamper};
pub use http::Client;
pub use postgres::{Cluster, Database};
pub use prometheus::Prometheus;
pub use records::{Event, records};
pub use rewrite::{Stored, rewrite};
pub use settle::settle;
pub use shop::{NOTHING, batch_line, change, find, levels, order, path_of, supply, wait_levels};
pub use shopper::{Shopper, open_shop};
pub use stage::{Server, Stage};
pub use tmpfs::Tmpfs;
pub use trimmed::{bounds, forgetful, order_until_trimmed};
pub use wait::wait_until;
