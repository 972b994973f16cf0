//! The lines of a stream that were refused, described up to a bound and counted beyond it.

use std::collections::BTreeMap;

use orderflow_web::Problem;
use serde::Serialize;

/// Why a line was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Which line, from 1.
    pub line: u64,
    /// The problem's slug.
    #[serde(rename = "type")]
    pub slug: String,
    /// What is wrong.
    pub detail: String,
    /// JSON pointer to the first field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// The refused lines of a stream.
#[derive(Debug, Default)]
pub struct Report {
    refused: Vec<Refused>,
    refused_max: usize,
    total: u64,
    by_slug: BTreeMap<String, u64>,
}

impl Report {
    /// Describes so many lines at most.
    pub fn new(refused_max: usize) -> Self {
        Self { refused_max, ..Self::default() }
    }

    /// This line was refused.
    pub fn refuse(&mut self, line: u64, problem: &Problem) {
        self.total += 1;
        match self.by_slug.get_mut(problem.slug()) {
            Some(count) => *count += 1,
            None => drop(self.by_slug.insert(problem.slug().to_owned(), 1)),
        }
        if self.refused.len() < self.refused_max {
            let pointer = problem.errors().first().map(|error| error.pointer.clone());
            let (slug, detail) = (problem.slug().to_owned(), problem.detail().to_owned());
            self.refused.push(Refused { line, slug, detail, pointer });
        }
    }

    /// The lines described.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// How many lines were refused for each slug, described or not.
    pub fn by_slug(&self) -> &BTreeMap<String, u64> {
        &self.by_slug
    }

    /// How many lines were refused, described or not.
    pub fn total(&self) -> u64 {
        self.total
    }
}
