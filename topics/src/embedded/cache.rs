//! The tail of the log in memory, held as the appended bodies themselves: readers share them, and nothing is copied.
//!
//! *Order*: bodies are evicted in the order in which they were accepted, over all partitions. The cached records of a
//! partition are therefore always its newest ones, without a gap.
//! *Durability*: a body is evicted only once it is durable, so records that are not cached can be read from the disk. A
//! reader that keeps a record keeps the memory of the whole append.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::partition::PartitionLog;

/// The approximate memory of a cached body besides its bytes.
const OVERHEAD_BYTES: usize = 128;

/// One body and the offsets of its records.
#[derive(Clone, Debug)]
pub(super) struct CachedBody {
    pub(super) base: u64,
    pub(super) count: u32,
    pub(super) body: Bytes,
}

impl CachedBody {
    fn end(&self) -> u64 {
        self.base + u64::from(self.count)
    }
}

/// The cached bodies of one partition, oldest first.
#[derive(Debug, Default)]
pub(super) struct CachedTail(VecDeque<CachedBody>);

impl CachedTail {
    pub(super) fn push(&mut self, body: CachedBody) {
        debug_assert!(self.0.back().is_none_or(|last| last.end() == body.base), "the tail has no gap");
        self.0.push_back(body);
    }

    fn pop(&mut self) {
        self.0.pop_front();
    }

    /// The bodies from the one that holds `from` up to `end`, about `bytes_max` bytes in total. `None` if `from` is
    /// older than the cached records.
    pub(super) fn from(&self, from: u64, end: u64, bytes_max: usize) -> Option<Vec<CachedBody>> {
        if self.0.front().is_none_or(|first| first.base > from) {
            return None;
        }
        let first = self.0.partition_point(|body| body.end() <= from);
        let mut bodies = Vec::new();
        // The first body may hold records before `from`, so it does not count.
        let mut bytes = 0;
        for (n, body) in self.0.range(first..).enumerate() {
            if body.base >= end || (n > 1 && bytes >= bytes_max) {
                break;
            }
            bytes += if n == 0 { 0 } else { body.body.len() };
            bodies.push(body.clone());
        }
        Some(bodies)
    }
}

/// The order in which bodies are evicted, and their total memory.
#[derive(Debug, Default)]
pub(super) struct CacheOrder {
    order: VecDeque<Cached>,
    bytes: usize,
}

#[derive(Debug)]
struct Cached {
    partition: Arc<PartitionLog>,
    cost: usize,
    /// The body is durable once the log is durable up to this LSN.
    lsn: u64,
}

impl CacheOrder {
    pub(super) fn push(&mut self, partition: &Arc<PartitionLog>, body: CachedBody, lsn: u64) {
        let cost = body.body.len() + OVERHEAD_BYTES;
        partition.with_cache(|cache| cache.push(body));
        self.bytes += cost;
        self.order.push_back(Cached { partition: Arc::clone(partition), cost, lsn });
    }

    /// Evicts the oldest bodies while the cache exceeds `bytes_max`, but none that ends after the LSN `durable`.
    pub(super) fn evict(&mut self, bytes_max: usize, durable: u64) {
        while self.bytes > bytes_max
            && let Some(oldest) = self.order.pop_front_if(|oldest| oldest.lsn <= durable)
        {
            oldest.partition.with_cache(CachedTail::pop);
            self.bytes -= oldest.cost;
        }
    }
}
