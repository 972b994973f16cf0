//! Validates a request to place an order: its owner, its content and its limits.

use std::time::Duration;

use compact_str::CompactString;
use orderflow_schemas::{
    Currency, CustomerId, IdempotencyKey, Lifecycle, Lines, OrderId, Timestamp,
    commands::{Idempotency, PlaceOrder},
    limits::{CHANNEL_CHARS_MAX, NOTES_CHARS_MAX},
};
use orderflow_web::{
    Action, Caller, Problem, Reach,
    fields::{FieldErrors, Whole},
    order_lines::{check_total, of_items, of_skus},
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
            Reach::Own | Reach::Handed => caller.customer().map(Self::Only),
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
    lifecycle: &Lifecycle,
) -> Result<PlaceOrder, Problem> {
    let mut errors = FieldErrors::default();
    let customer = owner.resolve(request.customer_id, &mut errors)?;
    let currency = currency(request.currency, lifecycle, &mut errors);
    let lines: Lines = match lifecycle.items() {
        None => of_skus(request.lines, &mut errors).into(),
        Some(limits) => of_items(request.lines, limits, &mut errors).into(),
    };
    let reserve_for = request.reserve_for.and_then(|asked| reserve_for(asked, lifecycle, &mut errors));
    let channel = errors.text("/channel", request.channel, CHANNEL_CHARS_MAX);
    let notes = errors.prose("/notes", request.notes, NOTES_CHARS_MAX);
    let placed_at = request.placed_at.and_then(|text| errors.note("/placed_at", text.parse::<Timestamp>()));
    let key = one_key(key, request.idempotency_key, &mut errors);
    let (Some(customer_id), true) = (customer, errors.is_empty()) else {
        return Err(errors.into_problem());
    };
    check_total(lines.skus())?;
    let mut command = PlaceOrder {
        order_id: OrderId::new(fresh, &customer_id),
        customer_id,
        currency,
        lines,
        channel,
        notes,
        placed_at,
        reserve_for,
        idempotency: None,
        by: caller.actor(),
    };
    command.idempotency = key.map(|key| Idempotency { key, fingerprint: fingerprint::of_order(&command) });
    Ok(command)
}

/// The currency, which orders with prices must have and orders for items must not.
fn currency(
    code: Option<CompactString>,
    lifecycle: &Lifecycle,
    errors: &mut FieldErrors,
) -> Option<Currency> {
    match (code, lifecycle.items()) {
        (Some(code), None) => errors.currency(&code),
        (None, None) => {
            errors.add("/currency", "is missing");
            None
        }
        (Some(_), Some(_)) => {
            errors.add("/currency", "is not taken: items have no price");
            None
        }
        (None, Some(_)) => None,
    }
}

/// The time for which stock is held, within the bounds of the lifecycle.
fn reserve_for(asked: Whole, lifecycle: &Lifecycle, errors: &mut FieldErrors) -> Option<u32> {
    let Some(bounds) = lifecycle.reserve_for() else {
        errors.add("/reserve_for", format_args!("is not taken by the lifecycle `{}`", lifecycle.name));
        return None;
    };
    let (min, max) = (bounds.min.as_secs(), bounds.max.as_secs());
    let seconds = asked.0.and_then(|seconds| u32::try_from(seconds).ok());
    let allowed = seconds.filter(|seconds| bounds.allows(Duration::from_secs(u64::from(*seconds))));
    if allowed.is_none() {
        errors.add("/reserve_for", format_args!("must be an integer from {min} to {max}, in seconds"));
    }
    allowed
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
