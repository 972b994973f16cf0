//! The title, the banner below it, and the keys at the bottom.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::Widget,
};

use super::places::status_style;
use crate::top::watch::{Trouble, Watch};

/// The server, its status and version, and how long the rates are measured.
pub fn draw_title(watch: &Watch, area: Rect, buffer: &mut Buffer) {
    let mut spans =
        vec![Span::styled(" orderflow top", Modifier::BOLD), Span::raw(format!("   {}   ", watch.url))];
    if let (Some(view), false) = (&watch.view, is_away(watch)) {
        let status = &view.health.status;
        spans.push(Span::styled(status.clone(), status_style(status).add_modifier(Modifier::BOLD)));
    }
    if let Some(version) = watch.view.as_ref().and_then(|view| view.version.as_ref()) {
        spans.push(Span::raw(format!("   version {version}")));
    }
    Line::from(spans).render(area, buffer);
    Line::from(measured(watch)).right_aligned().render(area, buffer);
}

fn measured(watch: &Watch) -> String {
    if watch.is_paused {
        return "paused ".to_owned();
    }
    if is_away(watch) {
        return "away ".to_owned();
    }
    match watch.view.as_ref().and_then(|view| view.interval) {
        Some(interval) => format!("rates of {:.1} s ", interval.as_secs_f64()),
        None => "no rates yet ".to_owned(),
    }
}

/// What the user should know before the figures: trouble, and what is missing.
pub fn banner(watch: &Watch, width: u16) -> Vec<Line<'static>> {
    let notes = watch.view.iter().flat_map(|view| &view.notes);
    let mut lines = Vec::new();
    match &watch.trouble {
        Some(Trouble::Away { lasts, reason, .. }) => {
            let old = if watch.view.is_some() { ", the figures are old" } else { "" };
            let text = format!("NO ANSWER for {} s{old}: {reason}", lasts.as_secs());
            push_wrapped(
                &mut lines,
                &text,
                width,
                Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED),
            );
        }
        Some(Trouble::Restarted) => {
            let text = "The server was away or restarted: rates begin anew with the next sample.";
            push_wrapped(&mut lines, text, width, Style::new().fg(Color::Yellow));
        }
        None if watch.view.is_none() => {
            push_wrapped(&mut lines, "Waiting for the first sample.", width, Style::new())
        }
        None => {}
    }
    for note in notes {
        push_wrapped(&mut lines, note, width, Style::new().fg(Color::Yellow));
    }
    lines
}

/// The rows of a banner. One row is kept free without a banner, so that figures rarely move.
pub fn height(banner: &[Line<'_>]) -> u16 {
    u16::try_from(banner.len().max(1)).unwrap_or(u16::MAX)
}

/// Adds a text, in lines that break between words.
fn push_wrapped(lines: &mut Vec<Line<'static>>, text: &str, width: u16, style: Style) {
    let room = usize::from(width.saturating_sub(2));
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(Line::styled(format!(" {line} "), style));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(Line::styled(format!(" {line} "), style));
}

/// The keys, how often samples are taken, and who asks for them.
pub fn draw_keys(watch: &Watch, area: Rect, buffer: &mut Buffer) {
    let pause = if watch.is_paused { "p continue" } else { "p pause" };
    let every = humantime::format_duration(watch.every);
    let keys = format!(" q quit   {pause}   every {every}");
    let style = Style::new().add_modifier(Modifier::DIM);
    Line::styled(keys, style).render(area, buffer);
    Line::styled(format!("as {} ", watch.caller), style).right_aligned().render(area, buffer);
}

fn is_away(watch: &Watch) -> bool {
    matches!(watch.trouble, Some(Trouble::Away { .. }))
}
