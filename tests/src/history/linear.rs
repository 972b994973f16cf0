//! Checks whether the history of one object can be put into one order: linearizability.
//!
//! The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993) in Lowe's just-in-time form
//! ("Testing for linearizability", 2017). It walks along the moments at which operations began and ended, and keeps
//! the set of all states that the object can be in. An operation takes effect only when the end of another operation
//! requires it. Equal states are kept once. As in Knossos and porcupine, an operation without an answer may take
//! effect at any time after it began, or never.
//!
//! Two shortcuts lose no order. An operation that only reads takes effect as soon as it can. Of equal operations with
//! equal ends, the first one takes effect first. Objects are independent of each other, so each is checked alone
//! (Herlihy and Wing's locality; Horn and Kroening's P-compositionality).

use std::{collections::HashSet, fmt::Debug, hash::Hash};

/// The number of states at which the search gives up.
const STATES_MAX: usize = 500_000;

/// The sequential behaviour of an object.
pub trait Model {
    /// The state of the object.
    type State: Clone + Eq + Hash + Debug;
    /// An operation together with its answer.
    type Operation: Eq + Debug;

    /// The state after the operation; `None` if this answer is impossible in this state.
    fn step(state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;

    /// Whether the operation changes nothing in any state.
    fn only_looks(operation: &Self::Operation) -> bool;
}

/// An operation and the interval in which it may have taken effect.
#[derive(Clone, Debug)]
pub struct Interval<O> {
    /// The operation together with its answer.
    pub operation: O,
    /// The earliest moment at which it may have taken effect.
    pub invoked: u64,
    /// The latest moment at which it may have taken effect; `None` if it may have taken effect later or never.
    pub completed: Option<u64>,
}

/// Searches an order that explains all answers. Otherwise returns the answer that has no explanation.
pub fn check<M: Model>(initial: M::State, history: &[Interval<M::Operation>]) -> Result<(), String> {
    let mut search = Search::<M> { history, pending: Vec::new(), states: HashSet::new() };
    search.states.insert(Reached { state: initial, done: Vec::new() });
    for (_, moment) in moments(history) {
        match moment {
            Moment::Begin(n) => search.begin(n),
            Moment::End(n) => search.end(n)?,
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    // The order of the variants matters: an operation that ends when another begins is concurrent with it.
    Begin(usize),
    End(usize),
}

fn moments<O>(history: &[Interval<O>]) -> Vec<(u64, Moment)> {
    let begins = history.iter().enumerate().map(|(n, one)| (one.invoked, Moment::Begin(n)));
    let ends =
        history.iter().enumerate().filter_map(|(n, one)| one.completed.map(|end| (end, Moment::End(n))));
    let mut moments: Vec<_> = begins.chain(ends).collect();
    moments.sort_unstable();
    moments
}

/// A state that the object can be in, and the pending operations that have taken effect in it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Reached<S> {
    state: S,
    done: Vec<usize>,
}

struct Search<'a, M: Model> {
    history: &'a [Interval<M::Operation>],
    /// The operations that have begun and not ended, by their index.
    pending: Vec<usize>,
    states: HashSet<Reached<M::State>>,
}

impl<M: Model> Search<'_, M> {
    fn begin(&mut self, n: usize) {
        self.pending.push(n);
        self.states = std::mem::take(&mut self.states).into_iter().map(|one| self.observe(one)).collect();
    }

    /// Keeps only the states in which operation `n` has taken effect.
    fn end(&mut self, n: usize) -> Result<(), String> {
        let mut open: Vec<_> = std::mem::take(&mut self.states).into_iter().collect();
        let mut seen: HashSet<_> = open.iter().cloned().collect();
        let before: Vec<_> = open.iter().take(3).map(|one| one.state.clone()).collect();
        let mut kept = HashSet::new();
        while let Some(mut one) = open.pop() {
            if one.done.contains(&n) {
                one.done.retain(|done| *done != n);
                kept.insert(one);
                continue;
            }
            for next in self.nexts(&one) {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
            if seen.len() > STATES_MAX {
                return Err(format!("undecided: too much is concurrent with {:?}", self.history[n]));
            }
        }
        self.pending.retain(|pending| *pending != n);
        self.states = kept;
        if self.states.is_empty() {
            return Err(format!("no order explains {:?}; before it, one of {before:?} …", self.history[n]));
        }
        Ok(())
    }

    /// The states after one more pending operation.
    fn nexts<'s>(&'s self, from: &'s Reached<M::State>) -> impl Iterator<Item = Reached<M::State>> + 's {
        let open = |n: &usize| !from.done.contains(n) && !self.has_equal_before(from, *n);
        self.pending.iter().copied().filter(open).filter_map(|n| {
            let state = M::step(&from.state, &self.history[n].operation)?;
            Some(self.observe(from.with(n, state)))
        })
    }

    /// Whether an earlier equal operation with an equal end is still pending, which then takes effect first.
    fn has_equal_before(&self, from: &Reached<M::State>, n: usize) -> bool {
        let this = &self.history[n];
        self.pending.iter().take_while(|other| **other != n).any(|other| {
            let one = &self.history[*other];
            one.completed == this.completed && one.operation == this.operation && !from.done.contains(other)
        })
    }

    /// Lets all pending read operations take effect that match this state. An operation that could change other
    /// states is no read operation, even if it changes nothing here: it may be needed later.
    fn observe(&self, mut from: Reached<M::State>) -> Reached<M::State> {
        for n in &self.pending {
            let operation = &self.history[*n].operation;
            let looks = M::only_looks(operation) && !from.done.contains(n);
            if looks && M::step(&from.state, operation).is_some() {
                from = from.with(*n, from.state.clone());
            }
        }
        from
    }
}

impl<S: Clone> Reached<S> {
    fn with(&self, n: usize, state: S) -> Self {
        let mut done = self.done.clone();
        let place = done.partition_point(|one| *one < n);
        done.insert(place, n);
        Self { state, done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register that holds a number, the usual example in textbooks.
    struct Register;

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Does {
        Write(u64),
        Read(u64),
    }
    use Does::{Read, Write};

    impl Model for Register {
        type State = u64;
        type Operation = Does;

        fn step(state: &u64, operation: &Does) -> Option<u64> {
            match operation {
                Write(value) => Some(*value),
                Read(value) => (value == state).then_some(*state),
            }
        }

        fn only_looks(operation: &Does) -> bool {
            matches!(operation, Read(_))
        }
    }

    fn history(of: &[(Does, u64, Option<u64>)]) -> Vec<Interval<Does>> {
        let interval = |(operation, invoked, completed): &(Does, u64, Option<u64>)| Interval {
            operation: operation.clone(),
            invoked: *invoked,
            completed: *completed,
        };
        of.iter().map(interval).collect()
    }

    #[track_caller]
    fn is_explained(of: &[(Does, u64, Option<u64>)]) {
        check::<Register>(0, &history(of)).unwrap();
    }

    #[track_caller]
    fn is_not_explained(of: &[(Does, u64, Option<u64>)]) {
        let error = check::<Register>(0, &history(of)).unwrap_err();
        assert!(error.starts_with("no order explains"), "{error}");
    }

    #[test]
    fn one_after_the_other_must_read_what_was_written() {
        is_explained(&[(Write(1), 1, Some(2)), (Read(1), 3, Some(4))]);
        is_not_explained(&[(Write(1), 1, Some(2)), (Read(0), 3, Some(4))]);
        is_not_explained(&[(Read(7), 1, Some(2))]);
    }

    #[test]
    fn concurrent_operations_may_take_effect_in_either_order() {
        is_explained(&[(Write(1), 1, Some(10)), (Read(0), 2, Some(3)), (Read(1), 4, Some(5))]);
        is_not_explained(&[(Write(1), 1, Some(10)), (Read(1), 2, Some(3)), (Read(0), 4, Some(5))]);
        is_explained(&[(Write(1), 1, Some(10)), (Write(2), 2, Some(9)), (Read(1), 11, Some(12))]);
        is_explained(&[(Write(1), 1, Some(10)), (Write(2), 2, Some(9)), (Read(2), 11, Some(12))]);
        is_not_explained(&[(Write(1), 1, Some(10)), (Write(2), 2, Some(9)), (Read(0), 11, Some(12))]);
    }

    #[test]
    fn an_unknown_outcome_may_happen_late_or_never_but_not_early_and_not_twice() {
        is_explained(&[(Write(1), 1, None), (Read(0), 2, Some(3)), (Read(1), 4, Some(5))]);
        is_explained(&[(Write(1), 1, None), (Read(0), 2, Some(3)), (Read(0), 4, Some(5))]);
        is_not_explained(&[(Read(1), 1, Some(2)), (Write(1), 3, None)]);
        let twice =
            [(Write(1), 1, None), (Read(1), 2, Some(3)), (Write(2), 4, Some(5)), (Read(1), 6, Some(7))];
        is_not_explained(&twice);
        let again =
            [(Write(1), 1, Some(2)), (Write(1), 3, None), (Write(2), 4, Some(5)), (Read(1), 6, Some(7))];
        is_explained(&again);
    }

    #[test]
    fn readers_must_agree_on_the_order_of_writes() {
        let writes = [(Write(1), 1, Some(20)), (Write(2), 2, Some(20))];
        let read =
            |first, second, at| [(Read(first), at, Some(at + 1)), (Read(second), at + 2, Some(at + 3))];
        is_explained(&[&writes[..], &read(1, 2, 3), &read(2, 2, 7)].concat());
        is_not_explained(&[&writes[..], &read(1, 2, 3), &read(1, 2, 7)].concat());
    }

    #[test]
    fn many_unknown_equal_operations_do_not_make_the_search_explode() {
        let unknown = (0..60).map(|n| (Write(n % 3 + 1), n, None));
        let reads = (0..60).map(|n| (Read(n % 4), 100 + 2 * n, Some(101 + 2 * n)));
        let all: Vec<_> = unknown.chain(reads).collect();
        // A register has only its last value, so reading 0 after another value is the only impossible answer.
        is_not_explained(&all);
        is_explained(&all[..63]);
    }
}
