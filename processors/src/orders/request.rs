//! What all changes of an order have in common: the order they are about, their caller, their idempotency key and the
//! versions they ask for.
//!
//! A repeat under the same key gets the outcome of the first request, also when that was a rejection, and the order as it
//! is now. A repeat is for its caller only, so whether the caller may know of the order is decided first. Another's order
//! is refused like one that does not exist.

use std::borrow::Cow;

use orderflow_schemas::{
    Actor, OrderEvent, OrderId, Role, Timestamp,
    commands::ChangeKey,
    events::{CommandRejected, Holding, OrderRepeated, RejectionCode, UsedKey},
};

use super::{OrderProcessor, Orders, packed::Active, rejected};
use crate::keys::{self, Outcome, Use};

/// The detail of a refusal because there is no such order, or none that the caller may see.
const UNKNOWN: &str = "there is no active order with this id";

/// A request to change an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangeRequest<'a> {
    /// The kind of the command.
    pub(super) kind: &'static str,
    pub(super) order_id: OrderId,
    pub(super) by: &'a Actor,
    /// The key, if the caller's role may ask for the change at all.
    pub(super) key: Option<&'a ChangeKey>,
    /// The versions of which the order must have one.
    pub(super) if_match: Option<&'a [u64]>,
}

/// The order and the key of a request that may be decided.
pub(super) struct Admitted<'a> {
    /// The order; `None` if no active order has the id.
    pub(super) active: Option<Cow<'a, Active>>,
    /// The key, which is used for the first time.
    pub(super) key: Option<UsedKey>,
}

impl ChangeRequest<'_> {
    /// The rejection of the request.
    pub(super) fn refuse(&self, code: RejectionCode, detail: impl Into<String>) -> CommandRejected {
        rejected(self.kind, self.order_id, code, detail)
    }

    /// The rejection of a request about an order that is not there.
    pub(super) fn unknown(&self) -> CommandRejected {
        self.refuse(RejectionCode::UnknownOrder, UNKNOWN)
    }
}

impl OrderProcessor {
    /// Finds the order, and decides whether the key is used for the first time. An error has the answer to a request that
    /// is a repeat or about another's order.
    pub(super) fn admit<'a>(
        &self,
        state: &'a Orders,
        request: ChangeRequest<'_>,
        time: Timestamp,
    ) -> Result<Admitted<'a>, Box<OrderEvent>> {
        let active = state.find_visible(request.order_id);
        if active.as_ref().is_some_and(|active| self.is_of_another(active, request.by)) {
            return Err(Box::new(OrderEvent::Rejected(request.unknown())));
        }
        let key = self.first_use(state, request, active.as_deref(), time)?;
        Ok(Admitted { active, key })
    }

    /// Refuses a change of an order that is not there, waits for stock, or has another version than the request asks for.
    pub(super) fn check_order<'a>(
        &self,
        active: Option<Cow<'a, Active>>,
        request: ChangeRequest<'_>,
    ) -> Result<Cow<'a, Active>, Box<CommandRejected>> {
        let Some(active) = active else { return Err(Box::new(request.unknown())) };
        let version = active.order.version;
        if request.if_match.is_some_and(|versions| !versions.contains(&version)) {
            let refusal = request.refuse(RejectionCode::StaleVersion, "the order has changed since");
            return Err(Box::new(CommandRejected { version: Some(version), ..refusal }));
        }
        if active.holding == Holding::Asked {
            return Err(self.illegal(&active, request, "the order is waiting for stock".to_owned()));
        }
        Ok(active)
    }

    /// The rejection because the lifecycle does not let the order change like this.
    pub(super) fn illegal(
        &self,
        active: &Active,
        request: ChangeRequest<'_>,
        detail: String,
    ) -> Box<CommandRejected> {
        let refusal = request.refuse(RejectionCode::IllegalTransition, detail);
        Box::new(CommandRejected { allowed: Some(self.allowed(active, request.by.role)), ..refusal })
    }

    /// Whether the order is another's: another customer's, or one that the courier may not act for.
    fn is_of_another(&self, active: &Active, by: &Actor) -> bool {
        let order = &active.order;
        match by.role {
            Role::Customer => by.subject != order.customer_id.as_str(),
            Role::Courier => !self.lifecycle.hands(order, &by.subject),
            _ => false,
        }
    }

    /// The key of the request if it is used for the first time, otherwise the answer to a repeat.
    fn first_use(
        &self,
        state: &Orders,
        request: ChangeRequest<'_>,
        active: Option<&Active>,
        time: Timestamp,
    ) -> Result<Option<UsedKey>, Box<OrderEvent>> {
        let order_id = request.order_id;
        let key = request.key.map(|key| keys::of_change(request.by, order_id.as_uuid().as_bytes(), key));
        Err(Box::new(match state.change_keys.find(key, time) {
            Use::First(key) => return Ok(key),
            Use::Repeat(Outcome::Done(())) => {
                let order = active.map(|active| active.order.clone());
                OrderEvent::Repeated(OrderRepeated { requested: order_id, order_id, order, declined: None })
            }
            Use::Repeat(Outcome::Rejected(code)) => {
                OrderEvent::Rejected(self.rejected_again(request, active, *code))
            }
            Use::Reuse => {
                let refusal = request.refuse(RejectionCode::IdempotencyKeyReused, keys::REUSED);
                OrderEvent::Rejected(CommandRejected { version: version_of(active), ..refusal })
            }
        }))
    }

    /// The rejection of a request whose first attempt was rejected, with the order as it is now.
    fn rejected_again(
        &self,
        request: ChangeRequest<'_>,
        active: Option<&Active>,
        code: RejectionCode,
    ) -> CommandRejected {
        let allowed = active.filter(|_| code == RejectionCode::IllegalTransition);
        CommandRejected {
            allowed: allowed.map(|active| self.allowed(active, request.by.role)),
            version: version_of(active),
            repeated: true,
            ..request.refuse(code, keys::REJECTED_BEFORE)
        }
    }
}

/// The event for a rejected change. It remembers the key if a repeat is to be rejected like the first request. A caller
/// who may not ask for the change has nothing remembered. A finished order is no longer known here, and a repeat is
/// rejected as the first request was.
pub(super) fn rejection(rejected: CommandRejected, key: Option<UsedKey>) -> OrderEvent {
    let is_remembered = matches!(
        rejected.code,
        RejectionCode::StaleVersion
            | RejectionCode::IllegalTransition
            | RejectionCode::ReturnsClosed
            | RejectionCode::MoreThanShipped
    );
    OrderEvent::Rejected(CommandRejected { key: key.filter(|_| is_remembered), ..rejected })
}

/// The version of the order. Without it, the order is finished, and who reads the event has to look there whether the
/// caller may have this answer.
fn version_of(active: Option<&Active>) -> Option<u64> {
    active.map(|active| active.order.version)
}
