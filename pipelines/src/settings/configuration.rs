//! The configuration of a process: its settings, checked together, and its lifecycle.

use std::{ops::Deref, sync::Arc};

use anyhow::{Result, bail, ensure};
use orderflow_schemas::Lifecycle;

use super::Settings;
use crate::stores::database::Location;

/// The checked configuration of a process. It dereferences to its settings.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The settings, with bounds and combinations checked.
    settings: Settings,
    /// The lifecycle of orders.
    pub lifecycle: Arc<Lifecycle>,
    /// Where the database is, from the settings.
    pub database_location: Location,
}

impl Configuration {
    /// Checks everything beyond the bounds of each setting that can be checked without starting.
    pub fn new(settings: Settings, lifecycle: Arc<Lifecycle>) -> Result<Self> {
        if let Some(url) = &settings.topics {
            let scheme = url.split(':').next().unwrap_or_default();
            bail!("--topics {scheme}:… is not supported by this version; leave it out for the embedded log");
        }
        settings.roles.check_embedded()?;
        let segment_bytes = settings.log.segment_bytes;
        ensure!(
            settings.log.retention.bytes.is_none_or(|bytes| bytes >= segment_bytes),
            "log.retention.bytes must be at least log.segment_bytes, which is {segment_bytes}"
        );
        let database_location = Location::of(settings.database.clone())?;
        Ok(Self { settings, lifecycle, database_location })
    }
}

impl Deref for Configuration {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
