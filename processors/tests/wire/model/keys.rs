//! The rules of idempotency keys: one request has an effect, and its repeats get the same answer.

use std::time::Duration;

use orderflow_schemas::{
    Actor, OrderEvent, Role, Timestamp,
    commands::{ChangeKey, Fingerprint, PlaceOrder},
    events::{Change, CommandRejected, RejectionCode},
};

use super::Model;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The role and the subject of the caller, the call, the order or SKU, and the key.
pub(super) type ScopedKey = (Role, String, String, String, String);

/// The first use of the key of a change.
pub(super) type FirstUse = (Timestamp, Fingerprint, Answer);

/// The answer to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Repeated,
    Rejected(RejectionCode),
    RejectedAgain(RejectionCode),
}

impl Answer {
    pub(super) fn rejected(rejected: &CommandRejected) -> Self {
        if rejected.repeated { Self::RejectedAgain(rejected.code) } else { Self::Rejected(rejected.code) }
    }

    /// The answer of the first event about a change of an order.
    pub(super) fn of(event: &OrderEvent) -> Self {
        match event {
            OrderEvent::Changed(..) | OrderEvent::ShipmentRecorded(_) => Self::Done,
            OrderEvent::Repeated(_) => Self::Repeated,
            OrderEvent::Rejected(rejected) => Self::rejected(rejected),
            other => panic!("a change gave {other:?}"),
        }
    }
}

impl Model {
    pub(super) fn check_key(&mut self, place: &PlaceOrder, event: &OrderEvent, time: Timestamp) {
        let Some(idempotency) = &place.idempotency else { return };
        let key = (place.customer_id.to_string(), idempotency.key.to_string());
        let known = self.keys.get(&key).filter(|(since, ..)| since.plus(DAY) >= time);
        match (known, event) {
            (None, OrderEvent::Changed(Change::Created, _) | OrderEvent::Requested(_)) => {
                self.keys.insert(key, (time, idempotency.fingerprint, place.order_id));
            }
            (Some((_, print, id)), OrderEvent::Repeated(repeated)) => {
                assert_eq!((*print, *id), (idempotency.fingerprint, repeated.order_id));
                let declined = self.declined.get(id).copied();
                assert_eq!(repeated.declined, declined, "a repeat is answered like the first request");
                assert!(declined.is_none() || repeated.order.is_none());
            }
            (Some((_, print, _)), OrderEvent::Rejected(rejected)) => {
                assert_eq!(rejected.code, RejectionCode::IdempotencyKeyReused);
                assert_ne!(*print, idempotency.fingerprint);
            }
            (known, event) => panic!("key {key:?}, known as {known:?}, gave {event:?}"),
        }
    }

    /// The first request under a key is remembered with its outcome, and repeats get that.
    pub(super) fn check_change_key(
        &mut self,
        by: &Actor,
        object: &str,
        key: Option<&ChangeKey>,
        answer: Answer,
        time: Timestamp,
    ) {
        let Some(ChangeKey { key, call, fingerprint }) = key else {
            assert!(!matches!(answer, Answer::Repeated | Answer::RejectedAgain(_)), "nothing is repeated");
            return;
        };
        let (subject, call) = (by.subject.to_string(), call.to_string());
        let key = (by.role, subject, call, object.to_owned(), key.to_string());
        let known = self.change_keys.get(&key).filter(|(since, ..)| since.plus(DAY) >= time);
        match (known, answer) {
            (None, Answer::Rejected(RejectionCode::Forbidden | RejectionCode::UnknownOrder)) => {}
            (None, Answer::Done | Answer::Rejected(_)) => {
                self.change_keys.insert(key, (time, *fingerprint, answer));
            }
            (Some((_, print, Answer::Done)), Answer::Repeated) => assert_eq!(print, fingerprint),
            (Some((_, print, Answer::Rejected(first))), Answer::RejectedAgain(code)) => {
                assert_eq!((print, first), (fingerprint, &code));
            }
            (Some((_, print, _)), Answer::Rejected(RejectionCode::IdempotencyKeyReused)) => {
                assert_ne!(print, fingerprint);
            }
            (known, answer) => panic!("key {key:?}, known as {known:?}, gave {answer:?}"),
        }
    }
}
