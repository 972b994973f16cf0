//! Draws what is known of a server. Pure: it writes cells of a buffer and knows nothing of terminals.
//!
//! The figures of the whole system fit 80 x 24. With more room, partitions and routes follow one by one. A table that does
//! not fit says how many of its rows are left out.

mod details;
mod head;
mod overview;
mod places;
mod section;
#[cfg(test)]
mod tests;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    widgets::{Paragraph, Widget, Wrap},
};

use self::section::Section;
use super::{
    view::View,
    watch::{Trouble, Watch},
};

/// The smallest size.
const COLUMNS_MIN: u16 = 80;
const ROWS_MIN: u16 = 24;
/// The width of the rates, which stand beside the latencies.
const RATES_COLUMNS: u16 = 34;
/// From this width on, routes stand beside partitions.
const DETAILS_BESIDE_FROM: u16 = 120;
/// The width of the partitions if routes stand beside them.
const PARTITIONS_COLUMNS: u16 = 80;
/// The least rows that details are worth: a title, a header and a row.
const DETAILS_ROWS_MIN: u16 = 3;

/// The least rows of topics, sinks, health and owners, which fit the smallest size together.
const BELOW_ROWS_MIN: [u16; 4] = [7, 4, 2, 2];

/// Draws the whole screen, with the keys in its last row.
pub fn draw(watch: &Watch, area: Rect, buffer: &mut Buffer) {
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let text = format!(
            "This terminal is {} x {}; the screen needs {COLUMNS_MIN} x {ROWS_MIN}. q quits.",
            area.width, area.height
        );
        return Paragraph::new(text).wrap(Wrap { trim: true }).render(area, buffer);
    }
    let [figures, keys] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    draw_figures(watch, figures, buffer);
    head::draw_keys(watch, keys, buffer);
}

/// Draws the screen without keys.
pub fn draw_figures(watch: &Watch, area: Rect, buffer: &mut Buffer) {
    let mut rest = area;
    head::draw_title(watch, take(&mut rest, 1), buffer);
    let banner = head::banner(watch, area.width);
    let lines = take(&mut rest, head::height(&banner));
    Paragraph::new(banner).render(lines, buffer);
    let Some(view) = &watch.view else { return };
    draw_view(view, rest, buffer);
    if matches!(watch.trouble, Some(Trouble::Away { .. })) {
        buffer.set_style(rest, Style::new().add_modifier(Modifier::DIM));
    }
}

/// The height at which no row is left out.
pub fn full_height(watch: &Watch, width: u16) -> u16 {
    let head = 1 + head::height(&head::banner(watch, width));
    let Some(view) = &watch.view else { return head };
    let beside = overview::rates(view).height().max(overview::latencies(view).height());
    let below: u16 = below(view, width).iter().map(Section::height).sum();
    head + beside + below + details::partitions(view).height() + details::routes(view, width).height()
}

/// The text of a buffer, without the spaces at the ends of lines.
pub fn lines(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.rows().map(|row| row.y) {
        let line: String =
            (buffer.area.left()..buffer.area.right()).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The sections below rates and latencies.
fn below(view: &View, width: u16) -> [Section; 4] {
    [overview::topics(view), overview::sinks(view), places::parts(view, width), places::owners(view, width)]
}

fn draw_view(view: &View, area: Rect, buffer: &mut Buffer) {
    let mut rest = area;
    let (rates, latencies) = (overview::rates(view), overview::latencies(view));
    let beside = take(&mut rest, rates.height().max(latencies.height()));
    let columns = [Constraint::Length(RATES_COLUMNS), Constraint::Fill(1)];
    let [left, right] = Layout::horizontal(columns).spacing(1).areas(beside);
    rates.draw(left, buffer);
    latencies.draw(right, buffer);
    let sections = below(view, area.width);
    let heights = fitting(&sections.each_ref().map(Section::height), &BELOW_ROWS_MIN, rest.height);
    for (section, height) in sections.into_iter().zip(heights) {
        section.draw(take(&mut rest, height), buffer);
    }
    draw_details(view, rest, buffer);
}

/// Draws partitions and routes, side by side if there is room, else one below the other.
fn draw_details(view: &View, mut rest: Rect, buffer: &mut Buffer) {
    if rest.height < DETAILS_ROWS_MIN {
        return;
    }
    if rest.width >= DETAILS_BESIDE_FROM {
        let columns = [Constraint::Length(PARTITIONS_COLUMNS), Constraint::Fill(1)];
        let [left, right] = Layout::horizontal(columns).spacing(1).areas(rest);
        details::partitions(view).draw(left, buffer);
        return details::routes(view, right.width).draw(right, buffer);
    }
    let partitions = details::partitions(view);
    let height = partitions.height();
    partitions.draw(take(&mut rest, height), buffer);
    if rest.height >= DETAILS_ROWS_MIN {
        details::routes(view, rest.width).draw(rest, buffer);
    }
}

/// Cuts rows off the top of an area.
fn take(rest: &mut Rect, height: u16) -> Rect {
    let taken = Rect { height: height.min(rest.height), ..*rest };
    *rest = Rect { y: rest.y + taken.height, height: rest.height - taken.height, ..*rest };
    taken
}

/// Heights that fit into the available rows. The highest sections that are above their least height lose rows first.
fn fitting<const N: usize>(wanted: &[u16; N], least: &[u16; N], available: u16) -> [u16; N] {
    let mut heights = *wanted;
    while heights.iter().sum::<u16>() > available {
        let spare = heights.iter_mut().zip(least).filter(|(height, least)| **height > **least);
        let Some((highest, _)) = spare.max_by_key(|(height, _)| **height) else { break };
        *highest -= 1;
    }
    heights
}
