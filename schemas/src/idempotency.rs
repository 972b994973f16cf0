//! Idempotency keys in commands and events.
//!
//! A command has the key as the client sent it. The event that decides the command has two digests instead, which are
//! all that a processor needs to recognise a repeat.

use std::borrow::Cow;

use compact_str::CompactString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{hex::write_hex, ids::IdempotencyKey};

/// A digest of a request's content: 128 bits of BLAKE3. It tells a repeat of a request from another request under the
/// same key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

/// A digest of a key and its scope: 128 bits of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct KeyDigest(pub u128);

/// The idempotency key of an order to place, and the digest of the request's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// The key, unique within its customer.
    pub key: IdempotencyKey,
    /// The digest of the request that came with the key.
    pub fingerprint: Fingerprint,
}

/// The idempotency key of a change, which is any write except placing an order, and the digest of the request's
/// content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeKey {
    /// The key, unique within the caller, the call, and the order or SKU that the command is about.
    pub key: IdempotencyKey,
    /// The method and the path of the request, such as `PATCH /orders/{id}/status`.
    #[schemars(with = "String")]
    pub call: CompactString,
    /// The digest of the request that came with the key.
    pub fingerprint: Fingerprint,
}

/// An idempotency key that is remembered together with the decision in this event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsedKey {
    /// The digest of the key and its scope.
    pub digest: KeyDigest,
    /// The digest of the request that came with the key.
    pub fingerprint: Fingerprint,
}

/// A digest is a text of 32 hexadecimal digits in JSON, and a number in snapshots.
fn serialize<S: Serializer>(digest: u128, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        let mut digits = [0; 32];
        write_hex(&mut digits, digest);
        serializer.serialize_str(str::from_utf8(&digits).expect("hex is ASCII"))
    } else {
        serializer.serialize_u128(digest)
    }
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    if !deserializer.is_human_readable() {
        return u128::deserialize(deserializer);
    }
    let text = CompactString::deserialize(deserializer)?;
    u128::from_str_radix(&text, 16).map_err(de::Error::custom)
}

fn schema() -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Fingerprint {
    fn schema_name() -> Cow<'static, str> {
        "Fingerprint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema()
    }
}

impl Serialize for KeyDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for KeyDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for KeyDigest {
    fn schema_name() -> Cow<'static, str> {
        "KeyDigest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema()
    }
}
