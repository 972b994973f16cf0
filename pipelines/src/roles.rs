//! The roles that a process has in the system: `--roles`.

use std::{collections::BTreeSet, str::FromStr};

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// A part of the system that a process can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Decides commands.
    Processors,
    /// Writes events to the stores.
    Sinks,
    /// Accepts commands over HTTP and appends them.
    Ingest,
    /// Answers reads over HTTP.
    Api,
}

impl Role {
    /// Every role of the system.
    pub const ALL: [Self; 4] = [Self::Ingest, Self::Processors, Self::Sinks, Self::Api];

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Processors => "processors",
            Self::Sinks => "sinks",
            Self::Api => "api",
        }
    }
}

/// The roles of a process. By default, a process has all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Roles(BTreeSet<Role>);

impl Default for Roles {
    fn default() -> Self {
        Self(Role::ALL.into())
    }
}

impl FromStr for Roles {
    type Err = anyhow::Error;

    /// Parses role names that are separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let mut roles = BTreeSet::new();
        for name in text.split(',').map(str::trim) {
            let role = Role::ALL.into_iter().find(|role| role.as_str() == name);
            let names = Role::ALL.map(Role::as_str).join(", ");
            let Some(role) = role else { bail!("`{name}` is no role; roles are {names}") };
            ensure!(roles.insert(role), "the role `{name}` is named twice");
        }
        Ok(Self(roles))
    }
}

impl From<Roles> for String {
    fn from(roles: Roles) -> Self {
        let named = Role::ALL.into_iter().filter(|role| roles.0.contains(role));
        named.map(Role::as_str).collect::<Vec<_>>().join(",")
    }
}

impl TryFrom<String> for Roles {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl Roles {
    /// The roles, in the order in which they start.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }

    /// Returns an error unless all roles are present, because the embedded log belongs to one process.
    pub fn check_embedded(&self) -> Result<()> {
        let missing: Vec<_> =
            Role::ALL.into_iter().filter(|role| !self.0.contains(role)).map(Role::as_str).collect();
        ensure!(
            missing.is_empty(),
            "--roles leaves out {}: the embedded log belongs to one process, so every role must be in it; other roles \
             in other processes need a log that they can share, named with --topics",
            missing.join(", ")
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_a_list_of_names_in_any_order() {
        assert_eq!("api, sinks,processors,ingest".parse::<Roles>().unwrap(), Roles::default());
        for (wrong, word) in [("", "`` is no role"), ("api,search", "search"), ("api,api", "twice")] {
            let error = wrong.parse::<Roles>().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_embedded_log_has_every_role_in_one_process() {
        Roles::default().check_embedded().unwrap();
        let error = "ingest,api".parse::<Roles>().unwrap().check_embedded().unwrap_err().to_string();
        assert!(error.contains("processors, sinks") && error.contains("--topics"), "{error}");
    }
}
