//! The checks that make sure a lifecycle can run.
//!
//! The check walks all pairs of a state and the order's stock reservation in that state. So a state may mean "waiting
//! for stock" first and "held" later, and still no path loses stock or ships stock that is not held.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use super::{Lifecycle, Roles, StateId, StockEffect, Transition, Trigger};
use crate::events::Holding;

/// Why a pipeline file is refused. Each message names the part to correct.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The text is not TOML, or not in the form of a pipeline file. Unknown keys are reported here too.
    #[error("not a pipeline file: {0}")]
    Toml(#[from] toml::de::Error),
    /// A state has a name that is not allowed.
    #[error("state `{name}`: the name {error}")]
    Name {
        /// The name of the state.
        name: String,
        /// Why the name is not allowed.
        error: crate::ids::InvalidName,
    },
    /// The file has more states than the 255 that a lifecycle may have.
    #[error("a lifecycle has at most 255 states")]
    TooManyStates,
    /// The file refers to a state that it does not list.
    #[error("state `{0}` is not listed under [states]")]
    UnknownState(String),
    /// The file refers to a role that does not exist or cannot move orders.
    #[error("role `{0}` is none of customer, admin, courier, service")]
    UnknownRole(String),
    /// The `after` of a transition is not a duration.
    #[error("transition {} -> {}: `after` is no duration such as 30m: {error}", way.0, way.1)]
    Duration {
        /// The names of the states that the transition leaves and enters.
        way: (String, String),
        /// Why the text is not a duration.
        error: humantime::DurationError,
    },
    /// A transition has no trigger, or more than one.
    #[error("transition {} -> {} needs exactly one of `by`, `on` and `after`", way.0, way.1)]
    Trigger {
        /// The names of the states that the transition leaves and enters.
        way: (String, String),
    },
    /// Two transitions from one state are on timers, on the same stock reply, or by request to the same state.
    #[error("state `{0}` has two transitions for the same trigger or to the same state")]
    Ambiguous(String),
    /// A transition is requested by callers, but lists no role.
    #[error("transition {} -> {}: `by` names nobody", way.0, way.1)]
    Nobody {
        /// The names of the states that the transition leaves and enters.
        way: (String, String),
    },
    /// No path from the initial state leads to this state.
    #[error("state `{0}` cannot be reached")]
    Unreachable(String),
    /// The state is not final, and no path leads from it to a final state.
    #[error(
        "state `{0}` is a dead end: no final state can be reached from it; mark it final or add a transition"
    )]
    DeadEnd(String),
    /// A transition leaves a final state.
    #[error("state `{0}` is final and cannot have transitions")]
    FinalHasExit(String),
    /// Placing an order has an effect on stock other than to reserve.
    #[error("[initial] can only have stock = \"reserve\"")]
    InitialStock,
    /// A transition ships or releases stock that is not held, or reserves it twice.
    #[error("transition {} -> {} wants to {effect} stock, but the order's stock is {holding} there", way.0, way.1)]
    StockEffect {
        /// The names of the states that the transition leaves and enters.
        way: (String, String),
        /// The effect of the transition: `reserve`, `release` or `ship`.
        effect: &'static str,
        /// The state of the order's stock reservation at that point, in words.
        holding: &'static str,
    },
    /// An order can reach this final state with stock still reserved.
    #[error(
        "state `{0}` is final, yet an order can get there with stock still reserved: release or ship it on the way"
    )]
    StockKept(String),
    /// A transition on a stock reply reserves again. After a refusal, that repeats for as long as stock is short.
    #[error("transition {} -> {} reserves again on a stock reply: that would never end while stock is short", way.0, way.1)]
    ReserveOnReply {
        /// The names of the states that the transition leaves and enters.
        way: (String, String),
    },
    /// The state is on a cycle of transitions that happen without a caller and without a pause.
    #[error(
        "state `{0}` is on a circle of transitions that happen by themselves and never rest: one of them needs an `after` of at least 1s"
    )]
    Restless(String),
    /// An order can wait for stock in this state, but has no transition for one of the replies.
    #[error(
        "state `{0}` waits for stock, so it needs a transition on = \"reserved\" and one on = \"refused\""
    )]
    NoWayForReply(String),
    /// A transition is triggered by a stock reply, but no order waits for one in its state.
    #[error("transition {} -> {} is on a stock reply, but nothing was reserved on the way there", way.0, way.1)]
    NoReplyComes {
        /// The names of the states that the transition leaves and enters.
        way: (String, String),
    },
}

fn describe(holding: Holding) -> &'static str {
    match holding {
        Holding::Nothing => "not reserved",
        Holding::Asked => "being reserved",
        Holding::Held => "reserved already",
    }
}

type LifecyclePoint = (StateId, Holding);

/// Refuses a lifecycle that cannot run.
pub(super) fn check(lifecycle: &Lifecycle) -> Result<(), LifecycleError> {
    check_triggers(lifecycle)?;
    let places = walk(lifecycle)?;
    check_replies(lifecycle, &places)?;
    for (id, state) in lifecycle.states() {
        if !places.iter().any(|(at, _)| *at == id) {
            return Err(LifecycleError::Unreachable(state.name.to_string()));
        }
    }
    check_ends(lifecycle, &places)?;
    check_rests(lifecycle, &places)
}

fn way(lifecycle: &Lifecycle, transition: &Transition) -> (String, String) {
    let name = |id| lifecycle.state(id).name.to_string();
    (name(transition.from), name(transition.to))
}

fn check_triggers(lifecycle: &Lifecycle) -> Result<(), LifecycleError> {
    for (id, state) in lifecycle.states() {
        let exits: Vec<_> = lifecycle.from(id).collect();
        if state.outcome.is_some() && !exits.is_empty() {
            return Err(LifecycleError::FinalHasExit(state.name.to_string()));
        }
        for (at, exit) in exits.iter().enumerate() {
            if exit.trigger == Trigger::By(Roles::default()) {
                return Err(LifecycleError::Nobody { way: way(lifecycle, exit) });
            }
            let on_reply = matches!(exit.trigger, Trigger::Reserved | Trigger::Refused);
            if on_reply && exit.stock == Some(StockEffect::Reserve) {
                return Err(LifecycleError::ReserveOnReply { way: way(lifecycle, exit) });
            }
            if exits[..at].iter().any(|other| collide(other, exit)) {
                return Err(LifecycleError::Ambiguous(state.name.to_string()));
            }
        }
    }
    Ok(())
}

fn collide(a: &Transition, b: &Transition) -> bool {
    match (a.trigger, b.trigger) {
        (Trigger::By(_), Trigger::By(_)) => a.to == b.to,
        (Trigger::After(_), Trigger::After(_)) => true,
        (a, b) => a == b,
    }
}

/// All points that an order can reach from the initial one. A point is a state and a stock reservation.
fn walk(lifecycle: &Lifecycle) -> Result<BTreeSet<LifecyclePoint>, LifecycleError> {
    let holding = match lifecycle.initial_stock {
        None => Holding::Nothing,
        Some(StockEffect::Reserve) => Holding::Asked,
        Some(_) => return Err(LifecycleError::InitialStock),
    };
    let start = (lifecycle.initial, holding);
    let (mut seen, mut next) = (BTreeSet::from([start]), VecDeque::from([start]));
    while let Some(place) = next.pop_front() {
        for transition in lifecycle.from(place.0) {
            if let Some(to) = step(lifecycle, place, transition)?
                && seen.insert(to)
            {
                next.push_back(to);
            }
        }
    }
    Ok(seen)
}

/// The point that the transition leads to from this point; `None` if it cannot happen there.
fn step(
    lifecycle: &Lifecycle,
    (_, holding): LifecyclePoint,
    transition: &Transition,
) -> Result<Option<LifecyclePoint>, LifecycleError> {
    let before = match (transition.trigger, holding) {
        (Trigger::Reserved, Holding::Asked) => Holding::Held,
        (Trigger::Refused, Holding::Asked) => Holding::Nothing,
        // While the order waits for stock, only the reply moves it, and a reply comes only then.
        (Trigger::Reserved | Trigger::Refused, _) | (_, Holding::Asked) => return Ok(None),
        (_, holding) => holding,
    };
    let (effect, after) = match (transition.stock, before) {
        (None, before) => return Ok(Some((transition.to, before))),
        (Some(StockEffect::Reserve), Holding::Nothing) => return Ok(Some((transition.to, Holding::Asked))),
        (Some(StockEffect::Release | StockEffect::Ship), Holding::Held) => {
            return Ok(Some((transition.to, Holding::Nothing)));
        }
        (Some(StockEffect::Reserve), before) => ("reserve", before),
        (Some(StockEffect::Release), before) => ("release", before),
        (Some(StockEffect::Ship), before) => ("ship", before),
    };
    Err(LifecycleError::StockEffect { way: way(lifecycle, transition), effect, holding: describe(after) })
}

fn check_replies(lifecycle: &Lifecycle, places: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    for (id, state) in lifecycle.states() {
        let waits = places.contains(&(id, Holding::Asked));
        let ways = lifecycle.on_reply(id, true).is_some() && lifecycle.on_reply(id, false).is_some();
        if waits && !ways {
            return Err(LifecycleError::NoWayForReply(state.name.to_string()));
        }
        let on_reply = |exit: &&Transition| matches!(exit.trigger, Trigger::Reserved | Trigger::Refused);
        if let Some(exit) = lifecycle.from(id).find(on_reply).filter(|_| !waits) {
            return Err(LifecycleError::NoReplyComes { way: way(lifecycle, exit) });
        }
    }
    Ok(())
}

/// Checks that a final state can be reached from every point, and that no final state keeps stock.
fn check_ends(lifecycle: &Lifecycle, places: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    let mut ending: BTreeSet<LifecyclePoint> = BTreeSet::new();
    for place in places {
        let state = lifecycle.state(place.0);
        if state.outcome.is_some() && place.1 != Holding::Nothing {
            return Err(LifecycleError::StockKept(state.name.to_string()));
        }
        if state.outcome.is_some() {
            ending.insert(*place);
        }
    }
    loop {
        let before = ending.len();
        for place in places {
            for transition in lifecycle.from(place.0) {
                if step(lifecycle, *place, transition)?.is_some_and(|to| ending.contains(&to)) {
                    ending.insert(*place);
                }
            }
        }
        if ending.len() == before {
            break;
        }
    }
    // Many states may lead to one dead end; the error names the dead end itself.
    let stuck: Vec<StateId> = places.difference(&ending).map(|(id, _)| *id).collect();
    let end = stuck.iter().find(|id| lifecycle.from(**id).next().is_none()).or(stuck.first());
    match end {
        Some(id) => Err(LifecycleError::DeadEnd(lifecycle.state(*id).name.to_string())),
        None => Ok(()),
    }
}

/// A timer of at least this length counts as a pause on a cycle of transitions that happen without a caller.
const REST: Duration = Duration::from_secs(1);

/// Checks that no order moves in a cycle without a caller and without a pause: it would write events as fast as the
/// machine can.
fn check_rests(lifecycle: &Lifecycle, places: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    let mut restless = places.clone();
    // A point whose successors all come to rest is not on a cycle.
    loop {
        let before = restless.len();
        for place in places {
            if next_by_itself(lifecycle, *place, &restless)?.is_none() {
                restless.remove(place);
            }
        }
        if restless.len() == before {
            break;
        }
    }
    let Some(mut place) = restless.first().copied() else { return Ok(()) };
    // Every point that is left leads to another one, so following them for long enough ends on a cycle.
    for _ in 0..restless.len() {
        place = next_by_itself(lifecycle, place, &restless)?.unwrap_or(place);
    }
    Err(LifecycleError::Restless(lifecycle.state(place.0).name.to_string()))
}

/// A point in `among` that an order moves to from `place` without a caller and without a pause.
fn next_by_itself(
    lifecycle: &Lifecycle,
    place: LifecyclePoint,
    among: &BTreeSet<LifecyclePoint>,
) -> Result<Option<LifecyclePoint>, LifecycleError> {
    for transition in lifecycle.from(place.0) {
        let rests = match transition.trigger {
            Trigger::By(_) => true,
            Trigger::After(time) => time >= REST,
            Trigger::Reserved | Trigger::Refused => false,
        };
        let to = if rests { None } else { step(lifecycle, place, transition)? };
        if let Some(to) = to.filter(|to| among.contains(to)) {
            return Ok(Some(to));
        }
    }
    Ok(None)
}
