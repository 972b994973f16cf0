//! The HTTP API of accounts over a SQLite file, without a network. `stage.rs` is the server; one file for each subject.

mod oauth;
mod people;
mod sessions;
mod stage;
