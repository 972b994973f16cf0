//! The pipeline file as written, and the resolution of its names to states.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    ItemLimits, Lifecycle, LifecycleError, Outcome, ReserveFor, Roles, State, StateId, StockEffect,
    Transition, TransitionName, Trigger, Visible,
};
use crate::{ids::Status, order::Role, shipment::ShipmentStatus};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    initial: Initial,
    states: toml::Table,
    #[serde(default)]
    transitions: Vec<TransitionEntry>,
    #[serde(default)]
    actions: BTreeMap<String, String>,
    #[serde(default)]
    aliases: BTreeMap<String, BTreeMap<String, String>>,
    /// The states that the events of shipments mean.
    #[serde(default)]
    shipments: BTreeMap<String, String>,
    /// The limits of lines; present if orders are for items by name.
    items: Option<Items>,
    /// Settings of the process that runs the file. The lifecycle ignores them.
    #[serde(default, rename = "settings")]
    _settings: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Initial {
    state: String,
    stock: Option<StockEffect>,
    #[serde(default)]
    visible: Visible,
    reserve_for: Option<ReserveForEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveForEntry {
    min: String,
    max: String,
    default: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Items {
    name_chars_max: usize,
    quantity_max: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateEntry {
    #[serde(rename = "final")]
    outcome: Option<Outcome>,
    #[serde(default)]
    returns: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransitionEntry {
    from: Vec<String>,
    to: String,
    by: Option<Vec<String>>,
    on: Option<Reply>,
    after: Option<String>,
    stock: Option<StockEffect>,
    #[serde(default)]
    review: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Reserved,
    Refused,
    Returned,
}

/// The `after` of a transition on the end of the reservation.
const RESERVE_FOR: &str = "reserve_for";

/// Parses the file and resolves its names. [`super::check`] decides whether the result can run.
pub(super) fn read(text: &str) -> Result<Lifecycle, LifecycleError> {
    let file: File = toml::from_str(text)?;
    let states = read_states(file.states)?;
    let mut lifecycle = Lifecycle {
        name: file.name,
        states,
        initial: StateId(0),
        initial_stock: file.initial.stock,
        visible: file.initial.visible,
        reserve_for: file.initial.reserve_for.map(read_reserve_for).transpose()?,
        items: file
            .items
            .map(|Items { name_chars_max, quantity_max }| ItemLimits { name_chars_max, quantity_max }),
        transitions: Vec::new(),
        actions: Vec::new(),
        aliases: Vec::new(),
        shipments: Vec::new(),
    };
    lifecycle.initial = resolve(&lifecycle, &file.initial.state)?;
    for entry in &file.transitions {
        for from in &entry.from {
            let transition = read_transition(&lifecycle, from, entry)?;
            lifecycle.transitions.push(transition);
        }
    }
    for (action, state) in file.actions {
        let state = resolve(&lifecycle, &state)?;
        lifecycle.actions.push((action, state));
    }
    for (role, words) in file.aliases {
        let role = read_role(&role)?;
        for (word, state) in words {
            let state = resolve(&lifecycle, &state)?;
            lifecycle.aliases.push((role, word, state));
        }
    }
    for (word, state) in file.shipments {
        let status = ShipmentStatus::find(&word).ok_or(LifecycleError::UnknownShipment(word))?;
        let state = resolve(&lifecycle, &state)?;
        lifecycle.shipments.push((status, state));
    }
    Ok(lifecycle)
}

fn read_reserve_for(entry: ReserveForEntry) -> Result<ReserveFor, LifecycleError> {
    let read = |text: &str| humantime::parse_duration(text).map_err(LifecycleError::ReserveForDuration);
    Ok(ReserveFor { min: read(&entry.min)?, max: read(&entry.max)?, default: read(&entry.default)? })
}

fn read_states(table: toml::Table) -> Result<Vec<State>, LifecycleError> {
    let mut states = Vec::new();
    for (name, entry) in table {
        let entry: StateEntry = entry.try_into()?;
        let name = Status::new(&*name).map_err(|error| LifecycleError::Name { name, error })?;
        states.push(State { name, outcome: entry.outcome, returns: entry.returns });
    }
    if states.len() > usize::from(u8::MAX) { Err(LifecycleError::TooManyStates) } else { Ok(states) }
}

fn resolve(lifecycle: &Lifecycle, name: &str) -> Result<StateId, LifecycleError> {
    lifecycle.find(name).ok_or_else(|| LifecycleError::UnknownState(name.to_owned()))
}

fn read_role(name: &str) -> Result<Role, LifecycleError> {
    let role = Role::of_client(name).filter(|role| *role != Role::Analyst);
    role.ok_or_else(|| LifecycleError::UnknownRole(name.to_owned()))
}

fn read_transition(
    lifecycle: &Lifecycle,
    from: &str,
    entry: &TransitionEntry,
) -> Result<Transition, LifecycleError> {
    let name = || TransitionName { from: from.to_owned(), to: entry.to.clone() };
    let trigger = match (&entry.by, entry.on, &entry.after) {
        (Some(names), None, None) => {
            let mut roles = Roles::default();
            for name in names {
                roles = roles.with(read_role(name)?);
            }
            Trigger::By(roles)
        }
        (None, Some(Reply::Reserved), None) => Trigger::Reserved,
        (None, Some(Reply::Refused), None) => Trigger::Refused,
        (None, Some(Reply::Returned), None) => Trigger::Returned,
        (None, None, Some(duration)) if duration == RESERVE_FOR => Trigger::ReservationEnds,
        (None, None, Some(duration)) => {
            let duration = humantime::parse_duration(duration);
            Trigger::After(duration.map_err(|error| LifecycleError::Duration { transition: name(), error })?)
        }
        _ => return Err(LifecycleError::Trigger { transition: name() }),
    };
    let (from, to) = (resolve(lifecycle, from)?, resolve(lifecycle, &entry.to)?);
    Ok(Transition { from, to, trigger, stock: entry.stock, is_review: entry.review })
}
