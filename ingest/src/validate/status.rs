//! Validates requests to move an order to another state, given by its name or by an action such as `cancel`.

use compact_str::CompactString;
use orderflow_schemas::{Lifecycle, OrderId, Status, commands::ChangeStatus, limits::REASON_CHARS_MAX};
use orderflow_web::{CallKey, Caller, FieldError, Problem, fields::FieldErrors};

use crate::{
    fingerprint,
    requests::{ActionRequest, StatusRequest},
};

/// The headers that a request to move an order may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeHeaders {
    /// The versions that the order must have one of; `None` if any version is acceptable.
    pub if_match: Option<Vec<u64>>,
    /// The idempotency key and the call. A repeat may have another `If-Match`, since that is not part of the body.
    pub key: CallKey,
}

/// The command that moves an order to the state that the request names.
pub fn change_status(
    order_id: OrderId,
    request: StatusRequest,
    headers: ChangeHeaders,
    caller: &Caller,
    lifecycle: &Lifecycle,
) -> Result<ChangeStatus, Problem> {
    let mut errors = FieldErrors::default();
    let status: Option<Status> = errors.name("/status", request.status);
    let reason = errors.prose("/reason", request.reason, REASON_CHARS_MAX);
    let (Some(status), true) = (status, errors.is_empty()) else { return Err(errors.into_problem()) };
    if lifecycle.resolve(status.as_str(), caller.role).is_none() {
        return Err(unknown_status(&status, lifecycle));
    }
    let ChangeHeaders { if_match, key } = headers;
    let idempotency = key.of_change(|| fingerprint::of_status(&status, reason.as_deref()));
    Ok(ChangeStatus { order_id, status, if_match, reason, idempotency, by: caller.actor() })
}

/// The command behind an action such as `cancel`; 409 if the lifecycle has no such action.
pub fn perform(
    order_id: OrderId,
    action: &str,
    request: ActionRequest,
    headers: ChangeHeaders,
    caller: &Caller,
    lifecycle: &Lifecycle,
) -> Result<ChangeStatus, Problem> {
    let Some(status) = lifecycle.action(action) else {
        let detail = format!("the lifecycle `{}` has no action `{action}`", lifecycle.name);
        return Err(Problem::conflict("illegal-transition", detail));
    };
    let mut errors = FieldErrors::default();
    let reason: Option<CompactString> = errors.prose("/reason", request.reason, REASON_CHARS_MAX);
    if !errors.is_empty() {
        return Err(errors.into_problem());
    }
    let ChangeHeaders { if_match, key } = headers;
    let idempotency = key.of_change(|| fingerprint::of_action(reason.as_deref()));
    let status = status.clone();
    Ok(ChangeStatus { order_id, status, if_match, reason, idempotency, by: caller.actor() })
}

fn unknown_status(status: &Status, lifecycle: &Lifecycle) -> Problem {
    let names: Vec<_> = lifecycle.states().map(|(_, state)| state.name.as_str()).collect();
    let detail = format!("there is no status `{status}`; statuses are {}", names.join(", "));
    Problem::bad_request("unknown-status", detail.clone()).with_errors([FieldError::new("/status", detail)])
}
