//! Talking to a running orderflow: the client, and the commands that load it (`replay`, `bench`).

pub mod bench;
pub mod client;
pub mod replay;
