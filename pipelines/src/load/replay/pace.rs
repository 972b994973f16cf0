//! How fast lines are posted: as fast as they are taken, or at a multiple of the pace of `placed_at`.

use std::time::{Duration, Instant};

use orderflow_schemas::Timestamp;
use serde::Deserialize;

/// The span of real time whose orders go into one request of a paced replay.
const STEP: Duration = Duration::from_millis(20);

/// The pace of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the server accepts the lines.
    Max,
    /// A multiple of the pace of `placed_at`, above 0.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            number => match number.parse() {
                Ok(times) if times > 0.0 => Ok(Self::Times(times)),
                _ => Err("a speed is `max` or a number above 0".to_owned()),
            },
        }
    }
}

/// Keeps a replay at a multiple of the pace the orders were placed at.
pub struct Pace {
    speed: Speed,
    started: Instant,
    first: Option<Timestamp>,
    due: Instant,
}

#[derive(Deserialize)]
struct Placed {
    placed_at: Option<Timestamp>,
}

impl Pace {
    /// A pace whose clock starts now.
    pub fn new(speed: Speed) -> Self {
        let now = Instant::now();
        Self { speed, started: now, first: None, due: now }
    }

    /// Whether the request should end with this line. A line without `placed_at` is due with the line before it.
    pub fn reached(&mut self, line: &[u8]) -> bool {
        let Speed::Times(times) = self.speed else { return false };
        let placed: Option<Placed> = serde_json::from_slice(line).ok();
        let Some(at) = placed.and_then(|placed| placed.placed_at) else { return false };
        let first = *self.first.get_or_insert(at);
        let micros = at.as_micros().saturating_sub(first.as_micros()).max(0) as f64 / times;
        let Some(due) = self.started.checked_add(Duration::from_micros(micros as u64)) else { return false };
        let end = due > self.due + STEP;
        self.due = self.due.max(due);
        end
    }

    /// Waits until the last line is due.
    pub async fn wait(&self) {
        tokio::time::sleep_until(self.due.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_time_never_end_a_replay() {
        let mut pace = Pace::new(Speed::Times(1.0));
        assert!(!pace.reached(br#"{"placed_at":"2017-01-01T00:00:00Z"}"#));
        for line in ["", "\n", "{", "7", "{\"placed_at\":\"soon\"}", "{\"placed_at\":null}", "\u{feff}{}"] {
            assert!(!pace.reached(line.as_bytes()), "{line}");
        }
        assert!(pace.reached(br#"{"placed_at":"2017-01-01T00:00:01Z"}"#));
        assert_eq!(Speed::Times(0.5), "0.5".parse().unwrap());
        for wrong in ["0", "-1", "fast", "NaN"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
