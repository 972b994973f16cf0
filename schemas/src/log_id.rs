//! The identity of a log. Data that is stored outside the log carries it, to be tied to this log.

use std::{fmt, str::FromStr};

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, de};

/// The most bytes of an id.
const BYTES_MAX: usize = 200;

/// The identity of a log: created with the log and never used again. Checkpoints and snapshots carry it, since offsets
/// mean nothing in another log. The engine chooses its content: the id of an embedded log is random, that of a cluster
/// names the cluster and its topics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LogId(CompactString);

/// The text is not a valid id of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a log: 1 to {BYTES_MAX} visible ASCII characters")]
pub struct InvalidLogId;

impl LogId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogId {
    type Err = InvalidLogId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_valid =
            (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(text.into())) } else { Err(InvalidLogId) }
    }
}

impl<'de> Deserialize<'de> for LogId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CompactString::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_visible_ascii_of_bounded_length() {
        for text in ["0", "lkc1:AbC_d-9/orders.commands", &"x".repeat(200)] {
            assert_eq!(text.parse::<LogId>().unwrap().to_string(), text);
        }
        for text in ["", "a b", "a\n", "ä", &"x".repeat(201)] {
            assert_eq!(text.parse::<LogId>(), Err(InvalidLogId), "{text:?}");
        }
    }
}
