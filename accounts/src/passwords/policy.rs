//! Which passwords are accepted: NIST SP 800-63B, section 5.1.1.2.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

const CHARS: std::ops::RangeInclusive<usize> = 8..=128;
/// The most bytes that are looked at before a password is normalised, so that its length is known to be bounded.
const BYTES_MAX: usize = 1024;

/// A password as a person typed it, in the normal form NFKC, so that another keyboard leads to the same one. It is
/// never trimmed. Nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The reason why a password is not accepted, as the end of a sentence whose subject is the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// The password is too short or too long.
    #[error("must have 8 to 128 letters")]
    Length,
    /// The password is among the first that anybody would try.
    #[error("is too easy to guess{0}")]
    Guessable(String),
}

impl Password {
    /// Takes a password that is only compared. `None` if no account can have it, because of its length.
    pub fn typed(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let text: String = text.nfkc().collect();
        CHARS.contains(&text.chars().count()).then_some(Self(text))
    }

    /// Checks a new password of an account with these words: its email address, username and name.
    ///
    /// Takes up to some milliseconds, so call it where hashes are computed.
    pub fn check(&self, words: &[&str]) -> Result<(), WeakPassword> {
        let parts = words.iter().flat_map(|word| {
            let pieces = word.split(|letter: char| !letter.is_alphanumeric()).filter(|piece| piece.len() > 2);
            [*word].into_iter().chain(pieces)
        });
        let words: Vec<&str> = parts.chain(["orderflow"]).collect();
        let found = zxcvbn(&self.0, &words);
        if found.score() >= Score::Two {
            return Ok(());
        }
        let warning = found.feedback().and_then(|feedback| feedback.warning());
        Err(WeakPassword::Guessable(warning.map_or_else(String::new, |warning| format!(": {warning}"))))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_and_the_accounts_own_words_are_refused() {
        let check = |password: &str| {
            Password::typed(password).unwrap().check(&["ann.walker@example.com", "Ann Walker"])
        };
        for weak in [
            "password",
            "12345678",
            "qwertyuiop",
            "annwalker",
            "Ann Walker",
            "orderflow",
            "ann.walker@example.com",
        ] {
            assert!(matches!(check(weak), Err(WeakPassword::Guessable(_))), "{weak}");
        }
        for fine in ["correct horse battery", "pale-otter-43-lamp", " leading and trailing "] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn passwords_are_compared_in_one_normal_form_and_never_trimmed() {
        assert_eq!(Password::typed("caf\u{e9} au lait"), Password::typed("cafe\u{301} au lait"));
        assert_ne!(Password::typed(" with space "), Password::typed("with space "));
        for wrong in ["short", &"x".repeat(129), &"x".repeat(5_000)] {
            assert_eq!(Password::typed(wrong), None);
        }
        // Eight letters, each of several bytes.
        assert!(Password::typed("éééééééé").is_some());
    }
}
