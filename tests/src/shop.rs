//! The common steps of most tests: products, stock and orders.

use serde_json::{Value, json};

use crate::{Answer, Client, wait_until};

/// The levels of a SKU that was never received.
pub const NOTHING: [u64; 5] = [0; 5];

/// Puts a product into the catalogue, priced in EUR, and receives `units` units of it.
#[track_caller]
pub fn supply(keeper: &Client, sku: &str, unit_price: u64, units: u64) -> Answer {
    let product = json!({ "name": format!("The {sku}"), "unit_price": unit_price, "currency": "EUR" });
    keeper.put(&format!("/products/{sku}"), &product).is(200);
    keeper.post(&format!("/inventory/{sku}/receipts"), &json!({ "quantity": units })).is(200)
}

/// The body of an order in EUR with these units of each SKU, at catalogue prices.
pub fn order(lines: &[(&str, u64)]) -> Value {
    let lines: Vec<_> = lines.iter().map(|(sku, units)| json!({ "sku": sku, "quantity": units })).collect();
    json!({ "currency": "EUR", "lines": lines })
}

/// A line of a batch: an order of one unit by `customer` under `key`, with a stated price.
pub fn batch_line(key: &str, customer: &str, sku: &str) -> String {
    let lines = json!([{ "sku": sku, "quantity": 1, "unit_price": 100 }]);
    json!({ "idempotency_key": key, "customer_id": customer, "currency": "EUR", "lines": lines }).to_string()
        + "\n"
}

/// The path of an order, from a response about it.
#[track_caller]
pub fn path_of(answer: &Answer) -> String {
    let order = answer.json();
    format!("/orders/{}", order["id"].as_str().unwrap_or_else(|| panic!("no order: {order}")))
}

/// Moves an order to another state.
#[track_caller]
pub fn change(caller: &Client, order: &str, status: &str) -> Answer {
    caller.patch(&format!("{order}/status"), &json!({ "status": status }))
}

/// The levels in the JSON of a SKU: received, available, reserved, shipped and written off.
#[track_caller]
pub fn levels(stock: &Value) -> [u64; 5] {
    ["received", "available", "reserved", "shipped", "written_off"]
        .map(|level| stock[level].as_u64().unwrap_or_else(|| panic!("no level {level}: {stock}")))
}

/// Waits until a SKU has these levels: received, available, reserved, shipped and written off.
#[track_caller]
pub fn wait_levels(caller: &Client, sku: &str, wanted: [u64; 5]) {
    let mut last = NOTHING;
    let look = || {
        let answer = caller.get(&format!("/inventory/{sku}"));
        last = if answer.status == 404 { NOTHING } else { levels(&answer.is(200).json()) };
        (last == wanted).then_some(())
    };
    wait_until(&format!("{sku} has the levels {wanted:?}"), look);
}

/// The order with this idempotency key, or `None`; panics if there are several.
#[track_caller]
pub fn find(admin: &Client, key: &str) -> Option<Value> {
    let found = admin.get(&format!("/orders?idempotency_key={key}")).is(200).json();
    let items = found["items"].as_array().expect("a list has items");
    assert!(items.len() <= 1, "key {key} has placed several orders: {found}");
    items.first().cloned()
}
