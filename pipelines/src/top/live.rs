//! The loop of the live screen: wait for a sample, a key or a signal, and draw.
//!
//! A task takes the samples, so that keys are answered while the server is slow. The task ends with the loop.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
};

use super::{sample::Sample, scrape::Scraper, screen, terminal::Terminal, watch::Watch};
use crate::serve::stop_signal;

/// The longest pause before a server that is away is asked again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How many samples may wait for the loop.
const SAMPLES_MAX: usize = 1;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Quit,
    Pause,
    Nothing,
}

/// A sample, or why there is none.
type Taken = Result<Sample, String>;

/// Shows a server until the user quits or the process is asked to stop.
pub async fn show(scraper: Scraper, every: Duration) -> Result<()> {
    let stop = stop_signal()?;
    let mut hang_up = signal(SignalKind::hangup()).context("no handler for SIGHUP")?;
    let mut watch = Watch::new(scraper.url(), scraper.caller(), every);
    let (sender, mut samples) = mpsc::channel(SAMPLES_MAX);
    let mut tasks = JoinSet::new();
    tasks.spawn(take_samples(scraper, every, sender));
    let mut terminal = Terminal::open()?;
    let (mut keys, started) = (EventStream::new(), Instant::now());
    tokio::pin!(stop);
    loop {
        terminal.draw(|frame| screen::draw(&watch, frame.area(), frame.buffer_mut()))?;
        tokio::select! {
            () = &mut stop => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            sample = samples.recv() => {
                watch.take(sample.context("no samples are taken any more")?, started.elapsed());
            }
            event = keys.next() => match action(event.context("the terminal is gone")??) {
                Action::Quit => return Ok(()),
                Action::Pause => watch.is_paused = !watch.is_paused,
                Action::Nothing => {}
            },
        }
    }
}

/// Takes samples until nobody wants them any more.
async fn take_samples(mut scraper: Scraper, every: Duration, sender: mpsc::Sender<Taken>) {
    loop {
        let began = tokio::time::Instant::now();
        let sample = scraper.sample().await.map_err(|error| error.to_string());
        let pause = if sample.is_ok() { every } else { every.min(RETRY_EVERY) };
        if sender.send(sample).await.is_err() {
            return;
        }
        tokio::time::sleep_until(began + pause).await;
    }
}

/// What an event asks for. After a resize, the next frame has the new size.
fn action(event: Event) -> Action {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else {
        return Action::Nothing;
    };
    match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Action::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Action::Quit,
        KeyCode::Char('p' | ' ') => Action::Pause,
        _ => Action::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_quit_and_pause() {
        let key = |code, modifiers| action(Event::Key(KeyEvent::new(code, modifiers)));
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert_eq!(key(code, KeyModifiers::NONE), Action::Quit);
        }
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Action::Quit);
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), Action::Nothing);
        assert_eq!(key(KeyCode::Char('p'), KeyModifiers::NONE), Action::Pause);
        assert_eq!(action(Event::Resize(100, 30)), Action::Nothing);
    }
}
