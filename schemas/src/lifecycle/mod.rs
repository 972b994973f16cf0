//! Lifecycles as data: the states of an order and the transitions between them, read from a pipeline file.
//!
//! [`Lifecycle::parse`] reads TOML and accepts only what can run: every state can be reached, a final state can be
//! reached from each, and reserved stock is shipped or released on every path to a final state. The result is compiled:
//! states are numbers, and finding a transition is a look-up.

mod check;
mod file;
mod graph;
mod placing;

use std::time::Duration;

pub use check::{LifecycleError, TransitionName};

pub use self::placing::{ItemLimits, ReserveFor, Visible};
use crate::{
    events::Change,
    ids::Status,
    order::{Order, Role},
    shipment::ShipmentStatus,
};

/// The number of a state, which is its index in [`Lifecycle::states`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct StateId(pub u8);

/// A state of the lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The unique name of the state.
    pub name: Status,
    /// How an order in this state has ended; `None` if the state is not final.
    pub outcome: Option<Outcome>,
    /// Whether units of an order in this state can be returned.
    pub returns: bool,
}

/// How an order ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The order was fulfilled.
    Completed,
    /// A caller ended the order, or its time ran out.
    Canceled,
    /// The order could not be fulfilled.
    Failed,
}

/// The effect of a transition on the order's stock reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StockEffect {
    /// Asks stock to hold all lines.
    Reserve,
    /// Returns the units held for the order.
    Release,
    /// Ships the units held for the order.
    Ship,
    /// Takes back all units of the order that were shipped and did not come back yet. They are available again.
    Return,
}

/// The trigger of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A caller in one of these roles requests it.
    By(Roles),
    /// Stock holds all lines.
    Reserved,
    /// Stock could not hold all lines.
    Refused,
    /// All units of the order came back.
    Returned,
    /// The order has been in the state for this long.
    After(Duration),
    /// The order has been in the state for as long as stock is held for it: [`Lifecycle::reserve_for`].
    ReservationEnds,
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// The set with this role added.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// Whether the role is in the set.
    pub const fn contains(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }
}

/// A transition from one state to another, or back to the same state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state that the order leaves.
    pub from: StateId,
    /// The state that the order enters.
    pub to: StateId,
    /// The trigger of the transition.
    pub trigger: Trigger,
    /// The effect on the order's stock reservation, if any.
    pub stock: Option<StockEffect>,
    /// Whether the order shows who requested the transition, and when.
    pub is_review: bool,
}

/// Whether a caller may move an order from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionLookup<'a> {
    /// The caller may, by this transition.
    Allowed(&'a Transition),
    /// Such a transition exists, but not for the caller's role.
    NotForRole,
    /// No such transition can be requested.
    Missing,
}

/// A lifecycle that has passed all checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// The name in the pipeline file.
    pub name: String,
    states: Vec<State>,
    initial: StateId,
    initial_stock: Option<StockEffect>,
    visible: Visible,
    reserve_for: Option<ReserveFor>,
    items: Option<ItemLimits>,
    transitions: Vec<Transition>,
    actions: Vec<(String, StateId)>,
    aliases: Vec<(Role, String, StateId)>,
    shipments: Vec<(ShipmentStatus, StateId)>,
}

impl Lifecycle {
    /// Parses and checks a pipeline file.
    pub fn parse(text: &str) -> Result<Self, LifecycleError> {
        let lifecycle = file::read(text)?;
        check::check(&lifecycle)?;
        Ok(lifecycle)
    }

    /// The state with this number. Panics if the number is from another lifecycle and too large.
    pub fn state(&self, id: StateId) -> &State {
        &self.states[usize::from(id.0)]
    }

    /// All states with their numbers, in the order of the file.
    pub fn states(&self) -> impl Iterator<Item = (StateId, &State)> {
        (0u8..).map(StateId).zip(&self.states)
    }

    /// The number of the state with this name.
    pub fn find(&self, name: &str) -> Option<StateId> {
        self.states().find(|(_, state)| state.name.as_str() == name).map(|(id, _)| id)
    }

    /// The state that `word` names for a caller in `role`: a state's name, or an alias of that role.
    pub fn resolve(&self, word: &str, role: Role) -> Option<StateId> {
        let alias = || self.aliases.iter().find(|(whose, alias, _)| *whose == role && alias == word);
        self.find(word).or_else(|| alias().map(|(.., state)| *state))
    }

    /// The name of the state that an action such as `cancel` leads to.
    pub fn action(&self, name: &str) -> Option<&Status> {
        let (_, state) = self.actions.iter().find(|(action, _)| action == name)?;
        Some(&self.state(*state).name)
    }

    /// The state of a new order.
    pub fn initial(&self) -> StateId {
        self.initial
    }

    /// The effect that placing an order has on stock: [`StockEffect::Reserve`] or none.
    pub fn initial_stock(&self) -> Option<StockEffect> {
        self.initial_stock
    }

    /// When a new order becomes visible to readers.
    pub fn visible(&self) -> Visible {
        self.visible
    }

    /// For how long stock is held for an order, and what a request may ask for; `None` if a request may not ask for it.
    pub fn reserve_for(&self) -> Option<ReserveFor> {
        self.reserve_for
    }

    /// The limits of the lines if orders are for items by name; `None` if they are for SKUs.
    pub fn items(&self) -> Option<ItemLimits> {
        self.items
    }

    /// The state that a shipment's event means; `None` if it is history only.
    pub fn on_shipment(&self, status: ShipmentStatus) -> Option<StateId> {
        self.shipments.iter().find(|(known, _)| *known == status).map(|(_, state)| *state)
    }

    /// Whether couriers may act for orders in this state and read them: a courier can move an order from it or to it.
    pub fn is_handed_to_couriers(&self, state: StateId) -> bool {
        let by_courier = |transition: &&Transition| matches!(transition.trigger, Trigger::By(roles) if roles.contains(Role::Courier));
        self.transitions
            .iter()
            .filter(by_courier)
            .any(|transition| transition.from == state || transition.to == state)
    }

    /// Whether this courier may act for the order and read it: its state is handed to couriers, and it names no other
    /// courier.
    pub fn hands(&self, order: &Order, courier: &str) -> bool {
        let is_named = order.courier_id.as_ref().is_none_or(|named| named == courier);
        is_named && self.find(order.status.as_str()).is_some_and(|state| self.is_handed_to_couriers(state))
    }

    /// Whether units can be returned in any state.
    pub fn takes_returns(&self) -> bool {
        self.states.iter().any(|state| state.returns)
            || self.transitions.iter().any(|transition| transition.stock == Some(StockEffect::Return))
    }

    /// All transitions, in the order of the file.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    fn from(&self, state: StateId) -> impl Iterator<Item = &Transition> {
        self.transitions.iter().filter(move |transition| transition.from == state)
    }

    /// Whether a caller in `role` may move an order from one state to another.
    pub fn transition(&self, from: StateId, to: StateId, role: Role) -> TransitionLookup<'_> {
        let mut answer = TransitionLookup::Missing;
        for transition in self.from(from).filter(|transition| transition.to == to) {
            let Trigger::By(roles) = transition.trigger else { continue };
            if roles.contains(role) {
                return TransitionLookup::Allowed(transition);
            }
            answer = TransitionLookup::NotForRole;
        }
        answer
    }

    /// The names of the states that a caller in `role` may move an order to.
    pub fn allowed(&self, from: StateId, role: Role) -> Vec<Status> {
        let may = |transition: &&Transition| matches!(transition.trigger, Trigger::By(roles) if roles.contains(role));
        self.from(from).filter(may).map(|transition| self.state(transition.to).name.clone()).collect()
    }

    /// Whether a caller in `role` may move an order to this state, from any other.
    pub fn may_enter(&self, to: StateId, role: Role) -> bool {
        let may = |transition: &Transition| matches!(transition.trigger, Trigger::By(roles) if roles.contains(role));
        self.transitions.iter().any(|transition| transition.to == to && may(transition))
    }

    /// The transition on the reply of stock: whether it holds all lines.
    pub fn on_reply(&self, from: StateId, held: bool) -> Option<&Transition> {
        let wanted = if held { Trigger::Reserved } else { Trigger::Refused };
        self.from(from).find(|transition| transition.trigger == wanted)
    }

    /// The transition of an order all of whose units came back.
    pub fn on_returned(&self, from: StateId) -> Option<&Transition> {
        self.from(from).find(|transition| transition.trigger == Trigger::Returned)
    }

    /// The transition that a timer triggers, and the time in the state after which it does. `reserve_for` is what the
    /// order's request asked for.
    pub fn on_time(&self, from: StateId, reserve_for: Option<Duration>) -> Option<(Duration, &Transition)> {
        self.from(from).find_map(|transition| match transition.trigger {
            Trigger::After(duration) => Some((duration, transition)),
            Trigger::ReservationEnds => {
                Some((reserve_for.or(self.reserve_for.map(|bounds| bounds.default))?, transition))
            }
            _ => None,
        })
    }

    /// The kind of event that reports this transition.
    pub fn change(&self, transition: &Transition) -> Change {
        match self.state(transition.to).outcome {
            Some(Outcome::Completed) => Change::Completed,
            Some(Outcome::Canceled) => Change::Canceled,
            Some(Outcome::Failed) => Change::Failed,
            None if transition.trigger == Trigger::Reserved => Change::Reserved,
            None => Change::Updated,
        }
    }

    /// The lifecycle as a Mermaid state diagram.
    pub fn mermaid(&self) -> String {
        graph::mermaid(self)
    }
}

#[cfg(test)]
mod tests;
