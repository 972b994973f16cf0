//! `GET /orders/{id}/shipment`: what couriers reported beside what became of the order.

use axum::{Json, extract::State};
use compact_str::CompactString;
use orderflow_database::{HistoryEntry, ShipmentEntry};
use orderflow_schemas::{
    OrderId, Status,
    lists::{Slice, Start},
    returns::ReturnedUnits,
};
use orderflow_web::{Action, Caller, Id, Problem};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    caught_up::{self, CaughtUpReader},
    orders::find,
    state::Api,
};

/// The most entries of each history.
const ENTRIES_MAX: u32 = 1_000;

/// The shipment of an order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShipmentView {
    order_id: OrderId,
    /// The state of the order.
    status: Status,
    /// The account of the only courier who may act for the order; null if any courier may.
    #[schemars(with = "Option<String>")]
    courier_id: Option<CompactString>,
    /// The carrier that was reported last.
    #[schemars(with = "Option<String>")]
    carrier: Option<CompactString>,
    /// The number of the parcel that was reported last.
    #[schemars(with = "Option<String>")]
    tracking_number: Option<CompactString>,
    /// What couriers reported, in the order in which it arrived: the last 1,000 entries.
    events: Vec<ShipmentEntry>,
    /// What became of the order, change by change: the last 1,000 entries.
    history: Vec<HistoryEntry>,
    /// The units that came back, added up for each line and destination.
    returned: Vec<ReturnedUnits>,
}

/// `GET /orders/{id}/shipment`
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<OrderId>,
    caller: Caller,
    reader: CaughtUpReader,
) -> Result<Json<ShipmentView>, Problem> {
    let order = find(id, Action::ReadShipment, &api, &caller, &reader).await?;
    let events = reader.0.shipments(id, ENTRIES_MAX).await.map_err(caught_up::failed)?;
    let start = Start::After(order.version.saturating_sub(ENTRIES_MAX.into()));
    let slice = Slice { start, limit: ENTRIES_MAX };
    let history = reader.0.history(id, &slice).await.map_err(caught_up::failed)?;
    let last = |of: fn(&ShipmentEntry) -> Option<CompactString>| events.iter().rev().find_map(of);
    Ok(Json(ShipmentView {
        order_id: id,
        status: order.status,
        courier_id: order.courier_id,
        carrier: last(|entry| entry.event.carrier.clone()),
        tracking_number: last(|entry| entry.event.tracking_number.clone()),
        events,
        history,
        returned: order.returned.to_vec(),
    }))
}
