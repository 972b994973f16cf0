//! The parts of the system and their health, and who has which partitions.

use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

use super::section::{Cell, Section, flow};
use crate::top::{
    figures::ranges,
    view::{OwnedPartitions, Owner, View},
};

/// The colour of a status of `/health`.
pub fn status_style(status: &str) -> Style {
    Style::new().fg(match status {
        "ready" => Color::Green,
        "starting" | "waiting" => Color::Yellow,
        _ => Color::Red,
    })
}

/// The health of the parts of the system.
pub fn parts(view: &View, width: u16) -> Section {
    let parts = view.health.parts.iter().map(|(name, status)| {
        vec![Span::raw(format!("{name} ")), Span::styled(status.clone(), status_style(status))]
    });
    Section::lines("Health", flow(parts.collect(), width))
}

/// Who has which partitions.
pub fn owners(view: &View, width: u16) -> Section {
    let mut lines: Vec<_> = view.owners.iter().flat_map(|owner| flow(owned(owner), width)).collect();
    if view.owners.is_empty() {
        lines.push(Line::raw("not known without metrics"));
    }
    if !view.not_owned.is_empty() {
        let mut items = vec![vec![Span::styled("nobody", Style::new().fg(Color::Red))]];
        items.extend(partitions(&view.not_owned));
        lines.extend(flow(items, width));
    }
    Section::lines("Owners of partitions", lines)
}

fn owned(owner: &Owner) -> Vec<Vec<Cell>> {
    let mut items = vec![vec![Span::styled(owner.name.clone(), Modifier::BOLD)]];
    items.extend(partitions(&owner.partitions));
    items.extend(owner.sinks.iter().map(|sink| vec![Span::raw(format!("sink {sink}"))]));
    items
}

fn partitions(owned: &OwnedPartitions) -> impl Iterator<Item = Vec<Cell>> {
    owned.iter().map(|(topic, numbers)| vec![Span::raw(format!("{topic} {}", ranges(numbers)))])
}
