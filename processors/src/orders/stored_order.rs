//! An order in a snapshot, for `#[serde(with = "…")]`. Snapshots have no field names, so every field is written, also
//! those that JSON leaves out.

use std::sync::Arc;

use compact_str::CompactString;
use orderflow_schemas::{
    Amount, Currency, CustomerId, IdempotencyKey, Lines, Order, OrderId, Status, Timestamp, order::Failure,
    returns::ReturnedUnits,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The fields of an [`Order`] in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Order")]
struct StoredOrder {
    id: OrderId,
    customer_id: CustomerId,
    status: Status,
    version: u64,
    currency: Option<Currency>,
    total: Option<Amount>,
    lines: Lines,
    channel: Option<CompactString>,
    notes: Option<CompactString>,
    fail_reason: Option<CompactString>,
    failures: Arc<[Failure]>,
    idempotency_key: Option<IdempotencyKey>,
    placed_at: Timestamp,
    created_at: Timestamp,
    updated_at: Timestamp,
    reserve_for: Option<u32>,
    courier_id: Option<CompactString>,
    acted_by: Option<CompactString>,
    acted_at: Option<Timestamp>,
    returned: Arc<[ReturnedUnits]>,
}

pub(super) fn serialize<S: Serializer>(order: &Arc<Order>, serializer: S) -> Result<S::Ok, S::Error> {
    StoredOrder::serialize(order, serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Order>, D::Error> {
    StoredOrder::deserialize(deserializer).map(Arc::new)
}
