//! From the part of a list that was asked for to what the database reads, and back.

use orderflow_database::{Counted, DatabaseError, Slice, Start};
use orderflow_web::{List, PageKey, Paging, Problem, Total};

use crate::store::failed;

/// What to read.
pub fn slice<K: PageKey + Clone>(paging: &Paging<K>) -> Slice<K> {
    let start = match paging.start() {
        orderflow_web::Start::First => Start::First,
        orderflow_web::Start::After(key) => Start::After(key.clone()),
        orderflow_web::Start::Skip(items) => Start::Skip(*items),
    };
    Slice { start, limit: paging.read_limit() }
}

/// The answer, from what was read; `total` is asked for only when pages are counted.
pub async fn answer<T, K: PageKey>(
    paging: &Paging<K>,
    read: Result<Vec<T>, DatabaseError>,
    key: impl Fn(&T) -> K,
    total: impl Future<Output = Result<Counted, DatabaseError>>,
) -> Result<List<T>, Problem> {
    let items = read.map_err(failed)?;
    let total = match paging.is_counted() {
        true => {
            let Counted { count, is_exact } = total.await.map_err(failed)?;
            Some(Total { count, is_exact })
        }
        false => None,
    };
    Ok(paging.answer(items, key, total))
}
