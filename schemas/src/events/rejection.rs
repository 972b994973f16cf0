//! Commands that were refused, of either processor.

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UsedKey;
use crate::ids::{OrderId, Sku, Status};

/// Why a command was refused. The names are stable and are the `type` of the problem that a client gets. Snapshots
/// have the numbers of the variants, so a new variant goes to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionCode {
    /// No active order has this id.
    UnknownOrder,
    /// An active order has this id already.
    OrderExists,
    /// The lifecycle has no transition from the order's state to the requested one, or the order waits for stock.
    IllegalTransition,
    /// The caller's role may not make this transition.
    Forbidden,
    /// The order has none of the versions that the command requires.
    StaleVersion,
    /// The idempotency key was used before, for a different request.
    IdempotencyKeyReused,
    /// The correction would make the available units negative.
    NegativeStock,
    /// The units ever received of the SKU would exceed the limit, 10^15.
    LevelOverflow,
    /// The order has no reservation in this stock partition, and no resolved one is remembered.
    UnknownReservation,
    /// The reservation was already shipped, released or expired.
    ReservationResolved,
    /// The part to ship exceeds what is reserved, has no lines, or has a line of 0 units.
    MoreThanReserved,
    /// The order has a reservation in this stock partition already.
    ReservationExists,
    /// The order is not waiting for a reply from this stock partition.
    UnexpectedReply,
    /// The command could not be read; its bytes are in the dead letters.
    Unreadable,
    /// The lifecycle takes no returns in the order's state.
    ReturnsClosed,
    /// More units of a line would be returned than were shipped.
    MoreThanShipped,
}

/// A command was refused; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRejected {
    /// The kind of the refused command, such as `order.place`.
    #[schemars(with = "String")]
    pub command: CompactString,
    /// Why the command was refused, as a stable code.
    pub code: RejectionCode,
    /// Why the command was refused, in a sentence.
    pub detail: String,
    /// The order that the command was about, if it was about one and could be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_id: Option<OrderId>,
    /// The SKU that the command was about, if it was about one and could be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sku: Option<Sku>,
    /// The states the caller may move the order to; only with `illegal-transition`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed: Option<Vec<Status>>,
    /// The order's current version; with `stale-version`. If the key of a change was used before, with any code, and
    /// absent then if the order is in a final state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u64>,
    /// The idempotency key that is remembered together with this rejection. A rejection of a caller who may not make
    /// the request, or of a request about an unknown order, is not remembered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<UsedKey>,
    /// Whether the request was rejected because the first request under its idempotency key was.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub repeated: bool,
}
