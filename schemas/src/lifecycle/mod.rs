//! Lifecycles as data: the states of an order and the ways between them, read from a pipeline file.
//!
//! [`Lifecycle::parse`] reads TOML and accepts only what can run: every state can be reached and left, and stock
//! that is reserved is shipped or released on every way out. What it gives is compiled: states are numbers and a
//! transition is a look-up.

mod check;
mod file;
mod graph;

use std::time::Duration;

pub use check::LifecycleError;

use crate::{events::Change, ids::Status, order::Role};

/// A state, as an index into [`Lifecycle::states`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct StateId(pub u8);

/// A state of the lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its name.
    pub name: Status,
    /// What an order that gets here has come to; `None` while it goes on.
    pub outcome: Option<Outcome>,
}

/// How an order ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As the customer wanted.
    Completed,
    /// Somebody ended it, or its time ran out.
    Canceled,
    /// It could not be fulfilled.
    Failed,
}

/// What a transition does to the order's stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StockEffect {
    /// Asks stock to hold all lines.
    Reserve,
    /// Gives back what is held.
    Release,
    /// Sends out what is held.
    Ship,
}

/// What makes a transition happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody in one of these roles asks for it.
    By(Roles),
    /// Stock holds all lines.
    Reserved,
    /// Stock refused.
    Refused,
    /// The order has been in the state for so long.
    After(Duration),
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// With one role more.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// Whether the role is in the set.
    pub const fn contains(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }
}

/// A way from one state to another, or back to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// From.
    pub from: StateId,
    /// To.
    pub to: StateId,
    /// When.
    pub trigger: Trigger,
    /// What it does to the stock.
    pub stock: Option<StockEffect>,
}

/// The answer to "may this caller move an order from here to there?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionLookup<'a> {
    /// Yes, by this transition.
    Allowed(&'a Transition),
    /// There is such a transition, but not for this role.
    NotForRole,
    /// There is no such transition.
    Missing,
}

/// A checked lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// Its name.
    pub name: String,
    states: Vec<State>,
    initial: StateId,
    initial_stock: Option<StockEffect>,
    transitions: Vec<Transition>,
    actions: Vec<(String, StateId)>,
    aliases: Vec<(Role, String, StateId)>,
}

impl Lifecycle {
    /// Reads and checks a pipeline file.
    pub fn parse(text: &str) -> Result<Self, LifecycleError> {
        let lifecycle = file::read(text)?;
        check::check(&lifecycle)?;
        Ok(lifecycle)
    }

    /// The state with this number.
    pub fn state(&self, id: StateId) -> &State {
        &self.states[usize::from(id.0)]
    }

    /// All states, in the order of the file.
    pub fn states(&self) -> impl Iterator<Item = (StateId, &State)> {
        (0u8..).map(StateId).zip(&self.states)
    }

    /// The state of this name.
    pub fn find(&self, name: &str) -> Option<StateId> {
        self.states().find(|(_, state)| state.name.as_str() == name).map(|(id, _)| id)
    }

    /// The state that `word` names for a caller in `role`: a state's name, or an alias of that role.
    pub fn resolve(&self, word: &str, role: Role) -> Option<StateId> {
        let alias = || self.aliases.iter().find(|(whose, alias, _)| *whose == role && alias == word);
        self.find(word).or_else(|| alias().map(|(.., state)| *state))
    }

    /// The state an action such as `cancel` leads to.
    pub fn action(&self, name: &str) -> Option<&Status> {
        let (_, state) = self.actions.iter().find(|(action, _)| action == name)?;
        Some(&self.state(*state).name)
    }

    /// Where orders begin.
    pub fn initial(&self) -> StateId {
        self.initial
    }

    /// What placing an order does to the stock.
    pub fn initial_stock(&self) -> Option<StockEffect> {
        self.initial_stock
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

    /// The states a caller in `role` may move an order to.
    pub fn allowed(&self, from: StateId, role: Role) -> Vec<Status> {
        let may = |transition: &&Transition| matches!(transition.trigger, Trigger::By(roles) if roles.contains(role));
        self.from(from).filter(may).map(|transition| self.state(transition.to).name.clone()).collect()
    }

    /// The transition on stock's answer.
    pub fn on_reply(&self, from: StateId, held: bool) -> Option<&Transition> {
        let wanted = if held { Trigger::Reserved } else { Trigger::Refused };
        self.from(from).find(|transition| transition.trigger == wanted)
    }

    /// The transition that happens by itself, and after how long in the state.
    pub fn on_time(&self, from: StateId) -> Option<(Duration, &Transition)> {
        self.from(from).find_map(|transition| match transition.trigger {
            Trigger::After(duration) => Some((duration, transition)),
            _ => None,
        })
    }

    /// The event that tells of a transition.
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
