//! The configuration of a process: its settings, checked together, and its lifecycle.

use std::{ops::Deref, sync::Arc};

use anyhow::{Result, bail, ensure};
use orderflow_schemas::Lifecycle;

use super::{NetworkSettings, Settings};
use crate::{stores::database::Location, tls::TlsFiles};

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
        let network = &settings.network;
        ensure!(
            network.tls_cert.is_some() == network.tls_key.is_some(),
            "--tls-cert and --tls-key belong together: give both, or neither for plain HTTP"
        );
        ensure!(
            network.requests_burst == 0 || network.requests_per_second > 0,
            "network.requests_burst is without effect as long as network.requests_per_second is 0"
        );
        ensure!(
            settings.accounts.session_s <= settings.accounts.session_age_s_max,
            "accounts.session_s must be at most accounts.session_age_s_max: no session lasts longer than that"
        );
        let bytes_max = settings.body_bytes_max.max(settings.ingest.line_bytes_max);
        ensure!(
            network.bytes_in_flight_max >= bytes_max,
            "network.bytes_in_flight_max must be at least body_bytes_max and ingest.line_bytes_max, here {bytes_max}"
        );
        let database_location = Location::of(settings.database.clone())?;
        Ok(Self { settings, lifecycle, database_location })
    }

    /// The files for TLS; `None` for plain HTTP.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        let NetworkSettings { tls_cert, tls_key, .. } = &self.network;
        Some(TlsFiles { certificate: tls_cert.clone()?, key: tls_key.clone()? })
    }
}

impl Configuration {
    /// Whether other machines can connect without TLS, and no proxy is known that could have it in front.
    pub fn is_open_to_eavesdroppers(&self) -> bool {
        let network = &self.network;
        !self.listen.ip().to_canonical().is_loopback()
            && network.tls_cert.is_none()
            && network.trusted_proxies.is_empty()
    }
}

impl Deref for Configuration {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
