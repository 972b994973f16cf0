//! The counted results of a replay.

use std::{
    collections::BTreeMap,
    fmt,
    io::{Write, stderr},
    time::Duration,
};

use indicatif::ProgressBar;

use super::decisions::Decisions;

/// How many rejected lines are printed at most.
const REJECTED_NAMED: u64 = 100;

/// The results of a replay.
#[derive(Debug, Default)]
pub struct Report {
    /// The role that the requests had, or whose it was, and how the server learned it.
    pub caller: String,
    /// Lines that the server accepted.
    pub accepted: u64,
    /// Lines that the server rejected.
    pub rejected: u64,
    /// The number of rejected lines by the slug of their problem.
    pub rejected_by_type: BTreeMap<String, u64>,
    /// The decisions about the accepted lines; `None` if they could not be read, or not by this caller.
    pub decisions: Option<Decisions>,
    /// The time until all accepted lines were durable.
    pub durable: Duration,
    /// The time until the database showed the decisions about the accepted lines.
    pub materialised: Duration,
    /// The error that ended the replay before the end of the file.
    pub ended: Option<anyhow::Error>,
    named: u64,
}

impl Report {
    /// The report of a replay that has sent nothing yet.
    pub fn of(caller: String) -> Self {
        Self { caller, ..Self::default() }
    }

    /// Counts a response to lines, the first of which is line `first` of the file, and prints the rejected ones.
    pub(super) fn count(&mut self, answer: &serde_json::Value, first: u64, bar: &ProgressBar) {
        self.accepted += answer["accepted"].as_u64().unwrap_or(0);
        self.rejected += answer["rejected_total"].as_u64().unwrap_or(0);
        for (slug, count) in answer["rejected_by_type"].as_object().into_iter().flatten() {
            *self.rejected_by_type.entry(slug.clone()).or_default() += count.as_u64().unwrap_or(0);
        }
        for rejected in answer["rejected"].as_array().into_iter().flatten() {
            if self.named == REJECTED_NAMED {
                break;
            }
            self.named += 1;
            let text = |name: &str| rejected[name].as_str().unwrap_or_default().to_owned();
            let line = first + rejected["line"].as_u64().unwrap_or(1) - 1;
            let named = format!("line {line}: {}: {}\n", text("type"), text("detail"));
            // A closed terminal is no reason to stop.
            bar.suspend(|| drop(stderr().lock().write_all(named.as_bytes())));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = |time: Duration| self.accepted as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
        write!(
            f,
            "{} orders accepted, {} rejected; durable in {:.2} s ({:.0}/s)",
            self.accepted,
            self.rejected,
            self.durable.as_secs_f64(),
            per_second(self.durable),
        )?;
        if !self.materialised.is_zero() {
            let (seconds, rate) = (self.materialised.as_secs_f64(), per_second(self.materialised));
            write!(f, ", in the database in {seconds:.2} s ({rate:.0}/s)")?;
        }
        writeln!(f, "; as {}", self.caller)?;
        if self.rejected > 0 {
            writeln!(f, "rejected: {}", Counts(&self.rejected_by_type))?;
            if self.rejected > self.named {
                writeln!(f, "rejected lines that are not named above: {}", self.rejected - self.named)?;
            }
        }
        match &self.decisions {
            Some(Decisions { repeated, failed }) => {
                writeln!(f, "repeated: {repeated}")?;
                writeln!(f, "failed: {}", Counts(failed))?;
            }
            None if self.ended.is_none() => {
                writeln!(f, "what was decided is not known: only an admin may read the log")?;
            }
            None => {}
        }
        Ok(())
    }
}

struct Counts<'a>(&'a BTreeMap<String, u64>);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.values().sum::<u64>())?;
        let mut separator = " (";
        for (reason, count) in self.0 {
            write!(f, "{separator}{count} {reason}")?;
            separator = ", ";
        }
        f.write_str(if self.0.is_empty() { "" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn more_rejected_lines_are_counted_than_are_described() {
        let mut report = Report::default();
        let answer = json!({
            "accepted": 1,
            "rejected": [{ "line": 3, "type": "invalid-request", "detail": "no" }],
            "rejected_total": 3_000,
            "rejected_by_type": { "invalid-request": 2_999, "malformed-json": 1 },
        });
        report.count(&answer, 1, &ProgressBar::hidden());
        report.count(&answer, 4_001, &ProgressBar::hidden());
        let failed = BTreeMap::from([("out-of-stock".to_owned(), 4)]);
        report.decisions = Some(Decisions { repeated: 2, failed });
        let text = report.to_string();
        for wanted in [
            "2 orders accepted, 6000 rejected;",
            "rejected: 6000 (5998 invalid-request, 2 malformed-json)\n",
            "not named above: 5998\n",
            "repeated: 2\n",
            "failed: 4 (4 out-of-stock)\n",
        ] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
    }
}
