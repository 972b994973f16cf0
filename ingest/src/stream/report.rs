//! The refused lines of a stream: described up to a bound, and only counted beyond it.

use std::collections::BTreeMap;

use orderflow_web::Problem;
use schemars::JsonSchema;
use serde::Serialize;

/// The description of a refused line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RefusedLine")]
pub struct Refused {
    /// The number of the line in the stream, from 1.
    pub line: u64,
    /// The slug of the problem.
    #[serde(rename = "type")]
    pub slug: String,
    /// The explanation of the problem.
    pub detail: String,
    /// JSON pointer to the first wrong field, if the problem names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// The answer to a stream.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StreamAnswer<'a> {
    /// The number of lines that were appended; they are durable.
    pub accepted: u64,
    /// The refused lines, described up to a bound.
    pub rejected: &'a [Refused],
    /// The number of all refused lines.
    pub rejected_total: u64,
    /// The number of refused lines for each type of problem.
    pub rejected_by_type: &'a BTreeMap<String, u64>,
}

/// The report on the refused lines of a stream.
#[derive(Debug, Default)]
pub struct Report {
    refused: Vec<Refused>,
    refused_max: usize,
    total: u64,
    by_slug: BTreeMap<String, u64>,
}

impl Report {
    /// A report that describes at most `refused_max` lines.
    pub fn new(refused_max: usize) -> Self {
        Self { refused_max, ..Self::default() }
    }

    /// Adds a refused line.
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

    /// The answer to a stream of which this many lines were appended.
    pub fn answer(&self, accepted: u64) -> StreamAnswer<'_> {
        StreamAnswer {
            accepted,
            rejected: &self.refused,
            rejected_total: self.total,
            rejected_by_type: &self.by_slug,
        }
    }

    /// The number of refused lines, including the lines not described.
    pub fn total(&self) -> u64 {
        self.total
    }
}
