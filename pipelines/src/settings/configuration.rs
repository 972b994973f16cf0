//! What a process is to run: its settings, checked together, and its lifecycle.

use std::{ops::Deref, sync::Arc};

use anyhow::{Result, bail, ensure};
use orderflow_schemas::Lifecycle;

use super::Settings;
use crate::stores::database::Location;

/// The configuration of a process. It can be used as its settings.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The settings.
    settings: Settings,
    /// The lifecycle of orders.
    pub lifecycle: Arc<Lifecycle>,
    /// Where the database is.
    pub location: Location,
}

impl Configuration {
    /// Checks what can be checked without starting, beyond the bounds of each setting.
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
        let location = Location::of(settings.database.clone())?;
        Ok(Self { settings, lifecycle, location })
    }
}

impl Deref for Configuration {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
