//! Dead letters: records that could not be read or stored, with where they stood and why.
//!
//! A value of `dead.letters` is one JSON object. The bytes are under `text` where they are UTF-8 and under `hex`
//! where they are not, so that they are readable in most cases and exact in all. A crash between writing a letter
//! and storing the checkpoint writes it again: topic, partition and offset together say which record it is about.

use std::fmt::Write;

use bytes::Bytes;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{Offset, Partition, TopicPartition};

/// A record that could not be read or stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// The topic it stood in.
    pub topic: CompactString,
    /// The partition it stood in.
    pub partition: Partition,
    /// Its offset there.
    pub offset: Offset,
    /// Who could not use it, such as `sink/database`.
    pub reader: CompactString,
    /// Why, in a sentence.
    pub reason: String,
    /// Its bytes.
    #[serde(flatten)]
    pub bytes: LetterBytes,
}

/// The bytes of a dead letter, in a form that JSON can hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterBytes {
    /// They are UTF-8.
    Text(String),
    /// They are not; two digits a byte.
    Hex(String),
}

impl LetterBytes {
    /// Puts bytes into the form that suits them.
    pub fn of(bytes: &[u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self::Text(text.to_owned());
        }
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            write!(hex, "{byte:02x}").expect("memory takes all text");
        }
        Self::Hex(hex)
    }

    /// The bytes, or `None` if the hex is not well-formed.
    pub fn bytes(&self) -> Option<Bytes> {
        let hex = match self {
            Self::Text(text) => return Some(Bytes::copy_from_slice(text.as_bytes())),
            Self::Hex(hex) => hex.as_bytes(),
        };
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        hex.chunks(2).map(|pair| if pair.len() == 2 { byte(pair) } else { None }).collect()
    }
}

impl DeadLetter {
    /// A letter about the record at `at`, `offset`.
    pub fn new(reader: &str, at: TopicPartition, offset: Offset, reason: String, bytes: &[u8]) -> Self {
        Self {
            topic: at.topic.as_str().into(),
            partition: at.partition,
            offset,
            reader: reader.into(),
            reason,
            bytes: LetterBytes::of(bytes),
        }
    }

    /// The bytes to append to `dead.letters`.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("a letter has string keys").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Topic;

    #[test]
    fn letters_keep_the_exact_bytes() {
        let at = TopicPartition::new(Topic::OrdersEvents, 3);
        for bytes in [&b"{\"half\":"[..], b"\xff\x00\xfe", b"", "Größe".as_bytes()] {
            let letter = DeadLetter::new("sink/database", at, Offset(7), "not JSON".into(), bytes);
            let read: DeadLetter = serde_json::from_slice(&letter.encode()).unwrap();
            assert_eq!(read, letter);
            assert_eq!(read.bytes.bytes().unwrap(), bytes);
        }
        assert_eq!(LetterBytes::Hex("abc".into()).bytes(), None);
        assert_eq!(LetterBytes::Hex("zz".into()).bytes(), None);
    }
}
