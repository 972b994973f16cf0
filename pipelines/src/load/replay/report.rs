//! What came of a replay, counted.

use std::{
    collections::BTreeMap,
    fmt,
    io::{Write, stderr},
    time::Duration,
};

use indicatif::ProgressBar;

use super::decisions::Decisions;

/// How many rejected lines are named.
const REJECTED_NAMED: u64 = 100;

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Lines the server took.
    pub accepted: u64,
    /// Lines it refused.
    pub rejected: u64,
    /// Lines it refused, by the slug of the problem.
    pub rejected_by_type: BTreeMap<String, u64>,
    /// What was decided of those it took, if that could be read.
    pub decisions: Option<Decisions>,
    /// Until all accepted lines were durable.
    pub durable: Duration,
    /// Until the database showed what was decided of them.
    pub materialised: Duration,
    /// Why it could not go on to the end.
    pub ended: Option<anyhow::Error>,
    named: u64,
}

impl Report {
    /// Counts the answer to lines of which the first has this number, and names the rejected ones.
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
            // A terminal that is gone is no reason to stop.
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
        writeln!(f, "; as role service from headers")?;
        if self.rejected > 0 {
            writeln!(f, "rejected: {}", Counts(&self.rejected_by_type))?;
            if self.rejected > self.named {
                writeln!(f, "rejected lines that are not named above: {}", self.rejected - self.named)?;
            }
        }
        if let Some(Decisions { repeated, failed }) = &self.decisions {
            writeln!(f, "repeated: {repeated}")?;
            writeln!(f, "failed: {}", Counts(failed))?;
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
