//! The server on Postgres: what clients see, and its behaviour when Postgres is unavailable, killed or unsuitable.

mod accounts;
mod away;
mod conformance;
mod crash;
mod refused;
mod story;
