//! Validates a request to place an order: its owner, its content and its limits.

use compact_str::CompactString;
use orderflow_schemas::{
    CustomerId, IdempotencyKey, OrderId, Timestamp,
    commands::{Idempotency, PlaceOrder},
    limits::{CHANNEL_CHARS_MAX, NOTES_CHARS_MAX},
};
use orderflow_web::{
    Action, Caller, Problem, Reach,
    fields::FieldErrors,
    order_lines::{check_total, lines, merge},
};
use uuid::Uuid;

use crate::{fingerprint, requests::OrderRequest};

/// The customers that a caller may place orders for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Only this customer, who is the caller.
    Only(CustomerId),
    /// Any customer; the request must name one.
    Named,
}

impl Owner {
    /// The customers that this caller may place orders for; 403 if there are none.
    pub fn of(caller: &Caller) -> Result<Self, Problem> {
        match caller.may(Action::PlaceOrder)? {
            Reach::All => Ok(Self::Named),
            Reach::Own => caller.customer().map(Self::Only),
        }
    }

    fn resolve(
        &self,
        named: Option<CompactString>,
        errors: &mut FieldErrors,
    ) -> Result<Option<CustomerId>, Problem> {
        match (self, named) {
            (Self::Only(own), Some(named)) if named != own.as_str() => {
                Err(Problem::forbidden("a customer places orders only for themselves")
                    .with_error("/customer_id", "is another customer"))
            }
            (Self::Only(own), _) => Ok(Some(own.clone())),
            (Self::Named, Some(named)) => Ok(errors.name("/customer_id", named)),
            (Self::Named, None) => {
                errors.add("/customer_id", "is missing: name the customer");
                Ok(None)
            }
        }
    }
}

/// The command that places this order. The order's id is made from `fresh`, a new UUIDv7, and the customer's id.
pub fn place(
    request: OrderRequest,
    key: Option<IdempotencyKey>,
    owner: &Owner,
    caller: &Caller,
    fresh: Uuid,
) -> Result<PlaceOrder, Problem> {
    let mut errors = FieldErrors::default();
    let customer = owner.resolve(request.customer_id, &mut errors)?;
    let currency = errors.currency(&request.currency);
    let lines = lines(request.lines, &mut errors);
    // Lines are merged only if none was left out, so that the indices in errors are those of the client's lines.
    let lines = if errors.is_empty() { merge(lines, &mut errors) } else { lines };
    let channel = errors.text("/channel", request.channel, CHANNEL_CHARS_MAX);
    let notes = errors.prose("/notes", request.notes, NOTES_CHARS_MAX);
    let placed_at = request.placed_at.and_then(|text| errors.note("/placed_at", text.parse::<Timestamp>()));
    let key = one_key(key, request.idempotency_key, &mut errors);
    let (Some(customer_id), Some(currency), true) = (customer, currency, errors.is_empty()) else {
        return Err(errors.into_problem());
    };
    check_total(&lines)?;
    let digest = || fingerprint::of_order(currency, &lines, channel.as_deref(), notes.as_deref(), placed_at);
    let idempotency = key.map(|key| Idempotency { key, fingerprint: digest() });
    let order_id = OrderId::new(fresh, &customer_id);
    let by = caller.actor();
    Ok(PlaceOrder { order_id, customer_id, currency, lines, channel, notes, placed_at, idempotency, by })
}

/// The key from the header or from the body. Both may be present if they are equal.
fn one_key(
    header: Option<IdempotencyKey>,
    body: Option<CompactString>,
    errors: &mut FieldErrors,
) -> Option<IdempotencyKey> {
    let body: Option<IdempotencyKey> = body.and_then(|text| errors.name("/idempotency_key", text));
    if header.is_some() && body.is_some() && header != body {
        errors.add("/idempotency_key", "differs from the header Idempotency-Key");
    }
    header.or(body)
}
