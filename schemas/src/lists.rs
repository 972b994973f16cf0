//! Parts of lists: what a client asks for, and what a store reads.

/// A bounded part of a list whose items have keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<K> {
    /// Where it starts.
    pub start: Start<K>,
    /// The number of items at most.
    pub limit: u32,
}

/// Where a slice starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start<K> {
    /// At the first item.
    First,
    /// At the item after this key. Items that are added meanwhile move nothing.
    After(K),
    /// After this many items, which costs as much as reading them.
    Skip(u64),
}

/// The length of a list, as far as it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The items that were counted.
    pub count: u64,
    /// Whether these are all; else there are more.
    pub is_exact: bool,
}
