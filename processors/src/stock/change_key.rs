//! The idempotency key of a change of stock or the catalogue: what a repeat of the request is answered.
//!
//! A repeat gets the outcome of the first request, also when that was a rejection.

use orderflow_schemas::{
    Actor, Sku, StockEvent, Timestamp,
    commands::ChangeKey,
    events::{CommandRejected, RejectionCode, StockRepeated, UsedKey},
};

use super::{Stock, sku_rejected};
use crate::keys::{self, Outcome, Use};

/// The parts of a command about one SKU that its key depends on.
#[derive(Clone, Copy)]
pub(super) struct ChangeRequest<'a> {
    pub(super) kind: &'static str,
    pub(super) sku: &'a Sku,
    pub(super) by: &'a Actor,
    pub(super) key: Option<&'a ChangeKey>,
}

impl ChangeRequest<'_> {
    /// The key of the command if it is used for the first time, otherwise the answer to a repeat.
    pub(super) fn first_use(
        &self,
        state: &Stock,
        time: Timestamp,
    ) -> Result<Option<UsedKey>, Box<StockEvent>> {
        let key = self.key.map(|key| keys::of_change(self.by, self.sku.as_str().as_bytes(), key));
        Err(Box::new(match state.keys.find(key, time) {
            Use::First(key) => return Ok(key),
            Use::Repeat(Outcome::Done(levels)) => {
                StockEvent::Repeated(StockRepeated { sku: self.sku.clone(), levels: *levels, product: None })
            }
            Use::Repeat(Outcome::Rejected(code)) => {
                let refusal = self.rejected(*code, keys::REJECTED_BEFORE);
                StockEvent::Rejected(CommandRejected { repeated: true, ..refusal })
            }
            Use::Reuse => {
                StockEvent::Rejected(self.rejected(RejectionCode::IdempotencyKeyReused, keys::REUSED))
            }
        }))
    }

    /// The rejection of the command.
    pub(super) fn rejected(&self, code: RejectionCode, detail: &str) -> CommandRejected {
        sku_rejected(self.kind, self.sku, code, detail)
    }
}
