//! The HTTP code that the write API and the read API share: callers and what they may do, problems, bodies, headers,
//! paths, queries, pages, positions, traces, and the JSON of what both APIs show.
//!
//! Every error that a client sees is a [`Problem`] with a stable slug. Nothing here reads a log or a database.

pub mod accept;
pub mod access;
mod address;
pub mod authenticate;
pub mod body;
mod buckets;
pub mod caller;
pub mod coding;
pub mod etag;
pub mod fields;
mod forwarded;
pub mod headers;
pub mod host;
mod ids;
mod json;
mod local;
pub mod metrics;
mod object;
pub mod openapi;
pub mod order_lines;
mod paging;
mod path;
pub mod position;
mod preconditions;
mod prefer;
mod problem;
mod quality;
pub mod query;
mod request_limits;
mod routes;
pub mod scopes;
pub mod trace;
mod views;

pub use accept::OtherMediaTypes;
pub use access::{Action, Reach};
pub use address::{ClientAddress, network_of};
pub use authenticate::{AuthenticateLayer, Authenticator, TrustedHeaders};
pub use body::{BodyLimit, Json, OptionalJson};
pub use buckets::{Allowance, Buckets, Refused};
pub use caller::Caller;
pub use coding::Coding;
pub use forwarded::ForwardedHeader;
pub use ids::{AccountId, At, Id};
pub use json::json;
pub use object::Object;
pub use paging::{Cursor, Limit, List, ListId, Page, PageKey, Paging};
pub use path::PathPart;
pub use position::{MinPosition, with_position};
pub use preconditions::{CallKey, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED, IfMatch, Key, NoConditions, NoKey};
pub use prefer::{PREFER, PREFERENCE_APPLIED, Prefer};
pub use problem::{FieldError, Problem};
pub use query::Query;
pub use request_limits::{RATE_LIMIT, RATE_LIMIT_POLICY, RequestLimits, too_many};
pub use routes::{DescribeRoute, Route, Routes};
pub use scopes::{Scope, Scopes};
pub use trace::{TRACEPARENT, Trace};
pub use views::{Product, StockLevels};
