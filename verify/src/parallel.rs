//! Runs checks of several partitions in parallel.

use std::collections::BTreeMap;

use anyhow::Result;
use tokio::task::JoinSet;

/// Runs the jobs, as many at a time as there are cores, and returns their results in the order of the jobs.
pub(super) async fn all<T, J>(jobs: impl IntoIterator<Item = J>) -> Result<Vec<T>>
where
    T: Send + 'static,
    J: Future<Output = Result<T>> + Send + 'static,
{
    let width = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut jobs = jobs.into_iter().enumerate();
    let (mut running, mut done) = (JoinSet::new(), BTreeMap::new());
    loop {
        while running.len() < width
            && let Some((n, job)) = jobs.next()
        {
            running.spawn(async move { (n, job.await) });
        }
        let Some(ended) = running.join_next().await else { break };
        let (n, given) = ended?;
        done.insert(n, given?);
    }
    Ok(done.into_values().collect())
}
