//! Checks that acknowledged data is kept: what any answer showed of an order still holds, or later versions follow
//! from it.

use std::collections::BTreeMap;

use super::{Ending, Entry, Order, Outcome};

/// Every order that an answer showed exists with that content, and had that state at that version.
pub fn acknowledged_is_present(history: &[Entry], ending: &Ending) -> Result<(), String> {
    let orders: BTreeMap<&str, &Order> =
        ending.orders.iter().map(|order| (order.id.as_str(), order)).collect();
    let states: BTreeMap<(&str, u64), &str> = ending
        .changes
        .iter()
        .map(|change| ((change.id.as_str(), change.version), change.status.as_str()))
        .collect();
    for entry in history {
        match &entry.outcome {
            Outcome::Named(id) if !orders.contains_key(id.as_str()) => {
                return Err(format!("order {id} was acknowledged and is lost: {entry:?}"));
            }
            Outcome::Order(told) => {
                is_kept(told, &orders, &states).map_err(|why| format!("{why}: {entry:?}"))?
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_kept(
    told: &Order,
    orders: &BTreeMap<&str, &Order>,
    states: &BTreeMap<(&str, u64), &str>,
) -> Result<(), String> {
    let id = told.id.as_str();
    let Some(there) = orders.get(id) else {
        return Err(format!("order {id} was acknowledged and is lost"));
    };
    // Prices are set by the decision, so only content shown after the decision must stay the same.
    if told.version > 1 && there.content != told.content {
        return Err(format!("order {id} has become {}", there.content));
    }
    if there.version < told.version {
        return Err(format!("order {id} is back at version {}", there.version));
    }
    match states.get(&(id, told.version)) {
        Some(status) if *status == told.status => Ok(()),
        status => Err(format!("order {id} was {status:?} at version {}", told.version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::*;

    #[test]
    fn what_was_told_and_is_there_is_accepted_also_when_it_went_on() {
        let told = order("a", "RESERVED", 2);
        let history =
            [place("k", 1, 2, Outcome::Order(told.clone())), place("l", 3, 4, Outcome::Named("b".into()))];
        let ending = ending(&[order("a", "CANCELED", 3), order("b", "RESERVED", 2)]);
        acknowledged_is_present(&history, &ending).unwrap();
    }

    #[test]
    fn an_acknowledged_order_that_is_lost_is_found() {
        for told in [Outcome::Order(order("a", "RESERVED", 2)), Outcome::Named("a".into())] {
            let error = acknowledged_is_present(&[place("k", 1, 2, told)], &ending(&[])).unwrap_err();
            assert!(error.contains("lost"), "{error}");
        }
    }

    #[test]
    fn an_acknowledged_change_that_is_taken_back_is_found() {
        let history = [change("a", "CANCELED", 1, 2, Outcome::Order(order("a", "CANCELED", 3)))];
        let error = acknowledged_is_present(&history, &ending(&[order("a", "RESERVED", 2)])).unwrap_err();
        assert!(error.contains("back at version 2"), "{error}");
        let error = acknowledged_is_present(&history, &ending(&[order("a", "ACCEPTED", 3)])).unwrap_err();
        assert!(error.contains("was Some(\"ACCEPTED\") at version 3"), "{error}");
    }

    #[test]
    fn content_that_is_another_than_was_told_is_found() {
        let mut other = order("a", "RESERVED", 2);
        other.content["total"] = 7.into();
        let history = [place("k", 1, 2, Outcome::Order(order("a", "RESERVED", 2)))];
        let error = acknowledged_is_present(&history, &ending(&[other])).unwrap_err();
        assert!(error.contains("has become"), "{error}");
    }
}
