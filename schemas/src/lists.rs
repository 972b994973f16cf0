//! Parts of lists: what a client requests and what a store reads.

/// A bounded part of a list whose items have keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<K> {
    /// Where the slice starts.
    pub start: Start<K>,
    /// The most items that the slice holds.
    pub limit: u32,
}

/// Where a slice starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start<K> {
    /// At the first item.
    First,
    /// At the item after this key. Items that are added meanwhile do not shift the slice.
    After(K),
    /// After this many items. Skipping an item costs as much as reading it.
    Skip(u64),
}

/// The length of a list, as far as it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The number of items counted.
    pub count: u64,
    /// Whether all items were counted; if not, there are more than `count`.
    pub is_exact: bool,
}
