//! The final state, when everything is decided and shown. The history is compared with it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Levels, Order};
use crate::{Event, Stage, records};

/// The states in which an order holds stock.
const HOLDING: [&str; 3] = ["RESERVED", "ACCEPTED", "PREPARED"];
/// The states of an order whose goods have left.
const GONE: [&str; 2] = ["SHIPPED", "DELIVERED"];

/// The final state of a run.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// All orders, as the server showed them last.
    pub orders: Vec<Order>,
    /// The levels of each SKU, as the server showed them last.
    pub stock: BTreeMap<String, Levels>,
    /// Every change of every order, in the order of the log.
    pub changes: Vec<Order>,
    /// The levels of the SKU after each event of stock, in the order of the log.
    pub movements: Vec<(String, Levels)>,
}

/// What happened to the units of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The units are reserved for the order.
    Reserved,
    /// The units have left with the order.
    Shipped,
    /// The order holds no units.
    Nothing,
}

impl Ending {
    /// The final state from the lists that the server showed last, and from the log of the stopped server.
    #[track_caller]
    pub fn of(stage: &Stage, orders: &[Value], stock: &[Value]) -> Self {
        let sku = |holder: &Value| holder["sku"].as_str().expect("levels are of a SKU").to_owned();
        let movements = |event: Event| {
            let lines = event.data["lines"].as_array().cloned().unwrap_or_default();
            let holders = lines.into_iter().chain([event.data]);
            holders.filter(|holder| holder["levels"].is_object()).collect::<Vec<_>>()
        };
        let is_change = |event: &Event| event.kind.starts_with("order.") && event.data["order"].is_object();
        let changes = records(stage, "orders.events");
        let moved = records(stage, "stock.events").into_iter().flat_map(movements);
        Self {
            orders: orders.iter().map(Order::of).collect(),
            stock: stock.iter().map(|stock| (sku(stock), Levels::of(stock))).collect(),
            changes: changes
                .iter()
                .filter(|event| is_change(event))
                .map(|event| Order::of(&event.data["order"]))
                .collect(),
            movements: moved.map(|holder| (sku(&holder), Levels::of(&holder["levels"]))).collect(),
        }
    }
}

impl Order {
    /// What happened to the units of this order, by its state.
    pub fn holds(&self) -> Holds {
        match self.status.as_str() {
            status if HOLDING.contains(&status) => Holds::Reserved,
            status if GONE.contains(&status) => Holds::Shipped,
            _ => Holds::Nothing,
        }
    }
}
