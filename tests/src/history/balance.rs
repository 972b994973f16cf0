//! Checks that stock balances: after each event, in each response, and at the end against the receipts and orders of
//! the clients.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ending, Entry, Holds, Levels, Operation, Outcome};

/// The units that clients received or lost of a SKU: `certain` was acknowledged, and `perhaps` may have happened in
/// addition.
#[derive(Clone, Copy, Default)]
struct Sum {
    certain: u64,
    perhaps: u64,
}

impl Sum {
    fn add(&mut self, units: u64, certain: bool) {
        if certain {
            self.certain += units;
        } else {
            self.perhaps += units;
        }
    }

    fn allows(self, units: u64) -> bool {
        (self.certain..=self.certain + self.perhaps).contains(&units)
    }
}

/// All levels ever shown balance. The levels at the end are the sum of the receipts, losses and orders.
pub fn stock_balances(history: &[Entry], ending: &Ending) -> Result<(), String> {
    let movements = ending.stock.iter().chain(ending.movements.iter().map(|(sku, levels)| (sku, levels)));
    for (sku, levels) in movements {
        is_sound(levels).map_err(|why| format!("{sku}: {why}"))?;
    }
    for entry in history {
        if let Outcome::Levels(levels) = &entry.outcome {
            is_sound(levels).map_err(|why| format!("{why}: {entry:?}"))?;
        }
    }
    let (received, lost) = came_and_went(history);
    let skus: BTreeSet<&str> =
        received.keys().copied().chain(ending.stock.keys().map(String::as_str)).collect();
    for sku in skus {
        let levels = ending.stock.get(sku).copied().unwrap_or_default();
        let sums =
            (received.get(sku).copied().unwrap_or_default(), lost.get(sku).copied().unwrap_or_default());
        is_the_sum(levels, sums, ending, sku).map_err(|why| format!("{sku}: {why}: {levels:?}"))?;
    }
    Ok(())
}

fn is_sound(levels: &Levels) -> Result<(), String> {
    match levels.balance() && levels.reserved <= levels.received {
        true => Ok(()),
        false => Err(format!("{levels:?} do not balance")),
    }
}

fn is_the_sum(levels: Levels, sums: (Sum, Sum), ending: &Ending, sku: &str) -> Result<(), String> {
    let held = |holds: Holds| -> u64 {
        ending.orders.iter().filter(|order| order.holds() == holds).map(|order| order.units(sku)).sum()
    };
    let (reserved, shipped) = (held(Holds::Reserved), held(Holds::Shipped));
    let (received, lost) = sums;
    if !received.allows(levels.received) {
        return Err(format!("{} acknowledged as received, {} perhaps", received.certain, received.perhaps));
    }
    if !lost.allows(levels.written_off) {
        return Err(format!("{} acknowledged as lost, {} perhaps", lost.certain, lost.perhaps));
    }
    if (levels.reserved, levels.shipped) != (reserved, shipped) {
        return Err(format!("orders have {reserved} reserved and {shipped} shipped"));
    }
    Ok(())
}

/// The units received and lost of each SKU. Requests under the same key count once; they are certain if any of them
/// was acknowledged.
fn came_and_went(history: &[Entry]) -> (BTreeMap<&str, Sum>, BTreeMap<&str, Sum>) {
    let mut requests: BTreeMap<(&str, String), (i64, bool, bool)> = BTreeMap::new();
    for entry in history {
        let (sku, delta) = match &entry.operation {
            Operation::Receive { sku, units } => (sku, i64::try_from(*units).unwrap_or(i64::MAX)),
            Operation::Adjust { sku, delta } => (sku, *delta),
            _ => continue,
        };
        let name = entry.key.clone().unwrap_or_else(|| entry.invoked.to_string());
        let (_, certain, perhaps) = requests.entry((sku, name)).or_insert((delta, false, false));
        *certain |= entry.outcome.is_yes();
        *perhaps |= entry.outcome == Outcome::Unknown;
    }
    let (mut received, mut lost) = (BTreeMap::<&str, Sum>::new(), BTreeMap::<&str, Sum>::new());
    for ((sku, _), (delta, certain, perhaps)) in requests {
        if certain || perhaps {
            let sums = if delta < 0 { &mut lost } else { &mut received };
            sums.entry(sku).or_default().add(delta.unsigned_abs(), certain);
        }
    }
    (received, lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::*;

    /// A history in which five units are received, one is lost, an order of one is reserved, and an order of one is
    /// canceled.
    fn good() -> (Vec<Entry>, Ending) {
        let lost = Levels { available: 4, written_off: 1, ..levels_of(5, 0) };
        let history = vec![
            receive("r", 5, 1, 2, Outcome::Unknown),
            receive("r", 5, 3, 4, levels(5, 0)),
            adjust("l", -1, 5, 6, Outcome::Levels(lost)),
            adjust("m", -9, 7, 8, Outcome::Refused("negative-stock".into())),
        ];
        let mut ending = ending(&[order("a", "RESERVED", 2), order("b", "CANCELED", 3)]);
        let end = Levels { available: 3, reserved: 1, ..lost };
        ending.stock = BTreeMap::from([("tea".to_owned(), end)]);
        ending.movements = [levels_of(5, 0), lost, end].map(|levels| ("tea".to_owned(), levels)).to_vec();
        (history, ending)
    }

    #[track_caller]
    fn is_found(change: impl FnOnce(&mut Vec<Entry>, &mut Ending), words: &str) {
        let (mut history, mut ending) = good();
        change(&mut history, &mut ending);
        let error = stock_balances(&history, &ending).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    fn end(ending: &mut Ending) -> &mut Levels {
        ending.stock.get_mut("tea").unwrap()
    }

    #[test]
    fn stock_that_is_the_sum_of_all_that_happened_is_accepted() {
        let (history, ending) = good();
        stock_balances(&history, &ending).unwrap();
    }

    #[test]
    fn a_receipt_without_an_answer_may_count_or_not() {
        for counts in [0, 2] {
            let (mut history, mut ending) = good();
            history.push(receive("u", 2, 9, 10, Outcome::Unknown));
            end(&mut ending).received += counts;
            end(&mut ending).available += counts;
            stock_balances(&history, &ending).unwrap();
        }
        is_found(
            |history, _| history.push(receive("v", 2, 9, 10, levels(7, 1))),
            "7 acknowledged as received",
        );
    }

    #[test]
    fn levels_that_do_not_balance_are_found_wherever_they_are_shown() {
        is_found(|_, ending| end(ending).available += 1, "do not balance");
        is_found(|_, ending| ending.movements[1].1.reserved += 1, "do not balance");
        let bad = Levels { received: 1, ..levels_of(5, 0) };
        is_found(|history, _| history[1].outcome = Outcome::Levels(bad), "do not balance");
    }

    #[test]
    fn a_receipt_that_is_lost_or_counted_twice_is_found() {
        is_found(
            |_, ending| *end(ending) = Levels { received: 4, available: 2, ..*end(ending) },
            "as received",
        );
        is_found(
            |_, ending| *end(ending) = Levels { received: 10, available: 8, ..*end(ending) },
            "as received",
        );
        is_found(
            |_, ending| *end(ending) = Levels { written_off: 2, available: 2, ..*end(ending) },
            "as lost",
        );
        is_found(|_, ending| ending.stock.clear(), "as received");
    }

    #[test]
    fn reservations_that_no_order_has_and_orders_without_a_reservation_are_found() {
        is_found(
            |_, ending| *end(ending) = Levels { available: 2, reserved: 2, ..*end(ending) },
            "orders have 1",
        );
        is_found(|_, ending| ending.orders[1] = order("b", "RESERVED", 2), "orders have 2");
        is_found(|_, ending| ending.orders[0] = order("a", "SHIPPED", 5), "1 shipped");
    }
}
