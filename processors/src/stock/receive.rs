//! Receipts, corrections of levels, and the catalogue.

use orderflow_schemas::{
    Levels, StockEvent, Timestamp,
    commands::{AdjustStock, ReceiveStock, SetProduct},
    events::{CommandRejected, ProductUpdated, RejectionCode, StockChanged, StockRepeated},
    limits::RECEIVED_MAX,
};

use super::{Stock, change_key::ChangeRequest};

/// Why a change is rejected, as a code and a sentence.
type Refusal = (RejectionCode, &'static str);

const TOO_MANY: Refusal = (RejectionCode::LevelOverflow, "exceeds what can be received of one SKU");
const TOO_FEW: Refusal = (RejectionCode::NegativeStock, "fewer units are available");

pub(super) fn receive(state: &Stock, command: &ReceiveStock, time: Timestamp) -> StockEvent {
    let ReceiveStock { sku, quantity, idempotency, by } = command;
    let request = ChangeRequest { kind: "stock.receive", sku, by, key: idempotency.as_ref() };
    let levels = found(state.levels(sku.as_str()), u64::from(*quantity));
    match counted(request, state, time, i64::from(*quantity), levels) {
        Ok(changed) => StockEvent::Received(changed),
        Err(answer) => *answer,
    }
}

pub(super) fn adjust(state: &Stock, command: &AdjustStock, time: Timestamp) -> StockEvent {
    let AdjustStock { sku, delta, reason, idempotency, by } = command;
    let request = ChangeRequest { kind: "stock.adjust", sku, by, key: idempotency.as_ref() };
    let (before, units) = (state.levels(sku.as_str()), delta.unsigned_abs());
    let levels = if *delta >= 0 { found(before, units) } else { lost(before, units) };
    match counted(request, state, time, *delta, levels) {
        Ok(changed) => StockEvent::Adjusted(StockChanged { reason: Some(reason.clone()), ..changed }),
        Err(answer) => *answer,
    }
}

pub(super) fn set_product(state: &Stock, command: &SetProduct, time: Timestamp) -> StockEvent {
    let SetProduct { sku, name, unit_price, currency, idempotency, by } = command;
    let request = ChangeRequest { kind: "product.set", sku, by, key: idempotency.as_ref() };
    let key = match request.first_use(state, time).map_err(|answer| *answer) {
        Ok(key) => key,
        Err(StockEvent::Repeated(repeated)) => {
            let product = state.product(sku).cloned();
            return StockEvent::Repeated(StockRepeated { product, ..repeated });
        }
        Err(answer) => return answer,
    };
    StockEvent::ProductUpdated(ProductUpdated {
        sku: sku.clone(),
        name: name.clone(),
        unit_price: *unit_price,
        currency: *currency,
        levels: state.levels(sku.as_str()),
        key,
        by: by.clone(),
    })
}

/// The change to these levels, or the answer to a request that is repeated or refused.
fn counted(
    request: ChangeRequest<'_>,
    state: &Stock,
    time: Timestamp,
    delta: i64,
    levels: Result<Levels, Refusal>,
) -> Result<StockChanged, Box<StockEvent>> {
    let key = request.first_use(state, time)?;
    match levels {
        Ok(levels) => {
            let (sku, by) = (request.sku.clone(), request.by.clone());
            Ok(StockChanged { sku, delta, reason: None, levels, key, by })
        }
        Err((code, detail)) => {
            let refusal = request.rejected(code, detail);
            Err(Box::new(StockEvent::Rejected(CommandRejected { key, ..refusal })))
        }
    }
}

fn found(before: Levels, units: u64) -> Result<Levels, Refusal> {
    let received = before.received.checked_add(units).filter(|received| *received <= RECEIVED_MAX);
    let received = received.ok_or(TOO_MANY)?;
    Ok(Levels { received, available: before.available + units, ..before })
}

fn lost(before: Levels, units: u64) -> Result<Levels, Refusal> {
    let available = before.available.checked_sub(units).ok_or(TOO_FEW)?;
    Ok(Levels { available, written_off: before.written_off + units, ..before })
}
