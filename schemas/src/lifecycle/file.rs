//! The pipeline file as written, and the resolution of its names to states.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Lifecycle, LifecycleError, Outcome, Roles, State, StateId, StockEffect, Transition, TransitionName,
    Trigger,
};
use crate::{ids::Status, order::Role};

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
    /// Settings of the process that runs the file. The lifecycle ignores them.
    #[serde(default, rename = "settings")]
    _settings: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Initial {
    state: String,
    stock: Option<StockEffect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateEntry {
    #[serde(rename = "final")]
    outcome: Option<Outcome>,
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
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Reserved,
    Refused,
}

/// Parses the file and resolves its names. [`super::check`] decides whether the result can run.
pub(super) fn read(text: &str) -> Result<Lifecycle, LifecycleError> {
    let file: File = toml::from_str(text)?;
    let states = read_states(file.states)?;
    let mut lifecycle = Lifecycle {
        name: file.name,
        states,
        initial: StateId(0),
        initial_stock: file.initial.stock,
        transitions: Vec::new(),
        actions: Vec::new(),
        aliases: Vec::new(),
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
    Ok(lifecycle)
}

fn read_states(table: toml::Table) -> Result<Vec<State>, LifecycleError> {
    let mut states = Vec::new();
    for (name, entry) in table {
        let entry: StateEntry = entry.try_into()?;
        let name = Status::new(&*name).map_err(|error| LifecycleError::Name { name, error })?;
        states.push(State { name, outcome: entry.outcome });
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
        (None, None, Some(duration)) => {
            let duration = humantime::parse_duration(duration);
            Trigger::After(duration.map_err(|error| LifecycleError::Duration { transition: name(), error })?)
        }
        _ => return Err(LifecycleError::Trigger { transition: name() }),
    };
    let (from, to) = (resolve(lifecycle, from)?, resolve(lifecycle, &entry.to)?);
    Ok(Transition { from, to, trigger, stock: entry.stock })
}
