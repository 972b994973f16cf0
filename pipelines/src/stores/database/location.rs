//! Where the database is.

use std::{convert::Infallible, fmt, str::FromStr};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize, Serializer};

/// The raw value of `--database`. It may contain a password, so nothing shows it, not even an error about it:
/// [`Location::of`] checks it and describes errors without quoting it.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The raw text, for the code that connects.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// The serialized form hides as much as the printed one.
impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("…")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// SQLite in the data directory.
    DataDirectory,
    /// Postgres, at a URL that begins with `postgres://` or `postgresql://`.
    Postgres(DatabaseUrl),
}

impl Location {
    /// The location that a URL names; `None` or `sqlite` is the data directory.
    pub fn of(url: Option<DatabaseUrl>) -> Result<Self> {
        let Some(url) = url.filter(|url| url.0 != "sqlite") else { return Ok(Self::DataDirectory) };
        let scheme = url.0.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("postgres" | "postgresql") => Ok(Self::Postgres(url)),
            Some(scheme) if is_scheme(scheme) => bail!(
                "--database {scheme}:… is not supported by this version: name Postgres with postgres://…, or leave it \
                 out for SQLite in the data directory"
            ),
            _ => bail!(
                "--database is no URL: name Postgres with postgres://USER:PASSWORD@HOST/DATABASE, or leave it out for \
                 SQLite in the data directory"
            ),
        }
    }
}

/// Whether the text can be quoted in an error. The text before `://` may be something other than a scheme.
fn is_scheme(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(url: &str) -> Result<Location> {
        Location::of(Some(url.parse()?))
    }

    #[test]
    fn postgres_is_named_by_its_scheme_and_sqlite_by_nothing() {
        assert_eq!(Location::of(None).unwrap(), Location::DataDirectory);
        assert_eq!(location("sqlite").unwrap(), Location::DataDirectory);
        for url in ["postgres://me@db/shop", "postgresql://db"] {
            assert_eq!(location(url).unwrap(), Location::Postgres(DatabaseUrl(url.to_owned())));
        }
    }

    #[test]
    fn no_error_and_no_debug_output_shows_a_password() {
        for (url, said) in [
            ("mysql://me:secret@db/shop", "mysql:…"),
            ("me:secret@db", "is no URL"),
            ("me:secret@db://shop", "is no URL"),
            ("secret", "is no URL"),
            ("", "is no URL"),
        ] {
            let error = location(url).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("secret"), "{error}");
        }
        let shown = format!("{:?}", location("postgres://me:secret@db/shop").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
