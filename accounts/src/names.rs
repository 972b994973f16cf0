//! Emails, usernames and people's names: what is accepted, and the key under which two spellings are the same account.
//!
//! Every door uses these functions: registering, logging in, administration, the settings and the command line.

use unicode_normalization::is_nfc;

/// The most letters of an email address, RFC 5321, section 4.5.3.1.
const EMAIL_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;
/// The most letters of a person's or client's name.
const NAME_CHARS_MAX: usize = 100;

/// An email address as it was written, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The address as it was written.
    pub text: String,
    /// The key that no two accounts share.
    pub key: String,
}

/// The reason why a text is not accepted, as the end of a sentence whose subject is the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(&'static str);

impl Email {
    /// Checks an address. It is not checked that mail arrives there.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let form = InvalidText("is no email address such as ann@example.com, in at most 254 letters");
        let (local, domain) = text.rsplit_once('@').ok_or(form)?;
        let is_local = (1..=LOCAL_BYTES_MAX).contains(&local.len()) && !local.contains('@');
        let is_domain = !domain.is_empty() && !domain.starts_with('.') && !domain.ends_with('.');
        let is_plain =
            text.len() <= EMAIL_BYTES_MAX && is_visible(text) && !text.contains(char::is_whitespace);
        if !is_local || !is_domain || !is_plain {
            return Err(form);
        }
        Ok(Self { text: text.to_owned(), key: text.to_ascii_lowercase() })
    }
}

/// Checks a username: 4 to 20 letters and digits of ASCII. Its key is its lower case.
pub fn username_key(text: &str) -> Result<String, InvalidText> {
    let is_username = (4..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_username {
        return Err(InvalidText("must have 4 to 20 letters and digits of ASCII"));
    }
    Ok(text.to_ascii_lowercase())
}

/// Checks the name of a person or a client.
pub fn check_name(text: &str) -> Result<(), InvalidText> {
    let is_name = !text.trim().is_empty() && text.chars().count() <= NAME_CHARS_MAX && is_visible(text);
    if is_name { Ok(()) } else { Err(InvalidText("must have 1 to 100 visible letters")) }
}

/// The key of a name, in which searches look.
pub fn name_key(text: &str) -> String {
    text.to_lowercase()
}

/// What a person logs in with: the key of an email address or of a username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The key of an email address.
    Email(String),
    /// The key of a username.
    Username(String),
}

impl Login {
    /// Reads what a person typed. A text that can be neither is read as a username that nobody has.
    pub fn read(text: &str) -> Self {
        match Email::parse(text) {
            Ok(email) => Self::Email(email.key),
            Err(_) => Self::Username(username_key(text).unwrap_or_default()),
        }
    }
}

/// Whether a text is in the normal form NFC and has no control characters and no invisible ones. Only ASCII is folded
/// to lower case, and texts in other forms are refused, so that no letter is taken for another person's.
fn is_visible(text: &str) -> bool {
    let invisible = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    is_nfc(text) && !text.contains(invisible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_have_one_key() {
        assert_eq!(Email::parse("Ann@Example.COM").unwrap().key, "ann@example.com");
        assert_eq!(Email::parse("jörg@example.com").unwrap().key, "jörg@example.com");
        for wrong in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "a b@example.com",
            "ann@.com",
            "ann@com.",
            "a@b@c",
            "ann\u{200b}@x.de",
            // The Kelvin sign is not the letter K, and a combining accent is not an accented letter.
            "\u{212a}ate@example.com",
            "jo\u{308}rg@example.com",
            "ann@example.com\n",
        ] {
            assert!(Email::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "x".repeat(65))).is_err());
        assert_ne!(Email::parse("ı@example.com").unwrap().key, Email::parse("i@example.com").unwrap().key);
    }

    #[test]
    fn usernames_are_short_and_plain() {
        assert_eq!(username_key("Ann7"), Ok("ann7".to_owned()));
        for wrong in ["", "ann", "a_nn", "änne", &"x".repeat(21), "ann@example.com"] {
            assert!(username_key(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn people_log_in_by_either() {
        assert_eq!(Login::read("Ann@example.com"), Login::Email("ann@example.com".to_owned()));
        assert_eq!(Login::read("ANN7"), Login::Username("ann7".to_owned()));
        assert_eq!(Login::read("no such thing"), Login::Username(String::new()));
    }
}
