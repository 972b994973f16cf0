//! The names of orders, customers, SKUs, idempotency keys and states. Each type can only hold a valid value.

use std::{fmt, str::FromStr};

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use unicode_normalization::is_nfc;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use uuid::Uuid;

use crate::{hash::RoutingHash, topic::Partition};

/// The id of an order: a UUIDv7 whose low 16 bits are the routing hash of its customer. So the id alone determines the
/// partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// A new id: the UUIDv7 `fresh`, with the customer's routing hash in its low 16 bits.
    pub fn new(fresh: Uuid, customer: &CustomerId) -> Self {
        let hash = RoutingHash::of(customer.as_str());
        Self(Uuid::from_u128(fresh.as_u128() & !0xffff | u128::from(hash.0)))
    }

    /// The id that was read from storage or from a path, unchecked.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The partition, among `partitions`, of everything about this order.
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

/// The text is not a UUID in the form of RFC 9562.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID, such as 0190aaaa-0000-7000-8000-000000000001")]
pub struct InvalidOrderId;

impl FromStr for OrderId {
    type Err = InvalidOrderId;

    /// Parses the form of RFC 9562, with hyphens, and no other.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
        Uuid::try_parse(text).ok().filter(|_| is_hyphenated).map(Self).ok_or(InvalidOrderId)
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

/// Why a text is not a valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than this many bytes.
    #[error("must not be longer than {0} bytes")]
    TooLong(usize),
    /// The text has a control character or white space.
    #[error("must not contain control characters or white space")]
    Character,
    /// The text has an invisible character or one that Unicode has not assigned: general category Cf or Cn.
    #[error("must not contain invisible or unassigned characters")]
    Invisible,
    /// The text is not in Unicode normalization form C, so another text can look the same.
    #[error("must be in Unicode normalization form C")]
    NotNormalized,
    /// The text is `.` or `..`. These have another meaning in a path, percent-encoded or not.
    #[error("must not be . or ..")]
    Dots,
}

fn check(text: &str, bytes_max: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > bytes_max {
        return Err(InvalidName::TooLong(bytes_max));
    }
    if matches!(text, "." | "..") {
        return Err(InvalidName::Dots);
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(()) } else { check_characters(text) }
}

/// Names are compared byte by byte, so two names that look the same must be the same. Invisible characters are refused.
/// A text that can be written in two ways must be in form C (Unicode Standard Annex 15).
fn check_characters(text: &str) -> Result<(), InvalidName> {
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(InvalidName::Character);
    }
    let is_invisible =
        |c: char| matches!(c.general_category(), GeneralCategory::Format | GeneralCategory::Unassigned);
    if text.contains(is_invisible) {
        return Err(InvalidName::Invisible);
    }
    if is_nfc(text) { Ok(()) } else { Err(InvalidName::NotNormalized) }
}

/// A name of 1 to `MAX` bytes: visible characters in Unicode normalization form C, compared byte by byte. `Kind` makes
/// the names of different things different types.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name<Kind, const MAX: usize>(CompactString, std::marker::PhantomData<Kind>);

/// Marks a [`Name`] as a customer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerKind;
/// Marks a [`Name`] as a SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SkuKind;
/// Marks a [`Name`] as an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyKind;
/// Marks a [`Name`] as a state of the lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusKind;

/// A customer's id, by which the seller knows the customer.
pub type CustomerId = Name<CustomerKind, 128>;
/// A stock keeping unit: the unit that is counted, priced and reserved.
pub type Sku = Name<SkuKind, 64>;
/// A key that a client gives a request, so that repeating the request has no further effect.
pub type IdempotencyKey = Name<KeyKind, 255>;
/// The name of a state in the lifecycle.
pub type Status = Name<StatusKind, 64>;

impl<Kind, const MAX: usize> Name<Kind, MAX> {
    /// The text as a name, if it is a valid one.
    pub fn new(text: impl Into<CompactString>) -> Result<Self, InvalidName> {
        let text = text.into();
        check(&text, MAX)?;
        Ok(Self(text, std::marker::PhantomData))
    }

    /// The name as text.
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
        // JSON Schema has no word for bytes nor for form C: the format stands for what else a name must be.
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX, "format": "name" })
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

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for invisible in [
            "a\u{200b}",   // zero width space
            "\u{feff}a",   // byte order mark
            "a\u{202e}b",  // right-to-left override
            "a\u{2066}b",  // left-to-right isolate
            "a\u{200f}",   // right-to-left mark
            "a\u{ad}b",    // soft hyphen
            "a\u{2060}",   // word joiner
            "a\u{e0041}",  // tag
            "a\u{378}",    // unassigned
            "a\u{10ffff}", // a noncharacter
        ] {
            assert_eq!(Sku::new(invisible), Err(InvalidName::Invisible), "{}", invisible.escape_unicode());
        }
        for control in ["a\0", "\u{7f}", "a\u{85}", "a\u{a0}b", "a\u{2028}", "a\u{3000}"] {
            assert_eq!(Sku::new(control), Err(InvalidName::Character), "{}", control.escape_unicode());
        }
        // The same word, composed and decomposed; and a sign that has a canonical equivalent.
        assert!(Sku::new("caf\u{e9}").is_ok());
        assert_eq!(Sku::new("cafe\u{301}"), Err(InvalidName::NotNormalized));
        assert_eq!(Sku::new("\u{212b}"), Err(InvalidName::NotNormalized));
        for fine in ["日本語", "한국", "Ω", "ﬁ", "🍞", "a'b\"c\\d/e%f?g#h", "...", ".a"] {
            assert!(Sku::new(fine).is_ok(), "{fine}");
        }
        for dots in [".", ".."] {
            assert_eq!(Sku::new(dots), Err(InvalidName::Dots));
        }
    }

    #[test]
    fn ids_of_orders_have_one_form() {
        let id = "0190aaaa-0000-7000-8000-00000000000a";
        assert_eq!(id.parse::<OrderId>().unwrap().to_string(), id);
        assert_eq!(id.to_uppercase().parse::<OrderId>().unwrap().to_string(), id);
        let (simple, braced, urn) = (id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}"));
        for wrong in ["", "17", &simple, &braced, &urn, "0190aaaa00007-000-8000-00000000000a"] {
            assert_eq!(wrong.parse::<OrderId>(), Err(InvalidOrderId), "{wrong}");
        }
    }
}
