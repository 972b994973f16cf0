//! One SKU as an object that clients use concurrently, and the operations of a history on it.
//!
//! The operations take effect in these intervals. A receipt or correction takes effect between its first sending and
//! its answer, which has the exact levels after it. A reservation takes effect between the first sending of its order
//! and the answer RESERVED. A refusal takes effect in the same interval, at a moment when exactly the stated units
//! were available, and these were too few. A cancellation is answered when the order is over, and its units return
//! some time later; a release therefore ends only with the history. The same holds for a shipment. Levels are read
//! from the store, which may lag behind the log, but not behind the position of the reader. For a request about an
//! order without an answer, the final state tells whether it took effect. For a receipt without an answer, this is
//! unknown.
//! without an answer it is not known.

use std::collections::{BTreeMap, HashSet};

use super::{
    Ending, Entry, Levels, Operation, Order, Outcome,
    linear::{self, Interval, Model},
};

/// The sequential behaviour of a SKU.
#[derive(Debug)]
pub struct Shelf;

/// An operation on a SKU together with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// Units are received, found or lost; with the levels after it, if an answer had them.
    Move(i64, Option<Levels>),
    /// A correction of this many units is refused, because fewer are available.
    Lack(u64),
    /// This many units are reserved for an order.
    Reserve(u64),
    /// An order of the first number of units is refused, because only the second number is available.
    Refuse(u64, u64),
    /// A canceled order returns this many units.
    Release(u64),
    /// This many units leave with their order.
    Ship(u64),
    /// These levels are read.
    Look(Levels),
}

impl Model for Shelf {
    type State = Levels;
    type Operation = Does;

    fn step(now: &Levels, does: &Does) -> Option<Levels> {
        match *does {
            Does::Move(delta, told) => {
                moved(*now, delta).filter(|after| told.is_none_or(|told| told == *after))
            }
            Does::Lack(units) => (now.available < units).then_some(*now),
            Does::Refuse(units, available) => {
                (now.available == available && available < units).then_some(*now)
            }
            Does::Look(levels) => (*now == levels).then_some(*now),
            Does::Reserve(units) => {
                let available = now.available.checked_sub(units)?;
                Some(Levels { available, reserved: now.reserved + units, ..*now })
            }
            Does::Release(units) => {
                let reserved = now.reserved.checked_sub(units)?;
                Some(Levels { available: now.available + units, reserved, ..*now })
            }
            Does::Ship(units) => {
                let reserved = now.reserved.checked_sub(units)?;
                Some(Levels { shipped: now.shipped + units, reserved, ..*now })
            }
        }
    }

    fn only_looks(does: &Does) -> bool {
        matches!(does, Does::Lack(_) | Does::Refuse(..) | Does::Look(_))
    }
}

fn moved(now: Levels, delta: i64) -> Option<Levels> {
    let units = delta.unsigned_abs();
    if delta < 0 {
        let available = now.available.checked_sub(units)?;
        return Some(Levels { available, written_off: now.written_off + units, ..now });
    }
    Some(Levels { received: now.received + units, available: now.available + units, ..now })
}

/// Everything that clients saw of a SKU can be explained by one order of the operations. Orders must have one line
/// each.
pub fn is_linearizable(history: &[Entry], ending: &Ending, sku: &str) -> Result<(), String> {
    let intervals = intervals(history, ending, sku)?;
    linear::check::<Shelf>(Levels::default(), &intervals).map_err(|why| format!("{sku}: {why}"))
}

fn intervals(history: &[Entry], ending: &Ending, sku: &str) -> Result<Vec<Interval<Does>>, String> {
    let end = history.iter().map(|entry| entry.completed + 1).max().unwrap_or_default();
    let history = &about(history, ending, sku);
    let mut all = movements(history, sku);
    for order in ending.orders.iter().filter(|order| order.units(sku) > 0) {
        if order.lines.len() != 1 {
            return Err(format!("an order of several lines cannot be judged: {order:?}"));
        }
        all.push(decision(history, order, end)?);
        all.extend(resolution(history, order, end)?);
    }
    let last = Does::Look(ending.stock.get(sku).copied().unwrap_or_default());
    all.push(Interval { operation: last, invoked: end + 1, completed: Some(end + 2) });
    Ok(all)
}

/// The entries of a history about a SKU and its orders.
fn about<'a>(history: &'a [Entry], ending: &'a Ending, sku: &str) -> Vec<&'a Entry> {
    let orders = ending.orders.iter().filter(|order| order.units(sku) > 0);
    let orders: HashSet<&str> = orders.map(|order| order.id.as_str()).collect();
    let is_about = |entry: &&Entry| match &entry.operation {
        Operation::Place { lines, .. } => lines.iter().any(|(of, _)| of == sku),
        Operation::Change { order, .. } | Operation::Read { order, .. } => orders.contains(order.as_str()),
        Operation::Receive { sku: of, .. }
        | Operation::Adjust { sku: of, .. }
        | Operation::Look { sku: of, .. } => of == sku,
    };
    history.iter().filter(is_about).collect()
}

/// The receipts, corrections and reads of a SKU.
fn movements(history: &[&Entry], sku: &str) -> Vec<Interval<Does>> {
    let (mut all, mut keyed) = (Vec::new(), BTreeMap::<String, Vec<(&Entry, i64)>>::new());
    for entry in history {
        let delta = match &entry.operation {
            Operation::Receive { sku: of, units } if of == sku => i64::try_from(*units).unwrap_or(i64::MAX),
            Operation::Adjust { sku: of, delta } if of == sku => *delta,
            Operation::Look { sku: of, since } if of == sku => {
                if let Outcome::Levels(levels) = entry.outcome {
                    let (operation, completed) = (Does::Look(levels), Some(entry.completed));
                    all.push(Interval { operation, invoked: *since, completed });
                }
                continue;
            }
            _ => continue,
        };
        let name = entry.key.clone().unwrap_or_else(|| entry.invoked.to_string());
        keyed.entry(name).or_default().push((entry, delta));
    }
    all.extend(keyed.values().filter_map(|sendings| movement(sendings)));
    all
}

/// The operation of a receipt or correction that was sent once or several times under its key.
fn movement(sendings: &[(&Entry, i64)]) -> Option<Interval<Does>> {
    let (first, delta) = *sendings.first()?;
    let invoked = first.invoked;
    let mut refused = None;
    for (entry, _) in sendings {
        let completed = Some(entry.completed);
        match &entry.outcome {
            Outcome::Levels(told) => {
                return Some(Interval { operation: Does::Move(delta, Some(*told)), invoked, completed });
            }
            Outcome::Refused(why) if why == "negative-stock" => {
                // The refusal may be that of the first sending, whose answer was lost.
                let operation = Does::Lack(delta.unsigned_abs());
                refused.get_or_insert(Interval { operation, invoked, completed });
            }
            _ => {}
        }
    }
    let perhaps = sendings.iter().any(|(entry, _)| entry.outcome == Outcome::Unknown);
    let unknown =
        perhaps.then_some(Interval { operation: Does::Move(delta, None), invoked, completed: None });
    refused.or(unknown)
}

/// The decision of stock about an order.
fn decision(history: &[&Entry], order: &Order, end: u64) -> Result<Interval<Does>, String> {
    let is_it = |entry: &&&Entry| {
        let Operation::Place { customer, .. } = &entry.operation else { return false };
        *customer == order.customer && entry.key == order.key
    };
    let invoked = history.iter().filter(is_it).map(|entry| entry.invoked).min();
    let Some(invoked) = invoked else { return Err(format!("nobody asked for {order:?}")) };
    let decided = |entry: &&&Entry| match &entry.outcome {
        Outcome::Order(told) => told.id == order.id && told.version > 1,
        _ => false,
    };
    let told = history.iter().filter(decided).map(|entry| entry.completed).min();
    let ((_, units), short) = (&order.lines[0], order.short.first());
    let operation = match (order.status == "FAILED", short) {
        (false, _) => Does::Reserve(*units),
        (true, Some((_, available))) => Does::Refuse(*units, *available),
        (true, None) => return Err(format!("failed without being short: {order:?}")),
    };
    Ok(Interval { operation, invoked, completed: Some(told.unwrap_or(end)) })
}

/// How an order returned or shipped its units, if it did.
fn resolution(history: &[&Entry], order: &Order, end: u64) -> Result<Option<Interval<Does>>, String> {
    let units = order.lines[0].1;
    let (state, operation) = match order.status.as_str() {
        "CANCELED" => ("CANCELED", Does::Release(units)),
        "SHIPPED" | "DELIVERED" => ("SHIPPED", Does::Ship(units)),
        _ => return Ok(None),
    };
    let asks = |entry: &&&Entry| match &entry.operation {
        Operation::Change { order: id, to } => *id == order.id && to == state,
        _ => false,
    };
    match history.iter().filter(asks).map(|entry| entry.invoked).min() {
        Some(invoked) => Ok(Some(Interval { operation, invoked, completed: Some(end) })),
        None => Err(format!("nobody asked that this becomes {state}: {order:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::*;

    fn told(order: &Order) -> Outcome {
        Outcome::Order(order.clone())
    }

    fn failed(id: &str, available: u64) -> Order {
        Order { short: vec![("tea".into(), available)], ..order(id, "FAILED", 2) }
    }

    #[track_caller]
    fn check(history: &[Entry], orders: &[Order], end: Levels) -> Result<(), String> {
        let mut ending = ending(orders);
        ending.stock.insert("tea".into(), end);
        is_linearizable(history, &ending, "tea")
    }

    #[track_caller]
    fn is_explained(history: &[Entry], orders: &[Order], end: Levels) {
        check(history, orders, end).unwrap();
    }

    #[track_caller]
    fn is_not_explained(history: &[Entry], orders: &[Order], end: Levels) {
        let error = check(history, orders, end).unwrap_err();
        assert!(error.contains("no order explains"), "{error}");
    }

    #[test]
    fn the_last_one_goes_to_one_of_two() {
        let (a, b) = (order("a", "RESERVED", 2), failed("b", 0));
        let history = [
            receive("r", 1, 1, 2, levels(1, 0)),
            place("key-a", 3, 6, told(&a)),
            place("key-b", 4, 5, told(&b)),
        ];
        is_explained(&history, &[a.clone(), b], levels_of(1, 1));
        // Oversold: both orders got the same unit.
        let b = order("b", "RESERVED", 2);
        let oversold = [history[0].clone(), history[1].clone(), place("key-b", 4, 5, told(&b))];
        let end = Levels { received: 2, available: 0, reserved: 2, ..Levels::default() };
        is_not_explained(&oversold, &[a, b], end);
    }

    #[test]
    fn an_order_must_not_fail_while_there_was_always_enough() {
        let history = [receive("r", 1, 1, 2, levels(1, 0)), place("key-a", 3, 4, told(&failed("a", 0)))];
        is_not_explained(&history, &[failed("a", 0)], levels_of(1, 0));
        let early = [receive("r", 1, 1, 4, levels(1, 0)), place("key-a", 2, 3, told(&failed("a", 0)))];
        is_explained(&early, &[failed("a", 0)], levels_of(1, 0));
        // A refusal while enough is available has no explanation either, for any stated levels.
        is_not_explained(&history, &[failed("a", 1)], levels_of(1, 0));
    }

    #[test]
    fn a_canceled_order_gives_back_what_it_held_later_and_once() {
        let (a, b) = (order("a", "CANCELED", 3), order("b", "RESERVED", 2));
        let canceled = [
            receive("r", 1, 1, 2, levels(1, 0)),
            place("key-a", 3, 4, told(&order("a", "RESERVED", 2))),
            change("a", "CANCELED", 5, 6, told(&a)),
        ];
        let still = place("key-b", 7, 8, told(&failed("b", 0)));
        is_explained(&[&canceled[..], &[still]].concat(), &[a.clone(), failed("b", 0)], levels_of(1, 0));
        let again = place("key-b", 7, 8, told(&b));
        is_explained(
            &[&canceled[..], std::slice::from_ref(&again)].concat(),
            &[a.clone(), b.clone()],
            levels_of(1, 1),
        );
        is_not_explained(&canceled, &[a], levels_of(1, 1));
        // The cancellation takes effect before it was requested.
        let early = Entry { invoked: 4, completed: 4, ..again };
        let held = order("a", "RESERVED", 2);
        is_not_explained(&[&canceled[..2], &[early]].concat(), &[held, b], levels_of(1, 1));
    }

    #[test]
    fn a_receipt_that_was_acknowledged_is_there_and_one_that_was_not_may_be() {
        is_not_explained(&[receive("r", 1, 1, 2, levels(1, 0))], &[], levels_of(0, 0));
        is_not_explained(&[receive("r", 1, 1, 2, levels(2, 0))], &[], levels_of(1, 0));
        for units in [0, 1] {
            is_explained(&[receive("r", 1, 1, 2, Outcome::Unknown)], &[], levels_of(units, 0));
        }
        is_not_explained(&[receive("r", 1, 1, 2, Outcome::Unknown)], &[], levels_of(2, 0));
        let repeated = [receive("r", 1, 1, 2, Outcome::Unknown), receive("r", 1, 5, 6, levels(1, 0))];
        is_explained(&repeated, &[], levels_of(1, 0));
        is_not_explained(&repeated, &[], levels_of(2, 0));
    }

    #[test]
    fn levels_may_lag_but_not_behind_the_position_of_the_reader() {
        let receipts = [receive("r", 1, 1, 2, levels(1, 0)), receive("s", 1, 3, 4, levels(2, 0))];
        let late = look(1, 5, 6, levels(1, 0));
        is_explained(&[&receipts[..], &[late]].concat(), &[], levels_of(2, 0));
        let too_late = look(3, 5, 6, levels(0, 0));
        is_not_explained(&[&receipts[..], &[too_late]].concat(), &[], levels_of(2, 0));
    }

    #[test]
    fn a_correction_is_refused_only_if_fewer_are_available() {
        let refused = |at| adjust("l", -1, at, at + 1, Outcome::Refused("negative-stock".into()));
        let receipt = receive("r", 1, 3, 4, levels(1, 0));
        is_explained(&[refused(1), receipt.clone()], &[], levels_of(1, 0));
        is_not_explained(&[receipt.clone(), refused(5)], &[], levels_of(1, 0));
        let lost = adjust("l", -1, 1, 2, Outcome::Unknown);
        is_explained(&[lost, receipt, refused(5)], &[], levels_of(1, 0));
    }
}
