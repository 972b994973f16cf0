//! The four stories: what people do with each built-in lifecycle all day, from log-in to the last state, with accounts.
//!
//! A story is told by a page in `docs/stories/`. A test does what the page says, command by command, and compares what it
//! shows with what comes out. What does not belong on a page, mostly refusals, is in the story's file here.

mod answers;
mod approval;
mod delivery;
mod follow;
mod order_tracking;
mod page;
mod people;
mod reservation;
mod shell;
