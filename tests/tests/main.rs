//! End-to-end tests: the real binary is started, used over HTTP, stopped and killed, as users and machines do it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod accounts;
mod arrows;
mod bad_input;
mod batches;
mod command_line;
mod crash;
mod cuts;
mod damage;
mod dashboard;
mod disk_full;
mod documents;
mod edges;
mod formats;
mod idempotency;
mod identity;
mod inventory;
mod kills;
mod lifecycles;
mod limits;
mod login;
mod network;
mod observe;
mod openapi;
mod orders;
mod overload;
mod postgres;
mod prices;
mod reads;
mod replay;
mod retention;
mod settings;
mod stopping;
mod stories;
mod tls;
mod top;
mod verify_copies;
mod verify_database;
mod verify_log;
mod verify_shipments;
mod verify_snapshots;
