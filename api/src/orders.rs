//! Reading orders and their history.

use std::fmt::Display;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use orderflow_database::{CUSTOMERS_MAX, HistoryEntry, OrderFilter};
use orderflow_schemas::{CustomerId, IdempotencyKey, Lifecycle, Order, OrderId, Status, Timestamp};
use orderflow_web::{
    Action, Caller, Problem, Query, Reach,
    etag::{Tags, etag},
    query::invalid,
};
use orderflow_web::{Cursor, Id, Limit, List, ListId, Page, Paging};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    caught_up::{self, CaughtUpReader},
    customers::CustomerName,
    lists,
    state::Api,
};

/// The most characters of the name of a customer.
const NAME_CHARS_MAX: usize = 100;

/// The query parameters of a list of orders.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrdersQuery {
    /// Only orders in this state of the lifecycle.
    #[schemars(extend("format" = "status"))]
    status: Option<Status>,
    /// Only orders of this customer.
    customer_id: Option<CustomerId>,
    /// Only orders of customers with this name, in any case. For admins of a server with accounts.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    customer_name: Option<String>,
    /// Only orders of customers whose name has this part, in any case. For admins of a server with accounts.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    customer_name_contains: Option<String>,
    /// Only orders that were placed at this time or later.
    from: Option<Timestamp>,
    /// Only orders that were placed before this time.
    to: Option<Timestamp>,
    /// Only orders that were placed with this idempotency key.
    idempotency_key: Option<IdempotencyKey>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
    #[schemars(with = "Option<Cursor>")]
    cursor: Option<String>,
    #[schemars(with = "Option<Page>")]
    page: Option<u32>,
}

/// The query parameters of a list without filters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagingQuery {
    #[schemars(with = "Option<Limit>")]
    pub(crate) limit: Option<u32>,
    #[schemars(with = "Option<Cursor>")]
    pub(crate) cursor: Option<String>,
    #[schemars(with = "Option<Page>")]
    pub(crate) page: Option<u32>,
}

/// `GET /orders/{id}`: 304 if the client already has this version, 412 if it asked for another one.
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<OrderId>,
    caller: Caller,
    headers: HeaderMap,
    reader: CaughtUpReader,
) -> Result<Response, Problem> {
    let order = find(id, Action::ReadOrder, &api, &caller, &reader).await?;
    let version = order.version;
    let etag = [(header::ETAG, etag(version))];
    let is_stale = |versions: Vec<u64>| !versions.contains(&version);
    if Tags::if_match(&headers)?.and_then(Tags::strong).is_some_and(is_stale) {
        let detail = format!("the order has version {version}");
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "stale-version", detail);
        return Ok((etag, problem.with_member("version", version)).into_response());
    }
    if Tags::if_none_match(&headers)?.is_some_and(|tags| tags.matches_weakly(version)) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    Ok((etag, Json(order)).into_response())
}

/// `GET /orders`
pub async fn list(
    State(api): State<Api>,
    Query(query): Query<OrdersQuery>,
    caller: Caller,
    reader: CaughtUpReader,
) -> Result<Json<List<Order>>, Problem> {
    answer(&api, query, &caller, &reader).await
}

/// `GET /orders/user/{id}`
pub async fn list_of_user(
    State(api): State<Api>,
    Id(id): Id<CustomerId>,
    Query(mut query): Query<OrdersQuery>,
    caller: Caller,
    reader: CaughtUpReader,
) -> Result<Json<List<Order>>, Problem> {
    if query.customer_id.as_ref().is_some_and(|other| *other != id) {
        return Err(invalid("customer_id", "differs from the customer in the path"));
    }
    query.customer_id = Some(id);
    answer(&api, query, &caller, &reader).await
}

/// `GET /search/orders/{id}/history`
pub async fn history(
    State(api): State<Api>,
    Id(id): Id<OrderId>,
    Query(query): Query<PagingQuery>,
    caller: Caller,
    reader: CaughtUpReader,
) -> Result<Json<List<HistoryEntry>>, Problem> {
    let list = ListId::new("history", [Some(id)]);
    let paging = Paging::new(list, query.limit, query.cursor.as_deref(), query.page)?;
    find(id, Action::ReadOrder, &api, &caller, &reader).await?;
    let read = reader.0.history(id, &paging.slice()).await;
    lists::answer(&paging, read, |entry| entry.version, reader.0.count_history(id)).await.map(Json)
}

/// The order; 404 if there is none, or if it belongs to somebody else whose orders the caller may not see.
pub(crate) async fn find(
    id: OrderId,
    action: Action,
    api: &Api,
    caller: &Caller,
    CaughtUpReader(reader): &CaughtUpReader,
) -> Result<Order, Problem> {
    let order = reader.order(id).await.map_err(caught_up::failed)?;
    let visible = order.filter(|order| caller.may_on(action, order, &api.lifecycle));
    visible.ok_or_else(|| Problem::not_found("order-not-found", format!("there is no order {id}")))
}

async fn answer(
    api: &Api,
    query: OrdersQuery,
    caller: &Caller,
    CaughtUpReader(reader): &CaughtUpReader,
) -> Result<Json<List<Order>>, Problem> {
    let (limit, cursor, page) = (query.limit, query.cursor.clone(), query.page);
    let customer_ids = named_customers(api, &query, caller).await?;
    let filter = OrderFilter { customer_ids, ..filter(&api.lifecycle, query, caller)? };
    let paging = Paging::new(list_of(&filter), limit, cursor.as_deref(), page)?;
    let read = reader.orders(&filter, &paging.slice()).await;
    lists::answer(&paging, read, |order| order.id, reader.count_orders(&filter)).await.map(Json)
}

fn list_of(filter: &OrderFilter) -> ListId {
    let OrderFilter { status, customer_id, customer_ids, from, to, idempotency_key } = filter;
    let ids =
        customer_ids.as_ref().map(|ids| ids.iter().map(CustomerId::as_str).collect::<Vec<_>>().join("\n"));
    let text = |value: Option<&dyn Display>| value.map(ToString::to_string);
    ListId::new(
        "orders",
        [
            text(status.as_ref().map(|status| status as _)),
            text(customer_id.as_ref().map(|id| id as _)),
            ids,
            text(from.as_ref().map(|time| time as _)),
            text(to.as_ref().map(|time| time as _)),
            text(idempotency_key.as_ref().map(|key| key as _)),
        ],
    )
}

/// The customers whose name the query asks for; `None` if it asks for none. Only those who manage the accounts of people
/// may ask.
async fn named_customers(
    api: &Api,
    query: &OrdersQuery,
    caller: &Caller,
) -> Result<Option<Vec<CustomerId>>, Problem> {
    let (exact, part) = (query.customer_name.as_deref(), query.customer_name_contains.as_deref());
    let (parameter, name) = match (exact, part) {
        (None, None) => return Ok(None),
        (Some(name), _) => ("customer_name", CustomerName::Exact(name)),
        (None, Some(part)) => ("customer_name_contains", CustomerName::Part(part)),
    };
    caller.may(Action::ManageUsers)?;
    for (parameter, text) in [("customer_name", exact), ("customer_name_contains", part)] {
        if text.is_some_and(|text| text.is_empty() || text.chars().count() > NAME_CHARS_MAX) {
            return Err(invalid(parameter, format!("must have 1 to {NAME_CHARS_MAX} characters")));
        }
    }
    if let (Some(name), Some(part)) = (exact, part)
        && !name.to_lowercase().contains(&part.to_lowercase())
    {
        return Ok(Some(Vec::new()));
    }
    let ids = api.customers.find(name, CUSTOMERS_MAX as u32 + 1).await?;
    if ids.len() > CUSTOMERS_MAX {
        return Err(invalid(
            parameter,
            format!("names more than {CUSTOMERS_MAX} customers; ask for a longer name"),
        ));
    }
    Ok(Some(ids))
}

/// The filter that the query asks for. The filter of a customer is always narrowed to their own orders.
fn filter(lifecycle: &Lifecycle, query: OrdersQuery, caller: &Caller) -> Result<OrderFilter, Problem> {
    let OrdersQuery { status, mut customer_id, from, to, idempotency_key, .. } = query;
    if caller.may(Action::ListOrders)? == Reach::Own {
        let own = caller.customer()?;
        if customer_id.as_ref().is_some_and(|other| *other != own) {
            return Err(Problem::forbidden("customers see only their own orders"));
        }
        customer_id = Some(own);
    }
    if let Some(unknown) = status.as_ref().filter(|status| lifecycle.find(status.as_str()).is_none()) {
        let states: Vec<_> = lifecycle.states().map(|(_, state)| state.name.as_str()).collect();
        let detail = format!("`{unknown}` is not a status; statuses are {}", states.join(", "));
        return Err(invalid("status", detail));
    }
    Ok(OrderFilter { status, customer_id, customer_ids: None, from, to, idempotency_key })
}
