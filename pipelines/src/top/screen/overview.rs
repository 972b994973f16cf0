//! The figures of the whole system: rates, latencies, topics and sinks.

use ratatui::{
    layout::Constraint,
    style::{Color, Style},
    text::Span,
};

use super::section::{Cell, Section, names, numbers};
use crate::top::{
    figures::{UNKNOWN, known, milliseconds, number},
    view::{Latency, SinkRow, TopicRow, View},
};

/// The width of a column of figures.
const FIGURE: u16 = 6;

/// Rates of the whole system.
pub fn rates(view: &View) -> Section {
    let rates = &view.rates;
    let columns = vec![names("", Constraint::Fill(1)), numbers("", 14)];
    let errors = [rates.client_errors, rates.server_errors, rates.refused].map(known).join(" ");
    let rows = [
        ("orders placed", known(rates.orders_placed)),
        ("client commands", known(rates.client_commands)),
        ("HTTP requests", known(rates.requests)),
        ("  4xx 5xx refused", errors),
        ("records, bytes", [rates.records, rates.bytes].map(known).join(" ")),
    ];
    let rows = rows.into_iter().map(|(name, figure)| vec![Span::raw(name), Span::raw(figure)]);
    Section::table("Rates, per second", columns, rows.collect())
}

/// Latencies of the whole system.
pub fn latencies(view: &View) -> Section {
    let columns = vec![
        names("", Constraint::Length(8)),
        numbers("/s", FIGURE),
        numbers("p50", FIGURE),
        numbers("p90", FIGURE),
        numbers("p99", FIGURE),
        numbers("p99.9", FIGURE),
    ];
    let row = |(name, latency): (&'static str, &Latency)| {
        let Latency { per_second, p50, p90, p99, p999 } = *latency;
        let mut cells = vec![Span::raw(name), Span::raw(known(per_second))];
        cells.extend([p50, p90, p99, p999].map(|percentile| Span::raw(milliseconds(percentile))));
        cells
    };
    let named = view.latencies.iter().map(|named| (named.name, &named.latency));
    Section::table("Latency, in ms", columns, named.map(row).collect())
}

/// The topics of the log.
pub fn topics(view: &View) -> Section {
    let columns = vec![
        names("", Constraint::Length(15)),
        numbers("parts", 5),
        numbers("in/s", FIGURE),
        numbers("decided/s", 9),
        numbers("lag", FIGURE),
        numbers("largest", 7),
        names("", Constraint::Fill(1)),
    ];
    Section::table("Topics", columns, view.topics.iter().map(topic).collect())
}

fn topic(row: &TopicRow) -> Vec<Cell> {
    let partitions = row.partitions.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string());
    let (decided, total, largest) = match row.lag {
        Some(lag) => (Span::raw(known(row.decided)), lag_cell(lag.total), lag_cell(lag.largest)),
        None => (Span::raw(""), Span::raw(""), Span::raw("")),
    };
    let content = match row.records {
        Some(records) if row.kept.is_empty() => format!("{} records", number(records as f64)),
        _ => kept(&row.kept),
    };
    vec![
        Span::raw(row.topic.as_str()),
        Span::raw(partitions),
        Span::raw(known(row.appended)),
        decided,
        total,
        largest,
        Span::raw(content),
    ]
}

/// The sinks.
pub fn sinks(view: &View) -> Section {
    let columns = vec![
        names("", Constraint::Length(15)),
        numbers("applied/s", 9),
        numbers("lag", FIGURE),
        numbers("batch", FIGURE),
        numbers("p50 ms", FIGURE),
        numbers("p99 ms", FIGURE),
        numbers("retries", 7),
        numbers("dead letters", 12),
    ];
    Section::table("Sinks", columns, view.sinks.iter().map(sink).collect())
}

fn sink(row: &SinkRow) -> Vec<Cell> {
    vec![
        Span::raw(row.name.clone()),
        Span::raw(known(row.applied)),
        lag_cell(row.lag),
        Span::raw(known(row.batch_records.map(f64::round))),
        Span::raw(milliseconds(row.apply.p50)),
        Span::raw(milliseconds(row.apply.p99)),
        Span::raw(number(row.retries)),
        Span::raw(number(row.dead_letters)),
    ]
}

/// A number of waiting records, in a colour unless it is 0.
pub fn lag_cell(lag: f64) -> Cell {
    let style = if lag > 0.0 { Style::new().fg(Color::Yellow) } else { Style::new() };
    Span::styled(number(lag), style)
}

/// What a processor keeps: `10.0k SKUs, 500 reserved`.
pub fn kept(kept: &[(&str, f64)]) -> String {
    let kept = kept.iter().map(|(name, count)| format!("{} {name}", number(*count)));
    kept.collect::<Vec<_>>().join(", ")
}
