//! The report of a verification.

use std::fmt;

use super::Differences;

/// What was verified, and which differences were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that were read.
    pub records: u64,
    /// Orders in the log.
    pub orders: u64,
    /// SKUs in the log.
    pub skus: u64,
    /// Snapshots of processors that equal the fold of the log at their offset.
    pub snapshots: u64,
    /// Commands at the end of the log that were not decided before the server stopped. The server decides them after
    /// its next start.
    pub undecided: u64,
    /// Events that the database does not show yet. It shows them after the server's next start.
    pub lag: u64,
    /// Commands that could not be read and became dead letters.
    pub unreadable: u64,
    /// Dead letters, including those of sinks.
    pub letters: u64,
    /// Rows, snapshots and repeats that cannot be compared, because the log no longer has their records, or does not
    /// have them yet.
    pub unchecked: u64,
    /// Everything that differs from the expected.
    pub differences: Differences,
}

impl Report {
    /// Adds the report of another check.
    pub(super) fn absorb(&mut self, other: Self) {
        self.records += other.records;
        self.orders += other.orders;
        self.skus += other.skus;
        self.snapshots += other.snapshots;
        self.undecided += other.undecided;
        self.lag += other.lag;
        self.unreadable += other.unreadable;
        self.letters += other.letters;
        self.unchecked += other.unchecked;
        self.differences.absorb(other.differences);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, orders, skus, snapshots, undecided, lag, .. } = self;
        writeln!(f, "verified {records} records, {orders} orders, {skus} SKUs, {snapshots} snapshots")?;
        if *undecided + *lag > 0 {
            writeln!(
                f,
                "pending until the next start: {undecided} commands to decide, {lag} events to show"
            )?;
        }
        if self.unreadable > 0 {
            writeln!(f, "{} commands could not be read; see dead.letters", self.unreadable)?;
        }
        if self.letters > 0 {
            writeln!(f, "{} dead letters", self.letters)?;
        }
        if self.unchecked > 0 {
            let unchecked = self.unchecked;
            writeln!(f, "unchecked: {unchecked} rows or snapshots follow from what the log does not have")?;
        }
        match self.differences.count() {
            0 => writeln!(f, "no differences: the log is consistent and every store matches it"),
            _ => write!(f, "{}", self.differences),
        }
    }
}
