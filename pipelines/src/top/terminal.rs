//! The terminal while the screen has it. Dropping it, and a panic of any thread, restores the terminal.

use anyhow::{Context, Result};
use ratatui::{DefaultTerminal, Frame};

/// The terminal in raw mode, on its other screen.
pub struct Terminal {
    inner: DefaultTerminal,
}

impl Terminal {
    /// Takes the terminal.
    pub fn open() -> Result<Self> {
        match ratatui::try_init() {
            Ok(inner) => Ok(Self { inner }),
            Err(error) => {
                // Raw mode may be on already.
                ratatui::restore();
                Err(error).context("the terminal cannot be used")
            }
        }
    }

    /// Draws a frame in the size that the terminal has now.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.inner.draw(draw).context("the terminal cannot be written")?;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
