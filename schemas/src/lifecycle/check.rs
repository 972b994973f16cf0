//! What makes a lifecycle fit to run.
//!
//! The check walks every pair of a state and what the order's stock may be in that state. So a state may mean
//! "waiting for stock" first and "held" later, and still no way loses or ships stock that is not there.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use super::{Lifecycle, Roles, StateId, StockEffect, Transition, Trigger};
use crate::events::Holding;

/// Why a pipeline file is refused. Each message names what to mend.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// Not TOML, or not of this form; unknown keys end here too.
    #[error("not a pipeline file: {0}")]
    Toml(#[from] toml::de::Error),
    /// A state's name cannot be one.
    #[error("state `{name}`: the name {error}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: crate::ids::InvalidName,
    },
    /// More states than a lifecycle may have.
    #[error("a lifecycle has at most 255 states")]
    TooManyStates,
    /// A state is named that is not listed.
    #[error("state `{0}` is not listed under [states]")]
    UnknownState(String),
    /// A role is named that there is not.
    #[error("role `{0}` is none of customer, admin, courier, service")]
    UnknownRole(String),
    /// The time of a transition is no duration.
    #[error("transition {} -> {}: `after` is no duration such as 30m: {error}", way.0, way.1)]
    Duration {
        /// From and to.
        way: (String, String),
        /// What is wrong.
        error: humantime::DurationError,
    },
    /// A transition has no trigger or several.
    #[error("transition {} -> {} needs exactly one of `by`, `on` and `after`", way.0, way.1)]
    Trigger {
        /// From and to.
        way: (String, String),
    },
    /// Two transitions leave a state for the same reason.
    #[error("state `{0}` has two transitions for the same trigger or to the same state")]
    Ambiguous(String),
    /// A transition that nobody may make.
    #[error("transition {} -> {}: `by` names nobody", way.0, way.1)]
    Nobody {
        /// From and to.
        way: (String, String),
    },
    /// No way leads there.
    #[error("state `{0}` cannot be reached")]
    Unreachable(String),
    /// No way leads out, and it is not final.
    #[error(
        "state `{0}` is a dead end: no final state can be reached from it; mark it final or add a transition"
    )]
    DeadEnd(String),
    /// A way leads out of a final state.
    #[error("state `{0}` is final and cannot have transitions")]
    FinalHasExit(String),
    /// Placing an order can only reserve.
    #[error("[initial] can only have stock = \"reserve\"")]
    InitialStock,
    /// Stock would be shipped or released that is not held, or reserved twice.
    #[error("transition {} -> {} wants to {effect} stock, but the order's stock is {holding} there", way.0, way.1)]
    StockEffect {
        /// From and to.
        way: (String, String),
        /// What it wants.
        effect: &'static str,
        /// What there is.
        holding: &'static str,
    },
    /// Stock stays reserved for an order that is over.
    #[error(
        "state `{0}` is final, yet an order can get there with stock still reserved: release or ship it on the way"
    )]
    StockKept(String),
    /// Asking again right after a refusal would go on for as long as stock is short.
    #[error("transition {} -> {} reserves again on a stock reply: that would never end while stock is short", way.0, way.1)]
    ReserveOnReply {
        /// From and to.
        way: (String, String),
    },
    /// Transitions that happen by themselves lead around without a pause.
    #[error(
        "state `{0}` is on a circle of transitions that happen by themselves and never rest: one of them needs an `after` of at least 1s"
    )]
    Restless(String),
    /// Waiting for stock without a way for its answer.
    #[error(
        "state `{0}` waits for stock, so it needs a transition on = \"reserved\" and one on = \"refused\""
    )]
    NoWayForReply(String),
    /// A transition on stock's answer where none can come.
    #[error("transition {} -> {} is on a stock reply, but nothing was reserved on the way there", way.0, way.1)]
    NoReplyComes {
        /// From and to.
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

/// Refuses what cannot run.
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

/// All places an order can come to, from the initial one.
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

/// Where the transition leads from this place; `None` if it cannot happen there.
fn step(
    lifecycle: &Lifecycle,
    (_, holding): LifecyclePoint,
    transition: &Transition,
) -> Result<Option<LifecyclePoint>, LifecycleError> {
    let before = match (transition.trigger, holding) {
        (Trigger::Reserved, Holding::Asked) => Holding::Held,
        (Trigger::Refused, Holding::Asked) => Holding::Nothing,
        // While stock is asked only its answer counts, and an answer comes only then.
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

/// From every place a final state can be reached, and none of those keeps stock.
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
    // Many states may lead to one dead end; name that one.
    let stuck: Vec<StateId> = places.difference(&ending).map(|(id, _)| *id).collect();
    let end = stuck.iter().find(|id| lifecycle.from(**id).next().is_none()).or(stuck.first());
    match end {
        Some(id) => Err(LifecycleError::DeadEnd(lifecycle.state(*id).name.to_string())),
        None => Ok(()),
    }
}

/// A timer this long is a rest on a circle of transitions that happen by themselves.
const REST: Duration = Duration::from_secs(1);

/// No order goes around by itself without a rest: it would write events as fast as the machine can.
fn check_rests(lifecycle: &Lifecycle, places: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    let mut restless = places.clone();
    // Nothing that leads on only to places which come to rest is on a circle.
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
    // Some of what is left leads to a circle; following it for long enough ends on one.
    for _ in 0..restless.len() {
        place = next_by_itself(lifecycle, place, &restless)?.unwrap_or(place);
    }
    Err(LifecycleError::Restless(lifecycle.state(place.0).name.to_string()))
}

/// A place among these to which an order goes by itself and without a rest.
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
