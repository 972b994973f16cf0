//! Checks that the versions of an order count 1, 2, 3 …, its states follow the lifecycle, and reads never go back.

use std::collections::BTreeMap;

use super::{Ending, Entry, Operation, Order, Outcome};

/// The transitions of the default lifecycle, stated independently of the product.
const LEGAL: [(&str, &str); 9] = [
    ("CREATED", "RESERVED"),
    ("CREATED", "FAILED"),
    ("RESERVED", "ACCEPTED"),
    ("ACCEPTED", "PREPARED"),
    ("PREPARED", "SHIPPED"),
    ("SHIPPED", "DELIVERED"),
    ("RESERVED", "CANCELED"),
    ("ACCEPTED", "CANCELED"),
    ("PREPARED", "CANCELED"),
];

/// The changes of each order have the versions 1, 2, 3 …, start in CREATED, follow legal transitions, and lead to the
/// final state.
pub fn versions_count(ending: &Ending) -> Result<(), String> {
    let mut last: BTreeMap<&str, &Order> = BTreeMap::new();
    for change in &ending.changes {
        let before = last.insert(&change.id, change);
        let legal = match before {
            None => change.version == 1 && change.status == "CREATED",
            Some(before) => {
                change.version == before.version + 1
                    && LEGAL.contains(&(before.status.as_str(), change.status.as_str()))
            }
        };
        if !legal {
            return Err(format!("{before:?} is followed by {change:?}"));
        }
    }
    for order in &ending.orders {
        let logged = last.remove(order.id.as_str());
        if logged.map(|logged| (logged.version, &logged.status)) != Some((order.version, &order.status)) {
            return Err(format!("{order:?} is shown, and the log has {logged:?}"));
        }
        if order.status == "CREATED" {
            return Err(format!("{order:?} was never decided"));
        }
    }
    match last.into_values().next() {
        Some(lacking) => Err(format!("{lacking:?} is in the log and not shown")),
        None => Ok(()),
    }
}

/// A read under a position shows at least the version of that position. It also shows at least the version that any
/// earlier such read of the order showed.
pub fn reads_never_go_back(history: &[Entry]) -> Result<(), String> {
    let mut reads: BTreeMap<&str, Vec<(&Entry, u64)>> = BTreeMap::new();
    for entry in history {
        let Operation::Read { order, at_least } = &entry.operation else { continue };
        let version = match &entry.outcome {
            Outcome::Order(order) => order.version,
            Outcome::Refused(why) if why.contains("not-found") => 0,
            _ => continue,
        };
        if version < *at_least {
            return Err(format!("version {version} is older than the position it was read at: {entry:?}"));
        }
        let before = reads.entry(order).or_default();
        let newer = before.iter().find(|(read, seen)| read.completed < entry.invoked && *seen > version);
        if let Some((read, _)) = newer {
            return Err(format!("{entry:?} goes back behind {read:?}"));
        }
        before.push((entry, version));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::*;

    #[track_caller]
    fn is_found(ending: &Ending, words: &str) {
        let error = versions_count(ending).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn versions_that_count_along_the_lifecycle_are_accepted() {
        versions_count(&ending(&[order("a", "CANCELED", 3), order("b", "FAILED", 2)])).unwrap();
    }

    #[test]
    fn gaps_repeats_and_illegal_ways_are_found() {
        let good = ending(&[order("a", "CANCELED", 3)]);
        for lacking in 0..3 {
            let mut bad = good.clone();
            bad.changes.remove(lacking);
            assert!(versions_count(&bad).is_err(), "without change {lacking}");
            let mut bad = good.clone();
            bad.changes.insert(lacking, bad.changes[lacking].clone());
            is_found(&bad, "is followed by");
        }
        let mut bad = good.clone();
        bad.changes[1].status = "SHIPPED".into();
        is_found(&bad, "is followed by");
        let mut bad = good;
        bad.changes[0].status = "RESERVED".into();
        is_found(&bad, "is followed by");
    }

    #[test]
    fn a_list_that_is_not_the_end_of_the_log_is_found() {
        let mut bad = ending(&[order("a", "CANCELED", 3)]);
        bad.orders[0] = order("a", "RESERVED", 2);
        is_found(&bad, "is shown");
        bad.orders.clear();
        is_found(&bad, "not shown");
        is_found(&ending(&[order("a", "CREATED", 1)]), "never decided");
    }

    #[test]
    fn reads_that_go_back_are_found_and_concurrent_ones_are_not() {
        let read = |version, at, end| read("a", 2, at, end, Outcome::Order(order("a", "RESERVED", version)));
        reads_never_go_back(&[read(2, 1, 2), read(3, 3, 4), read(3, 5, 6)]).unwrap();
        reads_never_go_back(&[read(3, 1, 10), read(2, 2, 9)]).unwrap();
        let error = reads_never_go_back(&[read(3, 1, 2), read(2, 3, 4)]).unwrap_err();
        assert!(error.contains("goes back"), "{error}");
        let error = reads_never_go_back(&[read(1, 1, 2)]).unwrap_err();
        assert!(error.contains("older than the position"), "{error}");
    }

    #[test]
    fn a_read_that_no_longer_finds_an_order_is_found() {
        let gone = read("a", 2, 1, 2, Outcome::Refused("order-not-found".into()));
        assert!(reads_never_go_back(&[gone]).is_err());
        let late = read("a", 2, 1, 2, Outcome::Refused("not-caught-up".into()));
        reads_never_go_back(&[late]).unwrap();
    }
}
