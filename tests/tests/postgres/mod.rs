//! The server on Postgres: what clients see, and what happens when Postgres is away, killed or not what it should be.

mod away;
mod conformance;
mod crash;
mod refused;
mod story;
