//! Decisions as HTTP responses.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use orderflow_schemas::{
    Lifecycle, Offset, Order, OrderId, Position, Sku, TopicPartition,
    events::{CommandRejected, RejectionCode},
    lifecycle::Outcome,
    order::{Failure, FailureCode},
};
use orderflow_web::{
    IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED, Prefer, Problem, etag::etag, json, position, with_position,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The value of `Location`: the path at which a client can read the order.
fn location(order: OrderId) -> HeaderValue {
    HeaderValue::try_from(format!("/orders/{order}")).expect("a UUID is ASCII")
}

/// The order in its current state, with its version as the ETag.
fn order(status: StatusCode, order: &Order) -> Response {
    let mut response = json(status, order);
    response.headers_mut().insert(header::ETAG, etag(order.version));
    response
}

/// 200: the order has changed; the response has its new state.
pub fn changed(changed: &Order, seen: &Position) -> Response {
    with_position(seen, order(StatusCode::OK, changed))
}

/// 201 with the order, or 409 if stock refused it. A repeat of the request gets the same status as the first time.
pub fn placed(placed: &Order, replayed: bool, seen: &Position, lifecycle: &Lifecycle) -> Response {
    let mut response = match refused_by_stock(placed, lifecycle) {
        Some(code) => refused(placed, code).into_response(),
        None => order(StatusCode::CREATED, placed),
    };
    response.headers_mut().insert(header::LOCATION, location(placed.id));
    let response = with_position(seen, response);
    if replayed { as_replayed(response) } else { response }
}

/// Why stock refused the order. `None` if it did not fail. An order that a person rejected later has no such reason.
fn refused_by_stock(order: &Order, lifecycle: &Lifecycle) -> Option<FailureCode> {
    let state = lifecycle.find(order.status.as_str())?;
    if lifecycle.state(state).outcome != Some(Outcome::Failed) {
        return None;
    }
    let codes = [
        FailureCode::OutOfStock,
        FailureCode::CurrencyMismatch,
        FailureCode::PriceUnknown,
        FailureCode::PriceChanged,
        FailureCode::TotalTooLarge,
    ];
    // Where stock has no say, the reason is the words of whoever rejected the order.
    lifecycle.initial_stock()?;
    let by_reason = codes.into_iter().find(|code| order.fail_reason.as_deref() == Some(code.as_str()));
    by_reason.or_else(|| order.failures.first().map(|failure| failure.problem))
}

fn refused(order: &Order, code: FailureCode) -> Problem {
    let failures: Vec<_> = order.failures.iter().map(describe).collect();
    let detail = match failures.is_empty() {
        true => "the order could not be reserved".to_owned(),
        false => failures.join("; "),
    };
    Problem::conflict(code.as_str(), detail)
        .with_member("order", order)
        .with_member("failures", &*order.failures)
        .with_header(header::ETAG, etag(order.version))
}

/// 409: stock refused the order, which was never created. A repeat of the request does not say again what was short.
pub fn declined(code: FailureCode, failures: &[Failure], replayed: bool, seen: &Position) -> Problem {
    let described: Vec<_> = failures.iter().map(describe).collect();
    let detail = match described.is_empty() {
        true => "the order could not be reserved, and was not created".to_owned(),
        false => described.join("; "),
    };
    let problem = Problem::conflict(code.as_str(), detail)
        .with_member("failures", failures)
        .with_header(position::POSITION, position::header_value(seen));
    if replayed {
        problem.with_header(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"))
    } else {
        problem
    }
}

fn describe(failure: &Failure) -> String {
    let Failure { sku, requested, available, unit_price, currency, .. } = failure;
    match (failure.problem, unit_price, currency) {
        (FailureCode::OutOfStock, ..) => format!("{sku}: {requested} requested, {available} available"),
        (FailureCode::PriceChanged, Some(price), _) => format!("{sku}: the price is {price} now"),
        (FailureCode::PriceUnknown, ..) => format!("{sku}: has no price"),
        (FailureCode::CurrencyMismatch, _, Some(currency)) => format!("{sku}: is sold in {currency}"),
        (FailureCode::TotalTooLarge, ..) => format!("{sku}: the total is too large"),
        (problem, ..) => format!("{sku}: {}", problem.as_str()),
    }
}

/// An order that is durable and not yet decided.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AcceptedOrder {
    /// The id of the order.
    id: OrderId,
}

/// A command about stock that is durable and not yet decided.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AcceptedStock {
    /// The SKU.
    pub sku: Sku,
}

/// 202: the order is durable and not yet decided.
pub fn accepted(order: OrderId, seen: &Position) -> Response {
    let mut response = json(StatusCode::ACCEPTED, &AcceptedOrder { id: order });
    response.headers_mut().insert(header::LOCATION, location(order));
    with_position(seen, response)
}

/// Adds `Idempotent-Replayed`: the request repeats an earlier one under the same key.
pub fn as_replayed(mut response: Response) -> Response {
    response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Adds `Preference-Applied` to a response that did not wait for the decision, or not longer than the client preferred.
/// The server itself waits no longer than `bound`.
pub fn as_preferred(mut response: Response, prefer: Prefer, bound: Duration) -> Response {
    if let Some(applied) = prefer.applied(bound) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    response
}

/// The position of a client that has received this response.
pub fn seen(commands: TopicPartition, cause: Offset) -> Position {
    Position::of(commands, cause)
}

/// 404: the order does not exist, or not for this caller.
pub fn not_found(seen: &Position) -> Problem {
    Problem::not_found("order-not-found", "there is no order with this id")
        .with_header(position::POSITION, position::header_value(seen))
}

/// The problem for a command that the processor rejected, now or when it came first under its key.
pub fn rejected(rejected: CommandRejected, seen: &Position) -> Problem {
    let slug = slug(rejected.code);
    let status = match rejected.code {
        RejectionCode::UnknownOrder => StatusCode::NOT_FOUND,
        RejectionCode::Forbidden => StatusCode::FORBIDDEN,
        RejectionCode::StaleVersion => StatusCode::PRECONDITION_FAILED,
        RejectionCode::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        RejectionCode::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    let mut problem = Problem::new(status, slug, rejected.detail)
        .with_header(position::POSITION, position::header_value(seen));
    if rejected.repeated {
        problem = problem.with_header(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(allowed) = rejected.allowed {
        problem = problem.with_member("allowed", allowed);
    }
    if let Some(version) = rejected.version {
        problem = problem.with_member("version", version).with_header(header::ETAG, etag(version));
    }
    problem
}

/// The slug of a rejection. It is the rejection's name in records, except for one that HTTP clients know by another
/// name.
fn slug(code: RejectionCode) -> &'static str {
    match code {
        RejectionCode::UnknownOrder => "order-not-found",
        RejectionCode::OrderExists => "order-exists",
        RejectionCode::IllegalTransition => "illegal-transition",
        RejectionCode::Forbidden => "forbidden",
        RejectionCode::StaleVersion => "stale-version",
        RejectionCode::IdempotencyKeyReused => "idempotency-key-reused",
        RejectionCode::NegativeStock => "negative-stock",
        RejectionCode::LevelOverflow => "level-overflow",
        RejectionCode::UnknownReservation => "unknown-reservation",
        RejectionCode::ReservationResolved => "reservation-resolved",
        RejectionCode::MoreThanReserved => "more-than-reserved",
        RejectionCode::ReservationExists => "reservation-exists",
        RejectionCode::UnexpectedReply => "unexpected-reply",
        RejectionCode::Unreadable => "unreadable",
        RejectionCode::ReturnsClosed => "returns-closed",
        RejectionCode::MoreThanShipped => "more-than-shipped",
    }
}

/// 500: the processor answered a command with an event that is not an answer to it.
pub fn unexpected(event: &'static str) -> Problem {
    Problem::internal(format_args!("a command was answered with {event}"))
}
