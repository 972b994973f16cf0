//! `orderflow top --once`: one screen as plain text, for scripts.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::Result;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{scrape::Scraper, screen, watch::Watch};

/// The width of the text.
const COLUMNS: u16 = 80;

/// Takes two samples, prints the screen with all its rows, and says on standard error in whose name it asked.
pub async fn print(mut scraper: Scraper, every: Duration) -> Result<()> {
    eprintln!("as {}", scraper.caller());
    let mut watch = Watch::new(scraper.url(), scraper.caller(), every);
    for is_first in [true, false] {
        if !is_first {
            tokio::time::sleep(every).await;
        }
        let sample = scraper.sample().await?;
        let at = sample.at;
        watch.take(Ok(sample), at);
    }
    Ok(io::stdout().lock().write_all(text(&watch).as_bytes())?)
}

/// The screen as lines of text.
fn text(watch: &Watch) -> String {
    let area = Rect::new(0, 0, COLUMNS, screen::full_height(watch, COLUMNS));
    let mut buffer = Buffer::empty(area);
    screen::draw_figures(watch, area, &mut buffer);
    screen::lines(&buffer)
}
