//! What larger terminals show too: partitions and routes one by one.

use ratatui::{layout::Constraint, text::Span};

use super::{
    overview::{kept, lag_cell},
    section::{Cell, Section, names, numbers},
};
use crate::top::{
    figures::{UNKNOWN, known, milliseconds},
    view::{PartitionRow, RouteLatency, View},
};

/// From this width on, routes have all their columns.
const ALL_COLUMNS_FROM: u16 = 60;

/// The partitions. Those with the largest lag come first, so that none of them is left out.
pub fn partitions(view: &View) -> Section {
    let columns = vec![
        names("", Constraint::Length(10)),
        numbers("commands/s", 10),
        numbers("events/s", 8),
        numbers("lag", 6),
        names("", Constraint::Length(24)),
        names("owner", Constraint::Fill(1)),
    ];
    let mut rows: Vec<_> = view.partitions.iter().collect();
    rows.sort_by(|a, b| b.lag.unwrap_or(0.0).total_cmp(&a.lag.unwrap_or(0.0)));
    Section::table("Partitions", columns, rows.into_iter().map(partition).collect())
}

fn partition(row: &PartitionRow) -> Vec<Cell> {
    vec![
        Span::raw(format!("{} {}", row.of, row.number)),
        Span::raw(known(row.commands)),
        Span::raw(known(row.events)),
        row.lag.map_or(Span::raw(UNKNOWN), lag_cell),
        Span::raw(kept(&row.kept)),
        Span::raw(row.owner.clone().unwrap_or_else(|| UNKNOWN.to_owned())),
    ]
}

/// The routes that were used.
pub fn routes(view: &View, width: u16) -> Section {
    let has_all = width >= ALL_COLUMNS_FROM;
    let mut columns = vec![names("", Constraint::Fill(1)), numbers("/s", 6)];
    if has_all {
        columns.extend([numbers("errors/s", 8), numbers("p50 ms", 6)]);
    }
    columns.push(numbers("p99 ms", 6));
    Section::table("Routes", columns, view.routes.iter().map(|row| route(row, has_all)).collect())
}

fn route(row: &RouteLatency, has_all: bool) -> Vec<Cell> {
    let mut cells = vec![Span::raw(row.route.clone()), Span::raw(known(row.latency.per_second))];
    if has_all {
        cells.push(Span::raw(known(row.errors)));
        cells.push(Span::raw(milliseconds(row.latency.p50)));
    }
    cells.push(Span::raw(milliseconds(row.latency.p99)));
    cells
}
