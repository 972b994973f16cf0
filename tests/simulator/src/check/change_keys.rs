//! Each idempotency key of a change has one effect, and a repeat gets the outcome of the first request.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use orderflow_schemas::{
    Actor, Lifecycle, OrderCommand, OrderEvent, Payload, RawRecord, Role, StockCommand, StockEvent,
    commands::{ChangeKey, ChangeStatus, Fingerprint},
    events::{CommandRejected, RejectionCode},
};

use super::{Checked, broken};

/// The caller, the call, the order or SKU, and the key.
type Name = (Role, String, String, String, String);

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Repeated,
    Rejected(RejectionCode),
    RejectedAgain(RejectionCode),
}

impl Answer {
    fn rejected(rejected: &CommandRejected) -> Self {
        if rejected.repeated { Self::RejectedAgain(rejected.code) } else { Self::Rejected(rejected.code) }
    }
}

/// The first use of each key.
#[derive(Debug)]
pub struct ChangeKeys {
    lifecycle: Arc<Lifecycle>,
    first: BTreeMap<Name, (Fingerprint, Answer)>,
}

impl ChangeKeys {
    /// No keys yet. All versions of the rules give each role the rights in `lifecycle`, except for services.
    pub fn new(lifecycle: Arc<Lifecycle>) -> Self {
        Self { lifecycle, first: BTreeMap::new() }
    }

    /// Checks the event that answers a command to the order processor.
    pub fn take_order(&mut self, command: Option<&Bytes>, event: &OrderEvent) -> Checked {
        let (by, id, key) = match decoded(command) {
            Some(OrderCommand::ChangeStatus(command)) => {
                let key = command.idempotency.clone().filter(|_| self.may_ask(&command));
                (command.by, command.order_id, key)
            }
            Some(OrderCommand::AssignCourier(command)) => (command.by, command.order_id, command.idempotency),
            Some(OrderCommand::ReportShipment(command)) => {
                (command.by, command.order_id, command.idempotency)
            }
            Some(OrderCommand::Return(command)) => (command.by, command.order_id, command.idempotency),
            _ => return Ok(()),
        };
        let Some(key) = key else { return Ok(()) };
        let answer = match event {
            OrderEvent::Changed(..) | OrderEvent::ShipmentRecorded(_) => Answer::Done,
            OrderEvent::Repeated(_) => Answer::Repeated,
            OrderEvent::Rejected(rejected) => Answer::rejected(rejected),
            other => return broken(format!("a change is answered with {}", other.kind())),
        };
        self.take(&by, id.to_string(), &key, answer)
    }

    /// Checks the event that answers a command to the stock processor.
    pub fn take_stock(&mut self, command: Option<&Bytes>, event: &StockEvent) -> Checked {
        let (by, sku, key) = match decoded(command) {
            Some(StockCommand::Receive(command)) => (command.by, command.sku, command.idempotency),
            Some(StockCommand::Adjust(command)) => (command.by, command.sku, command.idempotency),
            Some(StockCommand::SetProduct(command)) => (command.by, command.sku, command.idempotency),
            _ => return Ok(()),
        };
        let Some(key) = key else { return Ok(()) };
        let answer = match event {
            StockEvent::Repeated(_) => Answer::Repeated,
            StockEvent::Rejected(rejected) => Answer::rejected(rejected),
            _ => Answer::Done,
        };
        self.take(&by, sku.to_string(), &key, answer)
    }

    /// Whether the role may ever move an order to the requested state. If it may not, its key has no effect.
    fn may_ask(&self, change: &ChangeStatus) -> bool {
        let role = change.by.role;
        let to = self.lifecycle.resolve(change.status.as_str(), role);
        to.is_some_and(|to| self.lifecycle.may_enter(to, role))
    }

    fn take(&mut self, by: &Actor, object: String, key: &ChangeKey, answer: Answer) -> Checked {
        // A service may lose rights and get them back. Its request is then answered as without a key.
        let loses_rights = by.role == Role::Service;
        let name =
            (by.role, by.subject.to_string(), key.call.to_string(), object, key.key.as_str().to_owned());
        let Some((fingerprint, first)) = self.first.get(&name) else {
            return match answer {
                Answer::Done => {
                    self.first.insert(name, (key.fingerprint, answer));
                    Ok(())
                }
                Answer::Rejected(code) if is_remembered(code) && !loses_rights => {
                    self.first.insert(name, (key.fingerprint, answer));
                    Ok(())
                }
                Answer::Rejected(code) if code != RejectionCode::IdempotencyKeyReused => Ok(()),
                _ if loses_rights => Ok(()),
                answer => broken(format!("key {name:?} is new and is answered {answer:?}")),
            };
        };
        let same = *fingerprint == key.fingerprint;
        let expected = match (first, answer) {
            (_, Answer::Done) => false,
            _ if loses_rights => true,
            // The order names another courier by now.
            (_, Answer::Rejected(RejectionCode::UnknownOrder)) => by.role == Role::Courier,
            (_, Answer::Rejected(RejectionCode::IdempotencyKeyReused)) => !same,
            (Answer::Done, Answer::Repeated) => same,
            (Answer::Rejected(first), Answer::RejectedAgain(code)) => same && *first == code,
            _ => false,
        };
        if expected {
            return Ok(());
        }
        broken(format!("key {name:?} was answered {first:?} first, and now {answer:?}"))
    }
}

/// Whether a repeat of a request that was rejected for this reason is rejected again.
fn is_remembered(code: RejectionCode) -> bool {
    use RejectionCode::{
        IllegalTransition, LevelOverflow, MoreThanShipped, NegativeStock, ReturnsClosed, StaleVersion,
    };
    matches!(
        code,
        IllegalTransition | StaleVersion | NegativeStock | LevelOverflow | ReturnsClosed | MoreThanShipped
    )
}

/// The command in a record, if it can be read.
fn decoded<C: Payload>(record: Option<&Bytes>) -> Option<C> {
    let raw = RawRecord::decode(record?).ok()?;
    C::decode(&raw.kind, raw.data).ok()
}
