//! Validates requests about stock and the catalogue: receipts, adjustments and products.

use compact_str::CompactString;
use orderflow_schemas::{
    IdempotencyKey, Sku,
    commands::{AdjustStock, ReceiveStock, SetProduct},
    limits::{PRODUCT_NAME_CHARS_MAX, REASON_CHARS_MAX, RECEIPT_MAX},
};
use orderflow_web::{CallKey, Caller, Problem, fields::FieldErrors};

use crate::{
    fingerprint,
    requests::{AdjustmentRequest, ProductLine, ProductRequest, ReceiptLine, ReceiptRequest},
};

/// The command that receives units of a SKU into stock.
pub fn receive(
    sku: Sku,
    request: &ReceiptRequest,
    key: CallKey,
    caller: &Caller,
) -> Result<ReceiveStock, Problem> {
    let range = 1..=i64::from(RECEIPT_MAX);
    let Some(quantity) = request.quantity.within(range).and_then(|units| u32::try_from(units).ok()) else {
        let mut errors = FieldErrors::default();
        errors.add("/quantity", format_args!("must be an integer from 1 to {RECEIPT_MAX}"));
        return Err(errors.into_problem());
    };
    let idempotency = key.of_change(|| fingerprint::of_receipt(&sku, quantity));
    Ok(ReceiveStock { sku, quantity, idempotency, by: caller.actor() })
}

/// The command that corrects the available units of a SKU.
pub fn adjust(
    sku: Sku,
    request: AdjustmentRequest,
    key: CallKey,
    caller: &Caller,
) -> Result<AdjustStock, Problem> {
    let mut errors = FieldErrors::default();
    let delta_max = i64::from(RECEIPT_MAX);
    let delta = request.delta.within(-delta_max..=delta_max).filter(|delta| *delta != 0);
    if delta.is_none() {
        errors
            .add("/delta", format_args!("must be an integer other than 0 from -{delta_max} to {delta_max}"));
    }
    let reason = errors.not_empty("/reason", request.reason);
    let reason = errors.prose("/reason", reason, REASON_CHARS_MAX);
    let (Some(delta), Some(reason), true) = (delta, reason, errors.is_empty()) else {
        return Err(errors.into_problem());
    };
    let idempotency = key.of_change(|| fingerprint::of_adjustment(&sku, delta, &reason));
    Ok(AdjustStock { sku, delta, reason, idempotency, by: caller.actor() })
}

/// The command that puts a product into the catalogue.
pub fn set_product(
    sku: Sku,
    request: ProductRequest,
    key: CallKey,
    caller: &Caller,
) -> Result<SetProduct, Problem> {
    let mut errors = FieldErrors::default();
    let name = errors.not_empty("/name", request.name);
    let name = errors.text("/name", name, PRODUCT_NAME_CHARS_MAX);
    let unit_price = errors.price(|| "/unit_price".into(), request.unit_price);
    let currency = errors.currency(&request.currency);
    let (Some(name), Some(unit_price), Some(currency), true) =
        (name, unit_price, currency, errors.is_empty())
    else {
        return Err(errors.into_problem());
    };
    let idempotency = key.of_change(|| fingerprint::of_product(&sku, &name, unit_price, currency));
    Ok(SetProduct { sku, name, unit_price, currency, idempotency, by: caller.actor() })
}

/// The command of a line of `POST /inventory/batch`. Its key is the line's own, or that of `derived` if the line has
/// none.
pub fn receive_line(line: ReceiptLine, derived: CallKey, caller: &Caller) -> Result<ReceiveStock, Problem> {
    let sku = line_sku(line.sku)?;
    let key = line_key(line.idempotency_key, derived)?;
    receive(sku, &ReceiptRequest { quantity: line.quantity }, key, caller)
}

/// The command of a line of `POST /products/batch`. Its key is the line's own, or that of `derived` if the line has
/// none.
pub fn product_line(line: ProductLine, derived: CallKey, caller: &Caller) -> Result<SetProduct, Problem> {
    let ProductLine { sku, name, unit_price, currency, idempotency_key } = line;
    let sku = line_sku(sku)?;
    let key = line_key(idempotency_key, derived)?;
    set_product(sku, ProductRequest { name, unit_price, currency }, key, caller)
}

fn line_sku(text: CompactString) -> Result<Sku, Problem> {
    let mut errors = FieldErrors::default();
    errors.name("/sku", text).ok_or_else(|| errors.into_problem())
}

fn line_key(own: Option<CompactString>, derived: CallKey) -> Result<CallKey, Problem> {
    let mut errors = FieldErrors::default();
    let own: Option<IdempotencyKey> = own.and_then(|text| errors.name("/idempotency_key", text));
    if !errors.is_empty() {
        return Err(errors.into_problem());
    }
    Ok(CallKey { key: own.or(derived.key), call: derived.call })
}
