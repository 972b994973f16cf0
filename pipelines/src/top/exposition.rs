//! The text format of Prometheus, as `GET /metrics` writes it.
//!
//! Reads names, labels and values; comments and timestamps are skipped. The crates that read this format bring a second
//! library for time or an unsuitable licence.

use std::collections::BTreeMap;

/// One series: its labels and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Series {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(label, _)| label == name);
        label.map(|(_, value)| value.as_str())
    }

    /// Whether two series have the same labels.
    pub fn has_labels_of(&self, other: &Self) -> bool {
        self.labels == other.labels
    }
}

/// All series of one scrape, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    series: BTreeMap<String, Vec<Series>>,
}

/// A line that is not in the format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number} of the metrics is not in the text format of Prometheus")]
pub struct MalformedLine {
    number: usize,
}

impl Exposition {
    /// Parses the body of a scrape.
    pub fn parse(text: &str) -> Result<Self, MalformedLine> {
        let mut exposition = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, series) = series(line).ok_or(MalformedLine { number: index + 1 })?;
            exposition.series.entry(name.to_owned()).or_default().push(series);
        }
        Ok(exposition)
    }

    /// The series with this name.
    pub fn named(&self, name: &str) -> &[Series] {
        self.series.get(name).map_or(&[], Vec::as_slice)
    }

    /// All series that count and so never decrease while a process runs.
    pub fn counters(&self) -> impl Iterator<Item = (&str, &Series)> {
        let is_counter = |name: &str| name.ends_with("_total") || name.ends_with("_count");
        let named = self.series.iter().filter(move |(name, _)| is_counter(name));
        named.flat_map(|(name, series)| series.iter().map(|series| (name.as_str(), series)))
    }
}

/// Parses `name{label="value",…} value [timestamp]`.
fn series(line: &str) -> Option<(&str, Series)> {
    let end = line.find(|character: char| character == '{' || character.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty()).then_some((name, Series { labels, value }))
}

/// Parses labels up to the closing brace, and returns the rest of the line.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// Parses a label's value up to its closing quote, and returns the rest of the line.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_their_labels_and_values() {
        let text = "# HELP a_total something\n# TYPE a_total counter\na_total 3\n\
                    b{x=\"1\",y=\"a \\\"quoted\\\\ word\\n}\"} 0.5 1700000000\n\
                    b{x=\"2\",} +Inf\n\nc{} NaN\n";
        let exposition = Exposition::parse(text).unwrap();
        assert_eq!(exposition.named("a_total")[0].value, 3.0);
        let [first, second] = exposition.named("b") else { panic!("{exposition:?}") };
        assert_eq!((first.label("x"), first.value), (Some("1"), 0.5));
        assert_eq!(first.label("y"), Some("a \"quoted\\ word\n}"));
        assert_eq!((second.label("x"), second.label("z"), second.value), (Some("2"), None, f64::INFINITY));
        assert!(exposition.named("c")[0].value.is_nan());
        assert!(exposition.named("d").is_empty());
        assert_eq!(exposition.counters().map(|(name, _)| name).collect::<Vec<_>>(), ["a_total"]);
    }

    #[test]
    fn a_malformed_line_is_an_error_with_its_number() {
        for line in ["a", "a{x=\"1} 2", "a{x=1} 2", "a two", "{x=\"1\"} 2", "a{x=\"1\" 2", "<html>"] {
            let error = Exposition::parse(&format!("fine 1\n{line}\n")).unwrap_err();
            assert_eq!(error, MalformedLine { number: 2 }, "{line}");
        }
    }
}
