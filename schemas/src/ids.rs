//! Names of things: orders, customers, SKUs, idempotency keys. Each can only hold a valid value.

use std::{fmt, str::FromStr};

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::{hash::RoutingHash, topic::Partition};

/// An order's id: a UUIDv7 whose low 16 bits are the routing hash of its customer, so the id alone gives the
/// partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// Puts the customer's routing hash into a fresh UUIDv7.
    pub fn new(fresh: Uuid, customer: &CustomerId) -> Self {
        let hash = RoutingHash::of(customer.as_str());
        Self(Uuid::from_u128(fresh.as_u128() & !0xffff | u128::from(hash.0)))
    }

    /// An id read from storage or a path.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The partition, among `partitions`, of all that is about this order.
    pub fn partition(self, partitions: u16) -> Partition {
        RoutingHash(self.0.as_u128() as u16).partition(partitions)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

impl JsonSchema for OrderId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OrderId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "uuid" })
    }
}

/// Why a text is no valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is empty.
    #[error("must not be empty")]
    Empty,
    /// It is longer than so many bytes.
    #[error("must not be longer than {0} bytes")]
    TooLong(usize),
    /// It has a control character, or white space where none may be.
    #[error("must not contain control characters or white space")]
    Character,
}

fn check(text: &str, bytes_max: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > bytes_max {
        return Err(InvalidName::TooLong(bytes_max));
    }
    let wrong = |c: char| c.is_control() || c.is_whitespace();
    if text.contains(wrong) { Err(InvalidName::Character) } else { Ok(()) }
}

/// A name of at most `MAX` bytes without white space. `Kind` keeps different names apart.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name<Kind, const MAX: usize>(CompactString, std::marker::PhantomData<Kind>);

/// Marks customer ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerKind;
/// Marks SKUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SkuKind;
/// Marks idempotency keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyKind;
/// Marks states of a lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusKind;

/// A customer's id, as the seller knows it.
pub type CustomerId = Name<CustomerKind, 128>;
/// A stock keeping unit: what is counted, priced and reserved.
pub type Sku = Name<SkuKind, 64>;
/// A client's key that makes repeating a request harmless.
pub type IdempotencyKey = Name<KeyKind, 255>;
/// The name of a state in the lifecycle.
pub type Status = Name<StatusKind, 64>;

impl<Kind, const MAX: usize> Name<Kind, MAX> {
    /// Checks and takes a name.
    pub fn new(text: impl Into<CompactString>) -> Result<Self, InvalidName> {
        let text = text.into();
        check(&text, MAX)?;
        Ok(Self(text, std::marker::PhantomData))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<Kind, const MAX: usize> FromStr for Name<Kind, MAX> {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl<Kind, const MAX: usize> AsRef<str> for Name<Kind, MAX> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<Kind, const MAX: usize> std::borrow::Borrow<str> for Name<Kind, MAX> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<Kind, const MAX: usize> fmt::Debug for Name<Kind, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<Kind, const MAX: usize> fmt::Display for Name<Kind, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<Kind, const MAX: usize> Serialize for Name<Kind, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, Kind, const MAX: usize> Deserialize<'de> for Name<Kind, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(CompactString::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<Kind, const MAX: usize> JsonSchema for Name<Kind, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn order_id_gives_the_partition_of_its_customer(customer in "[a-z0-9-]{1,40}", bits: u128, n in 1..100u16) {
            let customer = CustomerId::new(customer).unwrap();
            let fresh = uuid::Builder::from_unix_timestamp_millis(
                (bits as u64) >> 20, &bits.to_be_bytes()[..10].try_into().unwrap()).into_uuid();
            let id = OrderId::new(fresh, &customer);
            prop_assert_eq!(id.partition(n), RoutingHash::of(customer.as_str()).partition(n));
            prop_assert_eq!(id.as_uuid().get_version_num(), 7);
            prop_assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
        }
    }

    #[test]
    fn names_refuse_what_would_not_survive_a_url_or_a_log_line() {
        assert_eq!(Sku::new(""), Err(InvalidName::Empty));
        assert_eq!(Sku::new("a b"), Err(InvalidName::Character));
        assert_eq!(Sku::new("a\n"), Err(InvalidName::Character));
        assert_eq!(Sku::new("x".repeat(65)), Err(InvalidName::TooLong(64)));
        assert!(Sku::new("Größe-42").is_ok());
    }
}
