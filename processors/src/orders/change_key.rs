//! The idempotency key of a status change: what a repeat of the request is answered.
//!
//! A repeat gets the outcome of the first request, also when that was a rejection, and the order as it is now. The
//! caller must have passed the check that the order does not belong to another customer.

use orderflow_schemas::{
    OrderEvent, Timestamp,
    commands::ChangeStatus,
    events::{CommandRejected, OrderRepeated, RejectionCode, UsedKey},
};

use super::{OrderProcessor, Orders, change::refuse, packed::Active};
use crate::keys::{self, Outcome, Use};

impl OrderProcessor {
    /// The key of the command if it is used for the first time, otherwise the answer to a repeat. The key of a caller
    /// whose role may not ask for the change has no effect: the answer is that without a key, also if the role had the
    /// right before.
    pub(super) fn first_use(
        &self,
        state: &Orders,
        change: &ChangeStatus,
        active: Option<&Active>,
        time: Timestamp,
    ) -> Result<Option<UsedKey>, Box<OrderEvent>> {
        let order_id = change.order_id;
        let key = change.idempotency.as_ref().filter(|_| self.may_ask(change));
        let key = key.map(|key| keys::of_change(&change.by, order_id.as_uuid().as_bytes(), key));
        Err(Box::new(match state.change_keys.find(key, time) {
            Use::First(key) => return Ok(key),
            Use::Repeat(Outcome::Done(())) => {
                let order = active.map(|active| active.order.clone());
                OrderEvent::Repeated(OrderRepeated { requested: order_id, order_id, order })
            }
            Use::Repeat(Outcome::Rejected(code)) => {
                OrderEvent::Rejected(self.rejected_again(change, active, *code))
            }
            Use::Reuse => {
                let refusal = refuse(change, RejectionCode::IdempotencyKeyReused, keys::REUSED);
                OrderEvent::Rejected(CommandRejected { version: version_of(active), ..refusal })
            }
        }))
    }

    /// Whether the lifecycle lets the caller's role move any order to the requested state.
    fn may_ask(&self, change: &ChangeStatus) -> bool {
        let role = change.by.role;
        let to = self.lifecycle.resolve(change.status.as_str(), role);
        to.is_some_and(|to| self.lifecycle.may_enter(to, role))
    }

    /// The rejection of a command whose first attempt was rejected, with the order as it is now.
    fn rejected_again(
        &self,
        change: &ChangeStatus,
        active: Option<&Active>,
        code: RejectionCode,
    ) -> CommandRejected {
        let allowed = active.filter(|_| code == RejectionCode::IllegalTransition);
        CommandRejected {
            allowed: allowed.map(|active| self.allowed(active, change.by.role)),
            version: version_of(active),
            repeated: true,
            ..refuse(change, code, keys::REJECTED_BEFORE)
        }
    }
}

/// The version of the order. Without it, the order is finished, and who reads the event has to look there whether the
/// caller may have this answer.
fn version_of(active: Option<&Active>) -> Option<u64> {
    active.map(|active| active.order.version)
}

/// Whether a rejection for this reason is remembered under its key. A caller who may not ask for the change has nothing
/// remembered. A finished order is no longer known here, and a repeat is rejected as the first request was.
pub(super) fn is_remembered(code: RejectionCode) -> bool {
    matches!(code, RejectionCode::StaleVersion | RejectionCode::IllegalTransition)
}
