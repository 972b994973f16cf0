//! Clients of a running server: the HTTP client, and the commands that load the server (`replay`, `bench`).

pub mod bench;
pub mod client;
pub mod replay;
