//! Compares the units that active orders hold with the units that stock has reserved for them.

use std::collections::BTreeMap;

use orderflow_processors::{orders::Orders, stock::Stock};
use orderflow_schemas::{OrderId, events::Holding};

use super::Differences;

/// Compares the units held by active orders with the units that stock has reserved, and reports orders that still
/// wait for stock. Use it only for logs in which every command is decided.
pub(super) fn compare_holdings(orders: &[Orders], stock: &[Stock], differences: &mut Differences) {
    let mut held: BTreeMap<OrderId, u64> = BTreeMap::new();
    for (id, units) in stock.iter().flat_map(Stock::reservations) {
        *held.entry(id).or_default() += units;
    }
    for (order, holding) in orders.iter().flat_map(Orders::iter) {
        let reserved = held.remove(&order.id).unwrap_or(0);
        let ordered: u64 = order.lines.skus().iter().map(|line| u64::from(line.quantity)).sum();
        let expected = if holding == Holding::Held { ordered } else { 0 };
        if holding == Holding::Asked {
            differences
                .add(|| format!("order {}: it waits for stock though every command is decided", order.id));
        } else if reserved != expected {
            differences.add(|| {
                format!("order {}: it holds {expected} units, stock has {reserved} reserved for it", order.id)
            });
        }
    }
    for (id, units) in held {
        differences.add(|| format!("order {id}: stock has {units} units reserved, but the order is over"));
    }
}
