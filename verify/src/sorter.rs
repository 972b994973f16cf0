//! An external merge sort of entries, so that any number of orders and movements can be checked and compared with a
//! store in the order of their ids.
//!
//! *Memory*: one buffer with a bounded number of entries, and during a merge one small read buffer a run.
//! *Layout*: sorted runs of entries, each kind of a fixed size, in unnamed temporary files that vanish with the process.
//! *Merging*: a full level of runs is merged into one run of the next level, so the number of open files grows with
//! the logarithm of the number of entries.
//! *Alternatives*: sorting crates were considered, but they need a codec, threads or named files. This file is
//! sufficient without them.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The largest number of runs in a level.
const RUNS_MAX: usize = 32;
/// Bytes that are read of a run at once.
const READ_BYTES: usize = 64 << 10;

/// An entry that can be sorted. `read` reads exactly the bytes that `write` writes.
pub(super) trait Sortable: Copy + Ord {
    fn write(&self, out: &mut impl Write) -> io::Result<()>;

    fn read(input: &mut impl Read) -> io::Result<Self>;
}

/// A sorter that the checks of several partitions write to.
#[derive(Debug)]
pub(super) struct SharedSorter<E>(Arc<Mutex<Sorter<E>>>);

impl<E> Clone for SharedSorter<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Sortable> SharedSorter<E> {
    /// See [`Sorter::new`].
    pub(super) fn new(scratch: &Path, bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Sorter::new(scratch, bytes_max))))
    }

    /// Adds an entry.
    pub(super) fn push(&self, entry: E) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry)
    }

    /// The sorted form of all entries. The checks that write must have ended.
    pub(super) fn finish(self) -> io::Result<Sorted<E>> {
        let sorter = Arc::into_inner(self.0).expect("all jobs have ended");
        sorter.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
    }
}

/// Collects entries in any order.
#[derive(Debug)]
struct Sorter<E> {
    scratch: PathBuf,
    buffer: Vec<E>,
    entries_max: usize,
    levels: Vec<Vec<Run>>,
}

/// A run: sorted entries in their own file.
#[derive(Debug)]
struct Run {
    file: File,
    entries: u64,
}

/// All entries in sorted runs. They can be merged any number of times.
#[derive(Debug)]
pub(super) struct Sorted<E> {
    runs: Vec<Run>,
    entries: PhantomData<E>,
}

impl<E: Sortable> Sorter<E> {
    /// A sorter that keeps at most `bytes_max` bytes of entries in memory, and writes the rest to the folder
    /// `scratch`.
    fn new(scratch: &Path, bytes_max: usize) -> Self {
        let entries_max = (bytes_max / size_of::<E>()).max(1);
        Self { scratch: scratch.to_owned(), buffer: Vec::new(), entries_max, levels: Vec::new() }
    }

    fn push(&mut self, entry: E) -> io::Result<()> {
        self.buffer.push(entry);
        if self.buffer.len() >= self.entries_max { self.spill() } else { Ok(()) }
    }

    /// Writes the entries in memory to a new run.
    fn spill(&mut self) -> io::Result<()> {
        self.buffer.sort_unstable();
        let run = write_run(&self.scratch, self.buffer.drain(..).map(Ok))?;
        self.add(0, run)
    }

    fn add(&mut self, level: usize, run: Run) -> io::Result<()> {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(run);
        if self.levels[level].len() < RUNS_MAX {
            return Ok(());
        }
        let mut full = Sorted::<E> { runs: std::mem::take(&mut self.levels[level]), entries: PhantomData };
        let merged = write_run(&self.scratch, full.merge()?)?;
        self.add(level + 1, merged)
    }

    fn finish(mut self) -> io::Result<Sorted<E>> {
        if !self.buffer.is_empty() {
            self.spill()?;
        }
        Ok(Sorted { runs: self.levels.into_iter().flatten().collect(), entries: PhantomData })
    }
}

fn write_run<E: Sortable>(scratch: &Path, entries: impl Iterator<Item = io::Result<E>>) -> io::Result<Run> {
    let mut out = BufWriter::with_capacity(READ_BYTES, tempfile::tempfile_in(scratch)?);
    let mut count = 0;
    for entry in entries {
        entry?.write(&mut out)?;
        count += 1;
    }
    Ok(Run { file: out.into_inner()?, entries: count })
}

impl<E: Sortable> Sorted<E> {
    /// All entries, merged in their order.
    pub(super) fn merge(&mut self) -> io::Result<Merge<'_, E>> {
        let mut merge = Merge { runs: Vec::with_capacity(self.runs.len()), heads: BinaryHeap::new() };
        for run in &self.runs {
            (&run.file).rewind()?;
            let reader = BufReader::with_capacity(READ_BYTES, &run.file);
            merge.runs.push(Rest { reader, entries: run.entries });
        }
        for from in 0..merge.runs.len() {
            merge.refill(from)?;
        }
        Ok(merge)
    }
}

#[derive(Debug)]
struct Rest<'a> {
    reader: BufReader<&'a File>,
    entries: u64,
}

/// An iteration over all entries in their order.
#[derive(Debug)]
pub(super) struct Merge<'a, E> {
    runs: Vec<Rest<'a>>,
    heads: BinaryHeap<Reverse<(E, usize)>>,
}

impl<E: Sortable> Merge<'_, E> {
    /// The next entry, without consuming it.
    pub(super) fn peek(&self) -> Option<&E> {
        self.heads.peek().map(|Reverse((entry, _))| entry)
    }

    fn refill(&mut self, from: usize) -> io::Result<()> {
        let run = &mut self.runs[from];
        if run.entries == 0 {
            return Ok(());
        }
        run.entries -= 1;
        let entry = E::read(&mut run.reader)?;
        self.heads.push(Reverse((entry, from)));
        Ok(())
    }
}

impl<E: Sortable> Iterator for Merge<'_, E> {
    type Item = io::Result<E>;

    fn next(&mut self) -> Option<io::Result<E>> {
        let Reverse((entry, from)) = self.heads.pop()?;
        Some(self.refill(from).map(|()| entry))
    }
}

#[cfg(test)]
mod tests {
    use orderflow_schemas::{Offset, OrderId};

    use super::*;
    use crate::entry::Entry;

    fn entry(id: u128, offset: u64) -> Entry {
        let (id, offset) = (OrderId::from_uuid(uuid::Uuid::from_u128(id)), Offset(offset));
        let (order, change, status, from) = (1, 2, 3, u64::MAX);
        let (created, shown) = (offset.0 % 2 == 0, offset.0 % 3 == 0);
        let hidden = offset.0 % 5 == 0;
        Entry { id, offset, version: offset.0 % 7, order, change, status, from, created, hidden, shown }
    }

    /// Entries of many orders as in a log, where the entries of one order are far apart.
    fn entries() -> Vec<Entry> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..20_000).map(|offset| entry(u128::from(random.u16(..3_000)), offset)).collect()
    }

    fn sort(entries: &[Entry], entries_max: usize) -> Sorted<Entry> {
        let scratch = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(scratch.path(), entries_max * size_of::<Entry>());
        for entry in entries {
            sorter.push(*entry).unwrap();
            assert!(sorter.buffer.len() < entries_max.max(2), "memory is bounded");
            assert!(sorter.levels.iter().all(|level| level.len() < RUNS_MAX), "files are bounded");
        }
        sorter.finish().unwrap()
    }

    #[test]
    fn a_small_buffer_gives_what_a_large_one_gives() {
        let entries = entries();
        let mut expected = entries.clone();
        expected.sort_unstable();
        for entries_max in [1, 7, 100, 1_000_000] {
            let mut sorted = sort(&entries, entries_max);
            for round in 0..2 {
                let merged: Vec<Entry> = sorted.merge().unwrap().map(Result::unwrap).collect();
                assert!(merged == expected, "a buffer of {entries_max}, round {round}");
            }
        }
    }

    #[test]
    fn nothing_sorted_is_nothing() {
        let mut sorted = sort(&[], 10);
        assert!(sorted.merge().unwrap().next().is_none());
        assert!(sorted.merge().unwrap().peek().is_none());
    }
}
