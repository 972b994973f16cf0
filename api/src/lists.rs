//! Answering lists from what the database has read.

use orderflow_database::DatabaseError;
use orderflow_schemas::lists::Counted;
use orderflow_web::{List, PageKey, Paging, Problem};

use crate::store::failed;

/// The answer, from what was read; `total` is asked for only when pages are counted.
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
