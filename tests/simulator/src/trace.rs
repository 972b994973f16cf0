//! The trace of a run: a digest of everything, and the last lines in words.

use std::collections::VecDeque;

use xxhash_rust::xxh3::Xxh3Default;

/// The number of lines that are kept.
const KEPT: usize = 60;

/// The trace of a run.
pub struct Trace {
    lines: VecDeque<String>,
    digest: Xxh3Default,
    loud: bool,
}

impl Trace {
    /// An empty trace. A loud trace also prints each line to standard error.
    pub fn new(loud: bool) -> Self {
        Self { lines: VecDeque::new(), digest: Xxh3Default::new(), loud }
    }

    /// Adds a line to the digest and the kept lines.
    pub fn note(&mut self, line: &str) {
        let line = without_numbers(line);
        if self.loud {
            eprintln!("{line}");
        }
        self.digest(line.as_bytes());
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Prints a detail that is not kept, if the trace is loud.
    pub fn detail(&self, what: &str) {
        if self.loud {
            eprintln!("         {what}");
        }
    }

    /// Adds bytes to the digest without a line.
    pub fn digest(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The digest of everything so far.
    pub fn value(&self) -> u64 {
        self.digest.digest()
    }

    /// The last lines, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

/// Removes the numbers at the start of SQLite's file names: they differ from run to run, and the output of a run must
/// not.
pub fn without_numbers(words: &str) -> String {
    let mut parts = words.split("/sim-");
    let mut said = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| said.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit())));
    said
}
