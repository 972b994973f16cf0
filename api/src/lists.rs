//! Responses with lists, made of what the database has read.

use orderflow_database::DatabaseError;
use orderflow_schemas::lists::Counted;
use orderflow_web::{List, PageKey, Paging, Problem};

use crate::caught_up::failed;

/// The response with the items that were read. `total` is awaited only when the request asked for a page, which shows a
/// total.
pub async fn answer<T, K: PageKey>(
    paging: &Paging<K>,
    read: Result<Vec<T>, DatabaseError>,
    key: impl Fn(&T) -> K,
    total: impl Future<Output = Result<Counted, DatabaseError>>,
) -> Result<List<T>, Problem> {
    let items = read.map_err(failed)?;
    let total = if paging.is_counted() { Some(total.await.map_err(failed)?) } else { None };
    Ok(paging.answer(items, key, total))
}
