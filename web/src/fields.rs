//! Validation of a request's fields: errors are collected, each with a JSON pointer to its field.

use std::{
    fmt::{self, Display},
    ops::RangeInclusive,
};

use compact_str::CompactString;
use orderflow_schemas::{Amount, Currency, ids::Name};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::{FieldError, Problem};

/// A text of one line as a regular expression: no control characters.
pub const PATTERN_OF_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// A text of several lines as a regular expression: no control characters but tabs and line breaks.
pub const PATTERN_OF_PROSE: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";

/// 2^53 - 1, up to which a float is no other integer that was rounded.
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// A JSON number that should be an integer. `None` if it has a fraction or does not fit into 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub Option<i64>);

impl Whole {
    /// The integer, if the number is one and is within `range`.
    pub fn within(self, range: RangeInclusive<i64>) -> Option<i64> {
        self.0.filter(|integer| range.contains(integer))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl de::Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Whole, E> {
                Ok(Whole(i64::try_from(integer).ok()))
            }

            fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Whole, E> {
                Ok(Whole(Some(integer)))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
                // JSON has one kind of numbers: 5.0 is 5. Beyond 2^53 a float does not say which integer it was.
                let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
                Ok(Whole(is_whole.then_some(number as i64)))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Integer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

/// The errors of a request's fields, collected.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Adds an error of the field at this JSON pointer.
    pub fn add(&mut self, pointer: impl Into<String>, detail: impl Display) {
        self.0.push(FieldError::new(pointer, detail.to_string()));
    }

    /// The value, or `None` after adding the error of the field at this JSON pointer.
    pub fn note<T, E: Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(pointer, error)).ok()
    }

    /// Checks a name, such as a SKU.
    pub fn name<Kind, const MAX: usize>(
        &mut self,
        pointer: &str,
        text: CompactString,
    ) -> Option<Name<Kind, MAX>> {
        self.note(pointer, Name::new(text))
    }

    /// Checks the currency code at `/currency`.
    pub fn currency(&mut self, code: &str) -> Option<Currency> {
        self.note("/currency", code.parse())
    }

    /// Checks a price: 0 to [`Amount::PRICE_MAX`] minor units.
    pub fn price(&mut self, pointer: impl FnOnce() -> String, price: Whole) -> Option<Amount> {
        let price_max = Amount::PRICE_MAX.0;
        match price.within(0..=price_max.cast_signed()) {
            Some(price) => Some(Amount(price.unsigned_abs())),
            None => {
                self.add(pointer(), format_args!("must be an integer from 0 to {price_max}"));
                None
            }
        }
    }

    /// Checks a text of one line and at most `chars_max` characters.
    pub fn text(
        &mut self,
        pointer: &str,
        text: Option<CompactString>,
        chars_max: usize,
    ) -> Option<CompactString> {
        self.no_controls(pointer, text.as_deref(), "");
        self.short(pointer, text, chars_max)
    }

    /// Checks a text of several lines and at most `chars_max` characters.
    pub fn prose(
        &mut self,
        pointer: &str,
        text: Option<CompactString>,
        chars_max: usize,
    ) -> Option<CompactString> {
        self.no_controls(pointer, text.as_deref(), "\t\n\r");
        self.short(pointer, text, chars_max)
    }

    fn no_controls(&mut self, pointer: &str, text: Option<&str>, but: &str) {
        let is_wrong = |c: char| c.is_control() && !but.contains(c);
        if let Some(wrong) = text.and_then(|text| text.chars().find(|c| is_wrong(*c))) {
            let code = u32::from(wrong);
            self.add(pointer, format_args!("must not have the control character U+{code:04X}"));
        }
    }

    fn short(
        &mut self,
        pointer: &str,
        text: Option<CompactString>,
        chars_max: usize,
    ) -> Option<CompactString> {
        // A text has at most as many characters as bytes, so most texts need no counting.
        if text.as_ref().is_some_and(|text| text.len() > chars_max && text.chars().count() > chars_max) {
            self.add(pointer, format_args!("must not be longer than {chars_max} characters"));
        }
        text
    }

    /// Checks that a text is not blank. Returns the text in either case.
    pub fn not_empty(&mut self, pointer: &str, text: CompactString) -> Option<CompactString> {
        if text.trim().is_empty() {
            self.add(pointer, "must not be empty");
        }
        Some(text)
    }

    /// The problem with all collected errors.
    pub fn into_problem(self) -> Problem {
        Problem::invalid(self.0)
    }

    /// Whether no error was collected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
