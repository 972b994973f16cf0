//! Checks that each key has one order or one change, even if requests are repeated and processes are killed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ending, Entry, Operation, Outcome};

/// The orders under one key of a customer.
#[derive(Default)]
struct Told<'a> {
    /// The ids that answers contained.
    ids: BTreeSet<&'a str>,
    /// The ids of the orders that exist at the end.
    there: Vec<&'a str>,
}

/// All answers under one key name the same order. That order exists exactly once if any answer named it, otherwise at
/// most once. No order exists that was not requested. Repeated receipts get the same answer. A change that was made
/// under a key is not refused under that key, and a change that was refused is not made.
pub fn one_effect_a_key(history: &[Entry], ending: &Ending) -> Result<(), String> {
    let mut keys: BTreeMap<(&str, &str), Told<'_>> = BTreeMap::new();
    let mut levels = BTreeMap::new();
    let mut made = BTreeMap::new();
    for entry in history {
        let Some(key) = entry.key.as_deref() else { continue };
        if let Operation::Place { customer, .. } = &entry.operation {
            let told = keys.entry((customer, key)).or_default();
            match &entry.outcome {
                Outcome::Order(order) => told.ids.extend([order.id.as_str()]),
                Outcome::Named(id) => told.ids.extend([id.as_str()]),
                _ => {}
            }
        }
        if let Operation::Change { .. } = &entry.operation
            && let Some(is_made) = is_made(&entry.outcome)
            && *made.entry(key).or_insert(is_made) != is_made
        {
            return Err(format!("the change under key {key} was answered the other way before: {entry:?}"));
        }
        if let Outcome::Levels(now) = entry.outcome
            && *levels.entry(key).or_insert(now) != now
        {
            return Err(format!("key {key} was answered {:?} before: {entry:?}", levels[key]));
        }
    }
    for order in &ending.orders {
        let name = (order.customer.as_str(), order.key.as_deref().unwrap_or_default());
        match keys.get_mut(&name) {
            Some(told) => told.there.push(&order.id),
            None => return Err(format!("nobody asked for {order:?}")),
        }
    }
    keys.iter().try_for_each(|((customer, key), told)| is_one(customer, key, told))
}

/// Whether the answer to a change says that it was made; `None` if the answer does not tell. Other refusals are about
/// the server, not about the order.
fn is_made(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Order(_) => Some(true),
        Outcome::Refused(why) if ["illegal-transition", "stale-version"].contains(&why.as_str()) => {
            Some(false)
        }
        _ => None,
    }
}

fn is_one(customer: &str, key: &str, Told { ids, there }: &Told<'_>) -> Result<(), String> {
    if ids.len() > 1 {
        return Err(format!("key {key} of {customer} was answered with several orders: {ids:?}"));
    }
    if there.len() > 1 {
        return Err(format!("key {key} of {customer} has placed several orders: {there:?}"));
    }
    match (ids.first(), there.first()) {
        (Some(told), there) if there != Some(told) => {
            Err(format!("key {key} of {customer} was answered with {told}, and there is {there:?}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::*;

    fn told(id: &str) -> Outcome {
        Outcome::Order(order(id, "RESERVED", 2))
    }

    #[test]
    fn a_key_that_was_repeated_until_it_was_answered_stands_for_one_order() {
        let history = [
            place("key-a", 1, 2, Outcome::Unknown),
            place("key-a", 3, 4, told("a")),
            place("key-a", 5, 6, Outcome::Named("a".into())),
            place("key-b", 7, 8, Outcome::Unknown),
        ];
        one_effect_a_key(&history, &ending(&[order("a", "RESERVED", 2)])).unwrap();
        let with_b = ending(&[order("a", "RESERVED", 2), order("b", "RESERVED", 2)]);
        one_effect_a_key(&history, &with_b).unwrap();
    }

    #[test]
    fn two_ids_for_one_key_are_found() {
        let history = [place("key-a", 1, 2, told("a")), place("key-a", 3, 4, told("b"))];
        let error = one_effect_a_key(&history, &ending(&[order("a", "RESERVED", 2)])).unwrap_err();
        assert!(error.contains("several orders"), "{error}");
    }

    #[test]
    fn an_order_that_is_there_twice_is_found_also_when_nobody_was_told_of_it() {
        let mut again = order("a", "RESERVED", 2);
        again.id = "b".into();
        let twice = ending(&[order("a", "RESERVED", 2), again]);
        for outcome in [told("a"), Outcome::Unknown] {
            let error = one_effect_a_key(&[place("key-a", 1, 2, outcome)], &twice).unwrap_err();
            assert!(error.contains("has placed several"), "{error}");
        }
    }

    #[test]
    fn an_order_that_is_lost_or_that_nobody_asked_for_is_found() {
        let error = one_effect_a_key(&[place("key-a", 1, 2, told("a"))], &ending(&[])).unwrap_err();
        assert!(error.contains("there is None"), "{error}");
        let error = one_effect_a_key(&[], &ending(&[order("a", "RESERVED", 2)])).unwrap_err();
        assert!(error.contains("nobody asked"), "{error}");
    }

    #[test]
    fn a_change_under_a_key_that_is_answered_both_ways_is_found() {
        let accept =
            |at, outcome| Entry { key: Some("k".into()), ..change("a", "ACCEPTED", at, at + 1, outcome) };
        let accepted = || Outcome::Order(order("a", "ACCEPTED", 3));
        let prepared = || Outcome::Order(order("a", "PREPARED", 4));
        let refused = || Outcome::Refused("illegal-transition".into());
        let busy = || Outcome::Refused("overloaded".into());
        let ending = ending(&[]);
        let good =
            [accept(1, Outcome::Unknown), accept(3, busy()), accept(5, accepted()), accept(7, prepared())];
        one_effect_a_key(&good, &ending).unwrap();
        one_effect_a_key(&[accept(1, refused()), accept(3, refused())], &ending).unwrap();
        for bad in
            [[accept(1, accepted()), accept(3, refused())], [accept(1, refused()), accept(3, accepted())]]
        {
            let error = one_effect_a_key(&bad, &ending).unwrap_err();
            assert!(error.contains("the other way"), "{error}");
        }
    }

    #[test]
    fn a_receipt_that_is_answered_anew_is_found() {
        let history = [receive("k", 5, 1, 2, levels(5, 0)), receive("k", 5, 3, 4, levels(10, 0))];
        let error = one_effect_a_key(&history, &ending(&[])).unwrap_err();
        assert!(error.contains("before"), "{error}");
    }
}
