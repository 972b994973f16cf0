//! A section of the screen: a title, and a table or lines below it.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Margin, Rect},
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Row, Table, Widget},
};

/// A column of a table.
pub struct Column {
    title: &'static str,
    width: Constraint,
    is_number: bool,
}

/// A column of names, left-aligned.
pub fn names(title: &'static str, width: Constraint) -> Column {
    Column { title, width, is_number: false }
}

/// A column of numbers, right-aligned.
pub fn numbers(title: &'static str, width: u16) -> Column {
    Column { title, width: Constraint::Length(width), is_number: true }
}

/// A cell.
pub type Cell = Span<'static>;

/// A section.
pub struct Section {
    title: &'static str,
    body: Body,
}

enum Body {
    Table { columns: Vec<Column>, has_header: bool, rows: Vec<Vec<Cell>> },
    Lines(Vec<Line<'static>>),
}

impl Section {
    /// A table.
    pub fn table(title: &'static str, columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Self {
        let has_header = columns.iter().any(|column| !column.title.is_empty());
        Self { title, body: Body::Table { columns, has_header, rows } }
    }

    /// Lines.
    pub fn lines(title: &'static str, lines: Vec<Line<'static>>) -> Self {
        Self { title, body: Body::Lines(lines) }
    }

    /// The number of rows that it needs.
    pub fn height(&self) -> u16 {
        let rows = match &self.body {
            Body::Table { has_header, rows, .. } => rows.len() + usize::from(*has_header),
            Body::Lines(lines) => lines.len(),
        };
        u16::try_from(rows + 1).unwrap_or(u16::MAX)
    }

    /// Draws it. Rows that do not fit are counted in the last row.
    pub fn draw(self, area: Rect, buffer: &mut Buffer) {
        let title = Span::styled(format!(" {} ", self.title), Modifier::BOLD);
        let block = Block::new().borders(Borders::TOP).title(title).border_style(Modifier::DIM);
        let inner = block.inner(area).inner(Margin::new(1, 0));
        block.render(area, buffer);
        match self.body {
            Body::Lines(lines) => draw_lines(lines, inner, buffer),
            Body::Table { columns, has_header, rows } => draw_table(columns, has_header, rows, inner, buffer),
        }
    }
}

fn draw_lines(mut lines: Vec<Line<'static>>, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.height);
    if lines.len() > room {
        lines.truncate(room);
        if let Some(last) = lines.last_mut() {
            last.push_span(" …");
        }
    }
    Paragraph::new(lines).render(area, buffer);
}

fn draw_table(
    columns: Vec<Column>,
    has_header: bool,
    mut rows: Vec<Vec<Cell>>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let room = usize::from(area.height).saturating_sub(usize::from(has_header));
    let left_out = if rows.len() > room { rows.len() - room.saturating_sub(1) } else { 0 };
    rows.truncate(rows.len() - left_out);
    let row = |cells: Vec<Cell>| {
        Row::new(cells.into_iter().zip(&columns).map(|(cell, column)| aligned(cell, column)))
    };
    let header = Row::new(columns.iter().map(|column| aligned(Span::raw(column.title), column)));
    let header = header.style(Style::new().add_modifier(Modifier::DIM));
    let table = Table::new(rows.into_iter().map(row), columns.iter().map(|column| column.width));
    let table = if has_header { table.header(header) } else { table };
    table.column_spacing(1).render(area, buffer);
    if left_out > 0 && area.height > 0 {
        let last = Rect { y: area.bottom() - 1, height: 1, ..area };
        Line::styled(format!("… {left_out} more"), Modifier::DIM).render(last, buffer);
    }
}

fn aligned(cell: Cell, column: &Column) -> Line<'static> {
    let line = Line::from(cell);
    if column.is_number { line.right_aligned() } else { line }
}

/// Items one after the other, in as many lines as they need.
pub fn flow(items: Vec<Vec<Cell>>, width: u16) -> Vec<Line<'static>> {
    let room = usize::from(width.saturating_sub(2));
    let mut lines: Vec<Line<'static>> = Vec::new();
    for item in items {
        let item = Line::from(item);
        match lines.last_mut() {
            Some(line) if line.width() + GAP.len() + item.width() <= room => {
                line.push_span(GAP);
                line.extend(item);
            }
            _ => lines.push(item),
        }
    }
    lines
}

/// What separates items.
const GAP: &str = "   ";
