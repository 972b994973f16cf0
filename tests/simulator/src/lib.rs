//! What the simulation of the whole system stands on: a disk in memory that can fail in every way a disk can.
//!
//! Everything here is a function of a seed and of the calls made: no clock, no other randomness, and no order of a
//! hash map. Whoever makes the same calls in the same order gets the same bytes and the same failures.

pub mod disk;
pub mod sqlite;
