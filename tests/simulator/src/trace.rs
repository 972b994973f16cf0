//! What happened: all of it as a digest, the last of it in words.

use std::collections::VecDeque;

use xxhash_rust::xxh3::Xxh3Default;

/// How many lines are kept.
const KEPT: usize = 60;

/// The happenings of a run.
pub struct Trace {
    lines: VecDeque<String>,
    digest: Xxh3Default,
    loud: bool,
}

impl Trace {
    /// An empty one; a loud one prints each line to standard error as well.
    pub fn new(loud: bool) -> Self {
        Self { lines: VecDeque::new(), digest: Xxh3Default::new(), loud }
    }

    /// Adds a line.
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

    /// Prints what is too much for the trace, if it is a loud one.
    pub fn detail(&self, what: &str) {
        if self.loud {
            eprintln!("         {what}");
        }
    }

    /// Adds to the digest what has no line.
    pub fn digest(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The digest of all.
    pub fn value(&self) -> u64 {
        self.digest.digest()
    }

    /// The last lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

/// SQLite's names of files begin with a number that no other run of this process has; what a run says must not.
pub fn without_numbers(words: &str) -> String {
    let mut parts = words.split("/sim-");
    let mut said = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| said.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit())));
    said
}
