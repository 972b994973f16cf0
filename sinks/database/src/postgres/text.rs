//! Escapes the texts of callers so that Postgres can store them.
//!
//! A JSON string may contain U+0000, and a `text` column may not. U+0000 is stored as U+001A and `0`. U+001A itself,
//! the control character SUBSTITUTE that no real text has, is stored as U+001A and `1`. Every text is therefore read as
//! it was written, and people who read the tables see all real texts unchanged. Refusing such an event was rejected:
//! what a reader sees would then depend on the database. Names (ids, SKUs, states, keys) cannot contain control
//! characters at all.

use std::borrow::Cow;

use compact_str::CompactString;

const ESCAPE: char = '\u{1a}';

/// The text in the form in which it is stored.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => stored.extend([ESCAPE, '0']),
            ESCAPE => stored.extend([ESCAPE, '1']),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// The text that is stored in this form; `None` if no text has this form.
pub(super) fn unescaped(stored: &str) -> Option<CompactString> {
    if !stored.contains(ESCAPE) {
        return Some(stored.into());
    }
    let mut text = CompactString::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            ESCAPE => match characters.next()? {
                '0' => '\0',
                '1' => ESCAPE,
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back_and_none_is_stored_with_a_null(text in "[\\x00\\x1a01a-cß]{0,12}") {
            let stored = escaped(&text).into_owned();
            prop_assert!(!stored.contains('\0'));
            let read = unescaped(&stored);
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        }
    }

    #[test]
    fn real_texts_are_stored_as_they_are() {
        assert!(matches!(escaped("C:\\temp\t\"größe\" 🚚\n"), Cow::Borrowed(_)));
        assert_eq!(unescaped("\u{1a}"), None);
        assert_eq!(unescaped("\u{1a}2"), None);
    }
}
