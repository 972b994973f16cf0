//! The log of the process on standard error: which lines are logged, and in which form.

use std::{io, str::FromStr};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::{
    log_format::{JsonLines, TextLines},
    log_writer::{self, LogGuard},
};

/// What the process logs, and how.
#[derive(Args, Clone, Debug)]
pub struct LogOptions {
    /// Which lines are logged on standard error, such as `warn`, or `info,orderflow::access=off`: a filter of
    /// `tracing-subscriber` [default: info for serve, else warn]
    #[arg(long, global = true, env = "ORDERFLOW_LOG", value_name = "FILTER", value_parser = parse_filter)]
    pub log: Option<String>,
    /// The form of these lines
    #[arg(long, global = true, env = "ORDERFLOW_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

fn parse_filter(text: &str) -> Result<String, String> {
    EnvFilter::from_str(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Starts logging. Dropping the guard writes all lines that are not written yet.
pub fn init(options: &LogOptions, default: &str) -> io::Result<LogGuard> {
    let filter = EnvFilter::new(options.log.as_deref().unwrap_or(default));
    let (writer, guard) = log_writer::start()?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    match options.log_format {
        LogFormat::Text => lines.event_format(TextLines).init(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_span_list(false);
            lines.map_event_format(JsonLines).init();
        }
    }
    Ok(guard)
}
