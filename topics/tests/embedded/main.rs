//! What the embedded log guarantees beyond the conformance suite: recovery, space, failure, retention.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod failure;
mod kept_room;
mod model;
mod opening;
mod recovery;
mod retention;
mod room;
mod support;
