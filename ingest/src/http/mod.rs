//! The HTTP words that the write API and the read API share: callers, problems, bodies, paths, queries, positions,
//! traces.
//!
//! Every error a client sees is a [`Problem`] with a stable slug. Nothing here knows an order.

pub mod body;
pub mod caller;
pub mod coding;
pub mod etag;
pub mod headers;
pub mod host;
mod local;
pub mod object;
pub mod path;
pub mod position;
pub mod problem;
pub mod query;
pub mod trace;

pub use body::{BodyLimit, Json};
pub use caller::{Caller, insecure_no_auth};
pub use coding::Coding;
pub use object::Object;
pub use path::PathPart;
pub use position::{MinPosition, with_position};
pub use problem::{FieldError, Problem};
pub use query::Query;
pub use trace::{Trace, propagate_trace};
