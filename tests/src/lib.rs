//! What end-to-end tests of orderflow need: the real binary in a separate directory, a client, and waiting for
//! conditions.
//!
//! Functions panic with a readable message instead of returning errors, because a test that cannot continue has
//! failed. Nothing is left behind: a child process ends with the value that owns it, or with the thread that started
//! it.

mod answer;
mod baskets;
mod binary;
mod certificate;
mod collector;
mod copy;
mod database;
mod exchange;
pub mod history;
mod http;
mod postgres;
mod prometheus;
mod records;
mod rewrite;
mod schemathesis;
mod settle;
mod shop;
mod shopper;
mod stage;
mod tmpfs;
mod tokens;
mod trimmed;
mod wait;

pub use answer::Answer;
pub use baskets::{Basket, Baskets, units};
pub use binary::{Ran, Running, binary, repository};
pub use certificate::Certificate;
pub use collector::Collector;
pub use copy::{copy_file, copy_folder};
pub use database::{execute, tamper};
pub use exchange::{Http, exchange, request};
pub use http::Client;
pub use postgres::{Cluster, Database};
pub use prometheus::{Prometheus, peers_are_required};
pub use records::{Event, records};
pub use rewrite::{Stored, rewrite};
pub use schemathesis::Schemathesis;
pub use settle::settle;
pub use shop::{NOTHING, batch_line, change, find, levels, order, path_of, supply, wait_levels};
pub use shopper::{Shopper, open_shop};
pub use stage::{Server, Stage};
pub use tmpfs::Tmpfs;
pub use tokens::TokenMaker;
pub use trimmed::{bounds, forgetful, order_until_trimmed};
pub use wait::wait_until;
