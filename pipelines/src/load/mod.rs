//! The commands that load a running server: `replay` and `bench`.

pub mod bench;
pub mod replay;
