//! Pipeline files: a lifecycle, with optional settings.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, anyhow, bail};
use orderflow_schemas::Lifecycle;
use serde::Deserialize;

use super::{Overrides, Settings};

/// The built-in pipelines: name and content of the file.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("order-tracking", include_str!("../../order-tracking.toml")),
    ("reservation", include_str!("../../reservation.toml")),
    ("approval", include_str!("../../approval.toml")),
    ("delivery", include_str!("../../delivery.toml")),
];

/// A pipeline file that was read and checked.
#[derive(Clone, Debug)]
pub struct PipelineFile {
    /// The lifecycle in the file.
    pub lifecycle: Arc<Lifecycle>,
    /// The `[settings]` table, nested by part.
    settings: toml::Table,
}

#[derive(Deserialize)]
struct SettingsTable {
    #[serde(default)]
    settings: toml::Table,
}

impl PipelineFile {
    /// Reads a file, or a built-in pipeline by its name. `None` is the default pipeline.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let name = path.map_or("order-tracking".into(), |path| path.to_string_lossy());
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        let text = match (built_in, path) {
            (Some((_, text)), _) => (*text).to_owned(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the pipeline file {}", path.display()))?,
            (None, None) => bail!("there is no default pipeline"),
        };
        Self::parse(&text).with_context(|| format!("pipeline {name}"))
    }

    fn parse(text: &str) -> Result<Self> {
        // The settings are read first, because an error elsewhere quotes its line, which may contain a password.
        let SettingsTable { settings } = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            anyhow!("not a pipeline file: line {line}: {}", error.message().trim_end())
        })?;
        let file = Self { lifecycle: Arc::new(Lifecycle::parse(text)?), settings };
        file.settings(Overrides::default())?;
        Ok(file)
    }

    /// The settings of the file, replaced by `overrides` where both are given.
    pub fn settings(&self, overrides: Overrides) -> Result<Settings> {
        let mut table = self.settings.clone();
        overrides.apply_to(&mut table);
        Settings::from_table(table)
    }
}
