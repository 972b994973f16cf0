//! Settings from flags and the environment: one argument of clap for each setting of the catalog.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, error::ErrorKind};
use toml::{Table, Value};

use super::{
    Settings,
    catalog::{self, Setting},
};

/// The settings that flags and environment variables give, as a nested table.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Table);

impl Overrides {
    /// Replaces settings of a pipeline file by these.
    pub fn apply_to(self, table: &mut Table) {
        merge(table, self.0);
    }
}

fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => drop(table.insert(key, value)),
        }
    }
}

impl FromArgMatches for Overrides {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut overrides = Self::default();
        overrides.update_from_arg_matches(matches)?;
        Ok(overrides)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in catalog::all() {
            if let Some(text) = matches.get_one::<String>(&setting.flag) {
                merge(&mut self.0, parse(setting, text)?);
            }
        }
        Ok(())
    }
}

/// A nested table with only this setting. Its bounds are checked later, together with those of the file.
fn parse(setting: &Setting, text: &str) -> Result<Table, clap::Error> {
    let invalid = |why: String| {
        let shown = if setting.is_secret { "…" } else { text };
        let (flag, name) = (&setting.flag, &setting.value_name);
        let message = format!("invalid value '{shown}' for '--{flag} <{name}>': {why}\n");
        clap::Error::raw(ErrorKind::ValueValidation, message)
    };
    let value = match setting.is_integer {
        true => {
            Value::Integer(text.parse().map_err(|error: std::num::ParseIntError| invalid(error.to_string()))?)
        }
        false => Value::String(text.to_owned()),
    };
    let nest = |value, key: &String| Value::Table([(key.clone(), value)].into_iter().collect());
    let Value::Table(table) = setting.path.iter().rev().fold(value, nest) else {
        unreachable!("a path has a key")
    };
    // The text may still not be a valid value of this setting.
    if !setting.is_integer {
        let read: Result<Settings, _> = table.clone().try_into();
        read.map_err(|error| invalid(error.message().trim_end().to_owned()))?;
    }
    Ok(table)
}

impl Args for Overrides {
    fn augment_args(command: Command) -> Command {
        catalog::all().iter().fold(command, |command, setting| command.arg(argument(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let bounds = catalog::range(setting.bounds.0, setting.bounds.1);
    let mut facts = vec![format!("default: {}", setting.default.as_deref().unwrap_or("none"))];
    facts.extend(Some(bounds).filter(|bounds| !bounds.is_empty()));
    let argument = Arg::new(&*setting.flag)
        .long(&*setting.flag)
        .env(&*setting.env)
        .hide_env_values(setting.is_secret)
        .value_name(&*setting.value_name)
        .help(format!("{} [{}]", setting.help.trim_end_matches('.'), facts.join("; ")))
        .hide_short_help(!setting.is_common);
    match &setting.part {
        Some(part) => argument.help_heading(part.trim_end_matches('.')),
        None => argument,
    }
}
