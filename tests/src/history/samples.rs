//! Small handmade histories for the tests of the checks.

use serde_json::json;

use super::{Ending, Entry, Levels, Operation, Order, Outcome};

/// An order of one tea by `ann` under the key `key-ID`.
pub fn order(id: &str, status: &str, version: u64) -> Order {
    let (key, lines) = (format!("key-{id}"), vec![("tea".to_owned(), 1)]);
    let content = json!({ "id": id, "customer_id": "ann", "total": 100 });
    let (customer, status) = ("ann".to_owned(), status.to_owned());
    Order { id: id.to_owned(), customer, key: Some(key), status, version, lines, short: Vec::new(), content }
}

/// A final state with these orders. Each order has reached its state by the shortest path.
pub fn ending(orders: &[Order]) -> Ending {
    let changes = |order: &Order| -> Vec<Order> {
        let way = ["CREATED", "RESERVED", "ACCEPTED", "PREPARED", "SHIPPED"];
        let passed =
            (1..order.version).map(|version| self::order(&order.id, way[version as usize - 1], version));
        passed.chain([order.clone()]).collect()
    };
    Ending {
        orders: orders.to_vec(),
        changes: orders.iter().flat_map(changes).collect(),
        ..Ending::default()
    }
}

/// Levels with these received and reserved units; the rest is available.
pub fn levels_of(received: u64, reserved: u64) -> Levels {
    Levels { received, available: received - reserved, reserved, ..Levels::default() }
}

/// An answer with those levels.
pub fn levels(received: u64, reserved: u64) -> Outcome {
    Outcome::Levels(levels_of(received, reserved))
}

fn entry(
    key: Option<&str>,
    operation: Operation,
    (invoked, completed): (u64, u64),
    outcome: Outcome,
) -> Entry {
    Entry { client: 0, key: key.map(str::to_owned), operation, invoked, completed, outcome }
}

/// The customer `ann` places an order of one tea.
pub fn place(key: &str, invoked: u64, completed: u64, outcome: Outcome) -> Entry {
    let operation = Operation::Place { customer: "ann".into(), lines: vec![("tea".into(), 1)] };
    entry(Some(key), operation, (invoked, completed), outcome)
}

/// A client moves an order to another state.
pub fn change(order: &str, to: &str, invoked: u64, completed: u64, outcome: Outcome) -> Entry {
    entry(None, Operation::Change { order: order.into(), to: to.into() }, (invoked, completed), outcome)
}

/// A client receives units of tea.
pub fn receive(key: &str, units: u64, invoked: u64, completed: u64, outcome: Outcome) -> Entry {
    entry(Some(key), Operation::Receive { sku: "tea".into(), units }, (invoked, completed), outcome)
}

/// A client corrects the units of tea.
pub fn adjust(key: &str, delta: i64, invoked: u64, completed: u64, outcome: Outcome) -> Entry {
    entry(Some(key), Operation::Adjust { sku: "tea".into(), delta }, (invoked, completed), outcome)
}

/// A client reads the levels of tea.
pub fn look(since: u64, invoked: u64, completed: u64, outcome: Outcome) -> Entry {
    entry(None, Operation::Look { sku: "tea".into(), since }, (invoked, completed), outcome)
}

/// A client reads an order.
pub fn read(order: &str, at_least: u64, invoked: u64, completed: u64, outcome: Outcome) -> Entry {
    entry(None, Operation::Read { order: order.into(), at_least }, (invoked, completed), outcome)
}
