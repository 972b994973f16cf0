//! Placing an order: whose it is, what it holds, and that it stays within the limits.

use std::collections::HashMap;

use compact_str::CompactString;
use foldhash::fast::RandomState;
use orderflow_schemas::{
    Amount, CustomerId, IdempotencyKey, OrderId, OrderLine, Role, Timestamp,
    commands::{Idempotency, PlaceOrder},
    limits::{CHANNEL_CHARS_MAX, LINES_MAX, NOTES_CHARS_MAX, QUANTITY_MAX},
};
use uuid::Uuid;

use super::Faults;
use crate::{
    fingerprint,
    http::{Caller, Object, Problem},
    requests::{LineRequest, OrderRequest, WantedRequest},
};

/// For whom a caller may place orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Only for this customer, which the caller is.
    Only(CustomerId),
    /// For the customer that the request names.
    Named,
}

impl Owner {
    /// For whom this caller may place orders; 403 if for nobody.
    pub fn of(caller: &Caller) -> Result<Self, Problem> {
        caller.require(&[Role::Customer, Role::Admin, Role::Service])?;
        if caller.role != Role::Customer {
            return Ok(Self::Named);
        }
        let subject = CustomerId::new(caller.subject.clone());
        subject.map(Self::Only).map_err(|_| Problem::forbidden("the caller's subject is no customer id"))
    }

    fn resolve(
        &self,
        named: Option<CompactString>,
        faults: &mut Faults,
    ) -> Result<Option<CustomerId>, Problem> {
        match (self, named) {
            (Self::Only(own), Some(named)) if named != own.as_str() => {
                Err(Problem::forbidden("a customer places orders only for themselves")
                    .with_error("/customer_id", "is another customer"))
            }
            (Self::Only(own), _) => Ok(Some(own.clone())),
            (Self::Named, Some(named)) => Ok(faults.name("/customer_id", named)),
            (Self::Named, None) => {
                faults.add("/customer_id", "is missing: say whose order it is");
                Ok(None)
            }
        }
    }
}

/// The command that places this order, under the id made from `fresh`, a new UUIDv7.
pub fn place(
    request: OrderRequest,
    key: Option<IdempotencyKey>,
    owner: &Owner,
    caller: &Caller,
    fresh: Uuid,
) -> Result<PlaceOrder, Problem> {
    let mut faults = Faults::default();
    let customer = owner.resolve(request.customer_id, &mut faults)?;
    let currency = faults.currency(&request.currency);
    let lines = lines(request.lines, &mut faults);
    // With a line left out the indices would no longer be the client's.
    let lines = if faults.none() { merge(lines, &mut faults) } else { lines };
    let channel = faults.text("/channel", request.channel, CHANNEL_CHARS_MAX);
    let notes = faults.prose("/notes", request.notes, NOTES_CHARS_MAX);
    let placed_at = request.placed_at.and_then(|text| faults.note("/placed_at", text.parse::<Timestamp>()));
    let key = one_key(key, request.idempotency_key, &mut faults);
    let (Some(customer_id), Some(currency), true) = (customer, currency, faults.none()) else {
        return Err(faults.problem());
    };
    check_total(&lines)?;
    let digest = || fingerprint::of_order(currency, &lines, channel.as_deref(), notes.as_deref(), placed_at);
    let idempotency = key.map(|key| Idempotency { key, fingerprint: digest() });
    let order_id = OrderId::new(fresh, &customer_id);
    let by = caller.actor();
    Ok(PlaceOrder { order_id, customer_id, currency, lines, channel, notes, placed_at, idempotency, by })
}

/// The lines of an order that somebody may place, as they were sent; refused where the order would be.
pub fn wanted(request: WantedRequest) -> Result<Vec<OrderLine>, Problem> {
    let mut faults = Faults::default();
    let lines = lines(request.lines, &mut faults);
    if faults.none() {
        merge(lines.clone(), &mut faults);
    }
    if !faults.none() {
        return Err(faults.problem());
    }
    check_total(&lines)?;
    Ok(lines)
}

/// The key from the header or from the body; both may be there if they say the same.
fn one_key(
    header: Option<IdempotencyKey>,
    body: Option<CompactString>,
    faults: &mut Faults,
) -> Option<IdempotencyKey> {
    let body: Option<IdempotencyKey> = body.and_then(|text| faults.name("/idempotency_key", text));
    if header.is_some() && body.is_some() && header != body {
        faults.add("/idempotency_key", "is another key than the header Idempotency-Key has");
    }
    header.or(body)
}

fn lines(requests: Vec<Object<LineRequest>>, faults: &mut Faults) -> Vec<OrderLine> {
    if !(1..=LINES_MAX).contains(&requests.len()) {
        faults.add("/lines", format_args!("must have from 1 to {LINES_MAX} lines, not {}", requests.len()));
        return Vec::new();
    }
    let mut lines = Vec::with_capacity(requests.len());
    for (at, Object(request)) in requests.into_iter().enumerate() {
        lines.extend(line(at, request, faults));
    }
    lines
}

fn line(at: usize, request: LineRequest, faults: &mut Faults) -> Option<OrderLine> {
    let sku = match orderflow_schemas::Sku::new(request.sku) {
        Ok(sku) => Some(sku),
        Err(error) => {
            faults.add(format!("/lines/{at}/sku"), error);
            None
        }
    };
    let quantity =
        request.quantity.within(1..=QUANTITY_MAX.into()).and_then(|units| u32::try_from(units).ok());
    if quantity.is_none() {
        let detail = format_args!("must be an integer from 1 to {QUANTITY_MAX}");
        faults.add(format!("/lines/{at}/quantity"), detail);
    }
    let price = |price| faults.price(|| format!("/lines/{at}/unit_price"), price);
    let unit_price = request.unit_price.and_then(price);
    Some(OrderLine { sku: sku?, quantity: quantity?, unit_price })
}

/// Adds up the lines that name the same SKU at the same price, in the place of the first of them.
fn merge(lines: Vec<OrderLine>, faults: &mut Faults) -> Vec<OrderLine> {
    if lines.len() == 1 {
        return lines;
    }
    let mut places = HashMap::with_capacity_and_hasher(lines.len(), RandomState::default());
    let mut merged: Vec<OrderLine> = Vec::with_capacity(lines.len());
    for (at, line) in lines.into_iter().enumerate() {
        let place = *places.entry((line.sku.clone(), line.unit_price)).or_insert(merged.len());
        let Some(first) = merged.get_mut(place) else {
            merged.push(line);
            continue;
        };
        first.quantity = first.quantity.saturating_add(line.quantity);
        if first.quantity > QUANTITY_MAX {
            let detail = format_args!("the lines of this SKU together must not be more than {QUANTITY_MAX}");
            faults.add(format!("/lines/{at}/quantity"), detail);
        }
    }
    merged
}

/// The stated prices must add up to what money can hold.
fn check_total(lines: &[OrderLine]) -> Result<(), Problem> {
    let mut total = Some(Amount(0));
    for line in lines {
        let Some(price) = line.unit_price else { continue };
        total = total.and_then(|total| total.plus(price.times(line.quantity)?));
    }
    if total.is_some() {
        return Ok(());
    }
    let detail = format!("the lines together must not cost more than {}", Amount::TOTAL_MAX);
    Err(Problem::bad_request("total-too-large", detail.clone()).with_error("/lines", detail))
}
