//! Receipts, corrections of levels, and the catalogue.

use orderflow_schemas::{
    Levels, Sku, StockEvent, Timestamp,
    commands::{AdjustStock, Idempotency, ReceiveStock, SetProduct},
    events::{ProductUpdated, RejectionCode, StockChanged, StockRepeated},
    limits::RECEIVED_MAX,
};

use super::{Stock, sku_rejected};
use crate::keys::Digest;

pub(super) fn receive(state: &Stock, command: &ReceiveStock, time: Timestamp) -> StockEvent {
    const KIND: &str = "stock.receive";
    let ReceiveStock { sku, quantity, idempotency, by } = command;
    if let Some(event) = repeated(KIND, state, sku, idempotency.as_ref(), time) {
        return event;
    }
    let Some(levels) = found(state.levels(sku.as_str()), u64::from(*quantity)) else {
        return sku_rejected(
            KIND,
            sku,
            RejectionCode::LevelOverflow,
            "exceeds what can be received of one SKU",
        );
    };
    StockEvent::Received(StockChanged {
        sku: sku.clone(),
        delta: i64::from(*quantity),
        reason: None,
        levels,
        idempotency: idempotency.clone(),
        by: by.clone(),
    })
}

pub(super) fn adjust(state: &Stock, command: &AdjustStock, time: Timestamp) -> StockEvent {
    const KIND: &str = "stock.adjust";
    let AdjustStock { sku, delta, reason, idempotency, by } = command;
    if let Some(event) = repeated(KIND, state, sku, idempotency.as_ref(), time) {
        return event;
    }
    let (before, units) = (state.levels(sku.as_str()), delta.unsigned_abs());
    let levels = if *delta >= 0 {
        found(before, units).ok_or((RejectionCode::LevelOverflow, "exceeds what can be received of one SKU"))
    } else {
        lost(before, units).ok_or((RejectionCode::NegativeStock, "fewer units are available"))
    };
    match levels {
        Err((code, detail)) => sku_rejected(KIND, sku, code, detail),
        Ok(levels) => StockEvent::Adjusted(StockChanged {
            sku: sku.clone(),
            delta: *delta,
            reason: Some(reason.clone()),
            levels,
            idempotency: idempotency.clone(),
            by: by.clone(),
        }),
    }
}

fn found(before: Levels, units: u64) -> Option<Levels> {
    let received = before.received.checked_add(units).filter(|received| *received <= RECEIVED_MAX)?;
    Some(Levels { received, available: before.available + units, ..before })
}

fn lost(before: Levels, units: u64) -> Option<Levels> {
    let available = before.available.checked_sub(units)?;
    Some(Levels { available, written_off: before.written_off + units, ..before })
}

pub(super) fn set_product(state: &Stock, command: &SetProduct) -> StockEvent {
    let SetProduct { sku, name, unit_price, currency, by } = command.clone();
    let levels = state.levels(sku.as_str());
    StockEvent::ProductUpdated(ProductUpdated { sku, name, unit_price, currency, levels, by })
}

/// The decision on a command whose idempotency key is remembered for this SKU; `None` if it has no key or a new one.
fn repeated(
    kind: &str,
    state: &Stock,
    sku: &Sku,
    idempotency: Option<&Idempotency>,
    time: Timestamp,
) -> Option<StockEvent> {
    let idempotency = idempotency?;
    let known = state.keys.get(Digest::of(sku.as_str(), idempotency.key.as_str()), time)?;
    if known.fingerprint != idempotency.fingerprint {
        let detail = "the idempotency key was used before for a different request";
        return Some(sku_rejected(kind, sku, RejectionCode::IdempotencyKeyReused, detail));
    }
    Some(StockEvent::Repeated(StockRepeated { sku: sku.clone(), levels: known.value }))
}
