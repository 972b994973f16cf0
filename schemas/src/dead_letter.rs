//! Dead letters: records that could not be read or stored, with their place in the log and the reason.
//!
//! A value of `dead.letters` is one JSON object. The bytes are under `text` if they are UTF-8 and under `hex` if they
//! are not, so they are readable in most cases and exact in all. A crash between writing a dead letter and storing the
//! checkpoint makes the reader write the letter again. Topic, partition and offset together identify the record, so the
//! duplicate can be recognized.

use std::fmt::Write;

use bytes::Bytes;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{Offset, Partition, TopicPartition};

/// A record that could not be read or stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// The name of the record's topic.
    pub topic: CompactString,
    /// The record's partition.
    pub partition: Partition,
    /// The record's offset in its partition.
    pub offset: Offset,
    /// The reader that could not use the record, such as `sink/database`.
    pub reader: CompactString,
    /// Why the reader could not use the record, in a sentence.
    pub reason: String,
    /// The exact bytes of the record.
    #[serde(flatten)]
    pub bytes: LetterBytes,
}

/// The bytes of a record, in a form that JSON can hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterBytes {
    /// The bytes as text, since they are UTF-8.
    Text(String),
    /// The bytes in hexadecimal, two digits a byte, since they are not UTF-8.
    Hex(String),
}

impl LetterBytes {
    /// The bytes as text if they are UTF-8, otherwise as hexadecimal.
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

    /// The bytes; `None` if the hexadecimal digits are malformed.
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
    /// A dead letter about the record at `offset` of the partition `topic_partition`, with the name of its reader.
    pub fn new(
        reader: &str,
        topic_partition: TopicPartition,
        offset: Offset,
        reason: String,
        bytes: &[u8],
    ) -> Self {
        Self {
            topic: topic_partition.topic.as_str().into(),
            partition: topic_partition.partition,
            offset,
            reader: reader.into(),
            reason,
            bytes: LetterBytes::of(bytes),
        }
    }

    /// The dead letter as JSON: the value to append to `dead.letters`.
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
        let topic_partition = TopicPartition::new(Topic::OrdersEvents, 3);
        for bytes in [&b"{\"half\":"[..], b"\xff\x00\xfe", b"", "Größe".as_bytes()] {
            let letter =
                DeadLetter::new("sink/database", topic_partition, Offset(7), "not JSON".into(), bytes);
            let read: DeadLetter = serde_json::from_slice(&letter.encode()).unwrap();
            assert_eq!(read, letter);
            assert_eq!(read.bytes.bytes().unwrap(), bytes);
        }
        assert_eq!(LetterBytes::Hex("abc".into()).bytes(), None);
        assert_eq!(LetterBytes::Hex("zz".into()).bytes(), None);
    }
}
