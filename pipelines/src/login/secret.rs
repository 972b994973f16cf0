//! Secrets: text that nothing shows, read from the terminal or from standard input and never from an argument, which
//! other users of the machine can see.

use std::{
    fmt,
    io::{self, IsTerminal, Read},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The most bytes of a secret on standard input.
const BYTES_MAX: u64 = 16 << 10;

/// A password, a secret or a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text, to be sent.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads a secret: at a terminal with a prompt and without an echo, otherwise from standard input to its end.
    pub fn ask(what: &str) -> Result<Self> {
        if io::stdin().is_terminal() {
            let text = rpassword::prompt_password(format!("{what}: "));
            return Self::checked(what, text.with_context(|| format!("cannot read the {what}"))?);
        }
        let mut text = String::new();
        let read = io::stdin().take(BYTES_MAX + 1).read_to_string(&mut text);
        read.with_context(|| format!("cannot read the {what} from standard input"))?;
        Self::of_input(what, &text)
    }

    /// The only line of an input. Nothing but the end of the line is removed: a password may end with a space.
    fn of_input(what: &str, text: &str) -> Result<Self> {
        ensure!(text.len() as u64 <= BYTES_MAX, "standard input is too long for a {what}");
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        ensure!(!line.contains('\n'), "standard input must have the {what} in its only line");
        Self::checked(what, line.to_owned())
    }

    fn checked(what: &str, text: String) -> Result<Self> {
        ensure!(
            !text.is_empty(),
            "no {what} was given: type it at the terminal, or write it to standard input"
        );
        Ok(Self(text))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_only_line_of_the_input_and_is_not_trimmed() {
        for (input, wanted) in
            [("a b \n", "a b "), ("a", "a"), ("a\r\n", "a"), (" \u{e4}\u{308}", " \u{e4}\u{308}")]
        {
            assert_eq!(Secret::of_input("password", input).unwrap().reveal(), wanted, "{input:?}");
        }
        for input in ["", "\n", "\r\n", "a\nb\n", "a\n\n"] {
            let error = Secret::of_input("password", input).unwrap_err().to_string();
            assert!(error.contains("password"), "{error}");
        }
        assert!(Secret::of_input("password", &"x".repeat(17 << 10)).is_err());
        assert_eq!(format!("{:?}", Secret::from("pale-otter".to_owned())), "Secret(…)");
    }
}
