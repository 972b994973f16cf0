//! Pipeline files: a lifecycle, and settings beside it.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, anyhow, bail};
use orderflow_schemas::Lifecycle;
use serde::Deserialize;

use super::{Overrides, Settings};

/// The pipelines that are part of the program, by name.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("order-tracking", include_str!("../../order-tracking.toml")),
    ("reservation", include_str!("../../reservation.toml")),
    ("approval", include_str!("../../approval.toml")),
    ("delivery", include_str!("../../delivery.toml")),
];

/// A pipeline file, read and checked.
#[derive(Clone, Debug)]
pub struct PipelineFile {
    /// Its lifecycle.
    pub lifecycle: Arc<Lifecycle>,
    /// Its `[settings]`, nested by part.
    settings: toml::Table,
}

#[derive(Deserialize)]
struct SettingsTable {
    #[serde(default)]
    settings: toml::Table,
}

impl PipelineFile {
    /// Reads a file, or a built-in pipeline by its name; none is the default one.
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
        // First of all, since an error elsewhere quotes the line, which may have a password in it.
        let SettingsTable { settings } = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            anyhow!("not a pipeline file: line {line}: {}", error.message().trim_end())
        })?;
        let file = Self { lifecycle: Arc::new(Lifecycle::parse(text)?), settings };
        file.settings(Overrides::default())?;
        Ok(file)
    }

    /// The settings of the file with others over them.
    pub fn settings(&self, overrides: Overrides) -> Result<Settings> {
        let mut table = self.settings.clone();
        overrides.apply_to(&mut table);
        Settings::from_table(table)
    }
}
