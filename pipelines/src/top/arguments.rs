//! The arguments of `orderflow top`.

use std::time::Duration;

use clap::Args;

use crate::cli::Url;

/// The shortest time between two samples.
const EVERY_MIN: Duration = Duration::from_millis(200);
/// The longest time between two samples.
const EVERY_MAX: Duration = Duration::from_secs(60);

/// `orderflow top`
#[derive(Args, Debug)]
pub struct Top {
    /// The server to watch.
    #[command(flatten)]
    pub server: Url,
    /// The URL of the metrics, if the server has them at an address of their own (`serve --metrics-listen`)
    /// [default: that of --url]
    #[arg(long, env = "ORDERFLOW_METRICS_URL", value_name = "URL")]
    pub metrics_url: Option<String>,
    /// The time between two samples, from 200ms to 1m
    #[arg(long, default_value = "1s", value_parser = every, value_name = "DURATION")]
    pub every: Duration,
    /// Take two samples, print one screen as text, and exit
    #[arg(long)]
    pub once: bool,
}

fn every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let bounds = EVERY_MIN..=EVERY_MAX;
    bounds.contains(&every).then_some(every).ok_or_else(|| "it must be from 200ms to 1m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_samples_is_bounded() {
        assert_eq!(every("200ms"), Ok(EVERY_MIN));
        assert_eq!(every("1m"), Ok(EVERY_MAX));
        for text in ["199ms", "61s", "0s", "soon", "1"] {
            assert!(every(text).is_err(), "{text}");
        }
    }
}
