//! From what a client sent to a command, or to everything that is wrong with it. Pure: ids and the caller are
//! arguments.
//!
//! Each error carries a JSON pointer to its field. What fails here never reaches the log.

mod order;
mod status;
mod stock;

pub use order::{Owner, place, wanted};
pub use status::{change_status, perform};
pub use stock::{adjust, product_line, receive, receive_line, set_product};

use std::fmt::Display;

use compact_str::CompactString;
use orderflow_schemas::{
    Amount, Currency, IdempotencyKey, OrderId, Sku,
    ids::{InvalidName, Name},
};

use crate::{
    http::{FieldError, Problem},
    requests::Whole,
};

/// What is wrong with a request, collected.
#[derive(Debug, Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn add(&mut self, pointer: impl Into<String>, detail: impl Display) {
        self.0.push(FieldError::new(pointer, detail.to_string()));
    }

    /// The value, or `None` with the error noted.
    fn note<T, E: Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(pointer, error)).ok()
    }

    fn name<Kind, const MAX: usize>(
        &mut self,
        pointer: &str,
        text: CompactString,
    ) -> Option<Name<Kind, MAX>> {
        self.note(pointer, Name::new(text))
    }

    fn currency(&mut self, code: &str) -> Option<Currency> {
        self.note("/currency", code.parse())
    }

    fn price(&mut self, pointer: impl FnOnce() -> String, price: Whole) -> Option<Amount> {
        let price_max = Amount::PRICE_MAX.0;
        match price.within(0..=price_max.cast_signed()) {
            Some(price) => Some(Amount(price.unsigned_abs())),
            None => {
                self.add(pointer(), format_args!("must be an integer from 0 to {price_max}"));
                None
            }
        }
    }

    /// A text of one line and at most so many characters.
    fn text(
        &mut self,
        pointer: &str,
        text: Option<CompactString>,
        chars_max: usize,
    ) -> Option<CompactString> {
        self.no_controls(pointer, text.as_deref(), "");
        self.short(pointer, text, chars_max)
    }

    /// A text of at most so many characters, in lines.
    fn prose(
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
        // A text has at most as many characters as bytes, so most need no counting.
        if text.as_ref().is_some_and(|text| text.len() > chars_max && text.chars().count() > chars_max) {
            self.add(pointer, format_args!("must not be longer than {chars_max} characters"));
        }
        text
    }

    fn not_empty(&mut self, pointer: &str, text: CompactString) -> Option<CompactString> {
        if text.trim().is_empty() {
            self.add(pointer, "must not be empty");
        }
        Some(text)
    }

    /// The problem of all that was noted.
    fn problem(self) -> Problem {
        Problem::invalid(self.0)
    }

    fn none(&self) -> bool {
        self.0.is_empty()
    }
}

/// The id of an order in a path.
pub fn order_id(text: &str) -> Result<OrderId, Problem> {
    text.parse().map_err(|_| Problem::bad_request("invalid-id", "the id of an order is a UUID"))
}

/// A SKU in a path.
pub fn sku(text: &str) -> Result<Sku, Problem> {
    Sku::new(text).map_err(|error| Problem::bad_request("invalid-sku", format!("the SKU {error}")))
}

/// The value of the header `Idempotency-Key`.
pub fn idempotency_key(text: &str) -> Result<IdempotencyKey, Problem> {
    IdempotencyKey::new(text).map_err(|error: InvalidName| {
        Problem::bad_request("invalid-idempotency-key", format!("the header Idempotency-Key {error}"))
    })
}

#[cfg(test)]
mod tests;
