//! What couriers report about a shipment.

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What happened to a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// The courier has taken the parcel.
    PickedUp,
    /// The parcel is on its way.
    InTransit,
    /// The parcel is on the vehicle that delivers it.
    OutForDelivery,
    /// The customer has the parcel.
    Delivered,
    /// A delivery was tried in vain.
    FailedAttempt,
    /// The parcel came back to the seller.
    Returned,
}

impl ShipmentStatus {
    /// Every status, in the order in which they usually happen.
    pub const ALL: [Self; 6] = [
        Self::PickedUp,
        Self::InTransit,
        Self::OutForDelivery,
        Self::Delivered,
        Self::FailedAttempt,
        Self::Returned,
    ];

    /// The name in JSON and in pipeline files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PickedUp => "picked_up",
            Self::InTransit => "in_transit",
            Self::OutForDelivery => "out_for_delivery",
            Self::Delivered => "delivered",
            Self::FailedAttempt => "failed_attempt",
            Self::Returned => "returned",
        }
    }

    /// The status with this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// What must have happened before, as far as it is certain, and then this status itself. Reports can be lost or
    /// come late: who delivers a parcel has picked it up.
    pub const fn with_earlier(self) -> &'static [Self] {
        match self {
            Self::PickedUp => &[Self::PickedUp],
            Self::InTransit => &[Self::PickedUp, Self::InTransit],
            Self::OutForDelivery => &[Self::PickedUp, Self::InTransit, Self::OutForDelivery],
            Self::Delivered => &[Self::PickedUp, Self::InTransit, Self::OutForDelivery, Self::Delivered],
            Self::FailedAttempt => {
                &[Self::PickedUp, Self::InTransit, Self::OutForDelivery, Self::FailedAttempt]
            }
            Self::Returned => &[Self::PickedUp, Self::Returned],
        }
    }
}

/// An event of a shipment, as a courier, an admin or a service reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipmentEvent {
    /// What happened.
    pub status: ShipmentStatus,
    /// The carrier.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub carrier: Option<CompactString>,
    /// The carrier's number of the parcel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub tracking_number: Option<CompactString>,
    /// Where it happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub location: Option<CompactString>,
    /// When it happened, by the courier's clock. Nothing is decided by it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub occurred_at: Option<Timestamp>,
    /// The courier's id of the event. It is the report's idempotency key if the request has no other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub event_id: Option<CompactString>,
}
