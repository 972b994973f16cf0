//! The checks that make sure a lifecycle can run.
//!
//! The check walks all pairs of a state and the order's stock reservation in that state. So a state may mean "waiting
//! for stock" first and "held" later, and still no path loses stock or ships stock that is not held.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    time::Duration,
};

use super::{Lifecycle, Roles, StateId, StockEffect, Transition, Trigger};
use crate::events::Holding;

/// The names of the states that a transition leaves and enters, displayed as `FROM -> TO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitionName {
    /// The state that it leaves.
    pub from: String,
    /// The state that it enters.
    pub to: String,
}

impl TransitionName {
    fn of(lifecycle: &Lifecycle, transition: &Transition) -> Self {
        let name = |id| lifecycle.state(id).name.to_string();
        Self { from: name(transition.from), to: name(transition.to) }
    }
}

impl fmt::Display for TransitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

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
    #[error("transition {transition}: `after` is no duration such as 30m: {error}")]
    Duration {
        /// The transition.
        transition: TransitionName,
        /// Why the text is not a duration.
        error: humantime::DurationError,
    },
    /// A transition has no trigger, or more than one.
    #[error("transition {transition} needs exactly one of `by`, `on` and `after`")]
    Trigger {
        /// The transition.
        transition: TransitionName,
    },
    /// Two transitions from one state are on timers, on the same stock reply, or by request to the same state.
    #[error("state `{0}` has two transitions for the same trigger or to the same state")]
    Ambiguous(String),
    /// A transition is requested by callers, but lists no role.
    #[error("transition {transition}: `by` names nobody")]
    Nobody {
        /// The transition.
        transition: TransitionName,
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
    #[error("transition {transition} wants to {effect} stock, but the order's stock is {holding} there")]
    StockEffect {
        /// The transition.
        transition: TransitionName,
        /// The effect of the transition: `reserve`, `release` or `ship`.
        effect: &'static str,
        /// The state of the order's stock reservation at that point, in words.
        holding: &'static str,
    },
    /// An order can reach this final state with stock still reserved.
    #[error(
        "state `{0}` is final, yet an order can get there with stock still reserved: release or ship it before"
    )]
    StockKept(String),
    /// A transition on a stock reply reserves again. After a refusal, that repeats for as long as stock is short.
    #[error(
        "transition {transition} reserves again on a stock reply: that would never end while stock is short"
    )]
    ReserveOnReply {
        /// The transition.
        transition: TransitionName,
    },
    /// The state is on a cycle of transitions that happen without a caller and without a pause.
    #[error(
        "state `{0}` is on a cycle of transitions that need no request and never pause: one of them needs an `after` of at least 1s"
    )]
    CycleWithoutPause(String),
    /// An order can wait for stock in this state, but has no transition for one of the replies.
    #[error(
        "state `{0}` waits for stock, so it needs a transition on = \"reserved\" and one on = \"refused\""
    )]
    ReplyWithoutTransition(String),
    /// A transition is triggered by a stock reply, but no order waits for one in its state.
    #[error("transition {transition} is on a stock reply, but nothing is reserved before it")]
    ReplyNeverComes {
        /// The transition.
        transition: TransitionName,
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
    let points = walk(lifecycle)?;
    check_replies(lifecycle, &points)?;
    for (id, state) in lifecycle.states() {
        if !points.iter().any(|(state, _)| *state == id) {
            return Err(LifecycleError::Unreachable(state.name.to_string()));
        }
    }
    check_ends(lifecycle, &points)?;
    check_pauses(lifecycle, &points)
}

fn check_triggers(lifecycle: &Lifecycle) -> Result<(), LifecycleError> {
    for (id, state) in lifecycle.states() {
        let exits: Vec<_> = lifecycle.from(id).collect();
        if state.outcome.is_some() && !exits.is_empty() {
            return Err(LifecycleError::FinalHasExit(state.name.to_string()));
        }
        for (index, exit) in exits.iter().enumerate() {
            if exit.trigger == Trigger::By(Roles::default()) {
                return Err(LifecycleError::Nobody { transition: TransitionName::of(lifecycle, exit) });
            }
            let on_reply = matches!(exit.trigger, Trigger::Reserved | Trigger::Refused);
            if on_reply && exit.stock == Some(StockEffect::Reserve) {
                return Err(LifecycleError::ReserveOnReply {
                    transition: TransitionName::of(lifecycle, exit),
                });
            }
            if exits[..index].iter().any(|other| collide(other, exit)) {
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
    while let Some(point) = next.pop_front() {
        for transition in lifecycle.from(point.0) {
            if let Some(to) = step(lifecycle, point, transition)?
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
    Err(LifecycleError::StockEffect {
        transition: TransitionName::of(lifecycle, transition),
        effect,
        holding: describe(after),
    })
}

fn check_replies(lifecycle: &Lifecycle, points: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    for (id, state) in lifecycle.states() {
        let waits = points.contains(&(id, Holding::Asked));
        let is_complete = lifecycle.on_reply(id, true).is_some() && lifecycle.on_reply(id, false).is_some();
        if waits && !is_complete {
            return Err(LifecycleError::ReplyWithoutTransition(state.name.to_string()));
        }
        let on_reply = |exit: &&Transition| matches!(exit.trigger, Trigger::Reserved | Trigger::Refused);
        if let Some(exit) = lifecycle.from(id).find(on_reply).filter(|_| !waits) {
            return Err(LifecycleError::ReplyNeverComes { transition: TransitionName::of(lifecycle, exit) });
        }
    }
    Ok(())
}

/// Checks that a final state can be reached from every point, and that no final state keeps stock.
fn check_ends(lifecycle: &Lifecycle, points: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    let mut ending: BTreeSet<LifecyclePoint> = BTreeSet::new();
    for point in points {
        let state = lifecycle.state(point.0);
        if state.outcome.is_some() && point.1 != Holding::Nothing {
            return Err(LifecycleError::StockKept(state.name.to_string()));
        }
        if state.outcome.is_some() {
            ending.insert(*point);
        }
    }
    loop {
        let before = ending.len();
        for point in points {
            for transition in lifecycle.from(point.0) {
                if step(lifecycle, *point, transition)?.is_some_and(|to| ending.contains(&to)) {
                    ending.insert(*point);
                }
            }
        }
        if ending.len() == before {
            break;
        }
    }
    // Many states may lead to one dead end; the error names the dead end itself.
    let stuck: Vec<StateId> = points.difference(&ending).map(|(id, _)| *id).collect();
    let end = stuck.iter().find(|id| lifecycle.from(**id).next().is_none()).or(stuck.first());
    match end {
        Some(id) => Err(LifecycleError::DeadEnd(lifecycle.state(*id).name.to_string())),
        None => Ok(()),
    }
}

/// A timer of at least this length counts as a pause on a cycle of transitions that happen without a caller.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Checks that no order moves in a cycle without a caller and without a pause: it would write events as fast as the
/// machine can.
fn check_pauses(lifecycle: &Lifecycle, points: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    let mut on_cycle = points.clone();
    // A point whose successors all come to rest is not on a cycle.
    loop {
        let before = on_cycle.len();
        for point in points {
            if next_without_request(lifecycle, *point, &on_cycle)?.is_none() {
                on_cycle.remove(point);
            }
        }
        if on_cycle.len() == before {
            break;
        }
    }
    let Some(mut point) = on_cycle.first().copied() else { return Ok(()) };
    // Every point that is left leads to another one, so following them for long enough ends on a cycle.
    for _ in 0..on_cycle.len() {
        point = next_without_request(lifecycle, point, &on_cycle)?.unwrap_or(point);
    }
    Err(LifecycleError::CycleWithoutPause(lifecycle.state(point.0).name.to_string()))
}

/// A point in `among` that an order moves to from `point` without a caller and without a pause.
fn next_without_request(
    lifecycle: &Lifecycle,
    point: LifecyclePoint,
    among: &BTreeSet<LifecyclePoint>,
) -> Result<Option<LifecyclePoint>, LifecycleError> {
    for transition in lifecycle.from(point.0) {
        let rests = match transition.trigger {
            Trigger::By(_) => true,
            Trigger::After(time) => time >= PAUSE_MIN,
            Trigger::Reserved | Trigger::Refused => false,
        };
        let to = if rests { None } else { step(lifecycle, point, transition)? };
        if let Some(to) = to.filter(|to| among.contains(to)) {
            return Ok(Some(to));
        }
    }
    Ok(None)
}
