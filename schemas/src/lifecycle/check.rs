//! The checks that make sure a lifecycle can run.
//!
//! The check walks all pairs of a state and the order's stock reservation in that state. So a state may mean "waiting
//! for stock" first and "held" later, and still no path loses stock or ships stock that is not held.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    time::Duration,
};

use super::{Lifecycle, Roles, StateId, StockEffect, Transition, Trigger, Visible, placing};

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
    /// The file maps an event of shipments that does not exist.
    #[error(
        "[shipments]: `{0}` is none of picked_up, in_transit, out_for_delivery, delivered, failed_attempt, returned"
    )]
    UnknownShipment(String),
    /// A time of `reserve_for` is not a duration.
    #[error("[initial] reserve_for: no duration such as 30m: {0}")]
    ReserveForDuration(humantime::DurationError),
    /// The times of `reserve_for` are not in order, or too short.
    #[error("[initial] reserve_for: needs 1s <= min <= default <= max <= 10years, in whole seconds")]
    ReserveForBounds,
    /// The file has `reserve_for` or a transition that ends the reservation, but not both.
    #[error("[initial] reserve_for and a transition with after = \"reserve_for\" need each other")]
    ReserveForAlone,
    /// Orders become visible once they are reserved, but placing reserves nothing.
    #[error("[initial] visible = \"reserved\" needs stock = \"reserve\"")]
    VisibleWithoutStock,
    /// The limits of items are too large or 0.
    #[error("[items] needs name_chars_max from 1 to 255 and quantity_max from 1 to 1000000")]
    ItemLimits,
    /// Orders are for items, but the lifecycle moves stock.
    #[error(
        "with [items], no order has stock: remove the `stock` and `returns` of [initial], states and transitions"
    )]
    ItemsWithStock,
    /// Units can be returned in a state that an order can reach without having shipped.
    #[error("state `{0}` takes returns, yet an order can get there without having been shipped")]
    ReturnsWithoutShipping(String),
    /// Units can be returned in a state for ever, so that the order would stay in memory for ever.
    #[error(
        "state `{0}` takes returns, so it needs a transition with `after`, which ends the time for returns"
    )]
    ReturnsForEver(String),
    /// A transition is triggered by returns, but its state takes none.
    #[error("transition {transition} is on = \"returned\", but its state has no `returns = true`")]
    ReturnedWithoutReturns {
        /// The transition.
        transition: TransitionName,
    },
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
    /// A transition is a review, but nobody requests it.
    #[error("transition {transition}: `review` needs `by`")]
    ReviewByNobody {
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
        /// The effect of the transition: `reserve`, `release`, `ship` or `return`.
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

/// What an order has with stock at a point of its life. [`Holding`](crate::events::Holding) has the same, but does not
/// tell an order that was shipped from one that never had stock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stock {
    Nothing,
    Asked,
    Held,
    Shipped,
}

impl Stock {
    fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "not reserved",
            Self::Asked => "being reserved",
            Self::Held => "reserved already",
            Self::Shipped => "shipped already",
        }
    }
}

type LifecyclePoint = (StateId, Stock);

/// Refuses a lifecycle that cannot run.
pub(super) fn check(lifecycle: &Lifecycle) -> Result<(), LifecycleError> {
    placing::check(lifecycle)?;
    check_triggers(lifecycle)?;
    let points = walk(lifecycle)?;
    check_replies(lifecycle, &points)?;
    for (id, state) in lifecycle.states() {
        if !points.iter().any(|(state, _)| *state == id) {
            return Err(LifecycleError::Unreachable(state.name.to_string()));
        }
    }
    check_ends(lifecycle, &points)?;
    check_returns(lifecycle, &points)?;
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
            if exit.is_review && !matches!(exit.trigger, Trigger::By(_)) {
                return Err(LifecycleError::ReviewByNobody {
                    transition: TransitionName::of(lifecycle, exit),
                });
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
        (a, b) if is_timer(a) && is_timer(b) => true,
        (a, b) => a == b,
    }
}

fn is_timer(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::After(_) | Trigger::ReservationEnds)
}

/// All points that an order can reach from the initial one. A point is a state and a stock reservation.
fn walk(lifecycle: &Lifecycle) -> Result<BTreeSet<LifecyclePoint>, LifecycleError> {
    let holding = match (lifecycle.initial_stock, lifecycle.visible) {
        (None, _) => Stock::Nothing,
        (Some(StockEffect::Reserve), Visible::Placed) => Stock::Asked,
        (Some(StockEffect::Reserve), Visible::Reserved) => Stock::Held,
        (Some(_), _) => return Err(LifecycleError::InitialStock),
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
        (Trigger::Reserved, Stock::Asked) => Stock::Held,
        (Trigger::Refused, Stock::Asked) => Stock::Nothing,
        // While the order waits for stock, only the reply moves it, and a reply comes only then.
        (Trigger::Reserved | Trigger::Refused, _) | (_, Stock::Asked) => return Ok(None),
        (_, holding) => holding,
    };
    // What came back once cannot be counted against what is shipped a second time.
    let ships_again = before == Stock::Shipped && !lifecycle.takes_returns();
    let (effect, allowed, after) = match transition.stock {
        None => return Ok(Some((transition.to, before))),
        Some(StockEffect::Reserve) => ("reserve", before == Stock::Nothing || ships_again, Stock::Asked),
        Some(StockEffect::Release) => ("release", before == Stock::Held, Stock::Nothing),
        Some(StockEffect::Ship) => ("ship", before == Stock::Held, Stock::Shipped),
        Some(StockEffect::Return) => ("return", before == Stock::Shipped, Stock::Shipped),
    };
    if allowed {
        return Ok(Some((transition.to, after)));
    }
    let (transition, holding) = (TransitionName::of(lifecycle, transition), before.describe());
    Err(LifecycleError::StockEffect { transition, effect, holding })
}

fn check_replies(lifecycle: &Lifecycle, points: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    for (id, state) in lifecycle.states() {
        let waits = points.contains(&(id, Stock::Asked));
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
        if state.outcome.is_some() && matches!(point.1, Stock::Asked | Stock::Held) {
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

/// Checks that returns are only taken of what was shipped, and for a bounded time.
fn check_returns(lifecycle: &Lifecycle, points: &BTreeSet<LifecyclePoint>) -> Result<(), LifecycleError> {
    for (id, state) in lifecycle.states() {
        let mut exits = lifecycle.from(id);
        if !state.returns {
            if let Some(exit) = exits.find(|exit| exit.trigger == Trigger::Returned) {
                let transition = TransitionName::of(lifecycle, exit);
                return Err(LifecycleError::ReturnedWithoutReturns { transition });
            }
            continue;
        }
        if points.iter().any(|(at, stock)| *at == id && *stock != Stock::Shipped) {
            return Err(LifecycleError::ReturnsWithoutShipping(state.name.to_string()));
        }
        if !exits.any(|exit| is_timer(exit.trigger)) {
            return Err(LifecycleError::ReturnsForEver(state.name.to_string()));
        }
    }
    Ok(())
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
            // The shortest time that a reservation may be asked for is long enough.
            Trigger::By(_) | Trigger::Returned | Trigger::ReservationEnds => true,
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
