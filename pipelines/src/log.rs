//! Opens the engine that the settings name, and creates its topics. A further engine is opened here too.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use orderflow_schemas::Topic;
use orderflow_topics::{EmbeddedLog, Engine, Topics, embedded};

use crate::settings::Configuration;

/// Opens the log for writing, and creates its topics if they do not exist.
pub async fn open(configuration: &Configuration) -> Result<Arc<dyn Engine>> {
    let folder = configuration.data.join("log");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the data directory {} cannot be made", configuration.data.display()))?;
    let (log, report) = EmbeddedLog::open(&folder, configuration.log.clone())?;
    if let Some(cut) = report.cut {
        tracing::warn!(bytes = cut.bytes, "a torn tail was cut; none of it was ever acknowledged");
    }
    create_topics(&log, configuration).await?;
    let records: u64 = report.partitions.values().map(|stored| stored.end.0 - stored.start.0).sum();
    tracing::info!(id = %log.id(), folder = %folder.display(), segments = report.segments, records, "log opened");
    Ok(Arc::new(log))
}

async fn create_topics(topics: &dyn Topics, configuration: &Configuration) -> Result<()> {
    let (orders, stock) = (configuration.order_partitions, configuration.stock_partitions);
    for (topic, partitions) in [
        (Topic::OrdersCommands, orders),
        (Topic::OrdersEvents, orders),
        (Topic::StockCommands, stock),
        (Topic::StockEvents, stock),
        (Topic::DeadLetters, 1),
    ] {
        topics.create(topic, partitions).await.with_context(|| format!("topic {topic}"))?;
    }
    Ok(())
}

/// Opens the log of a stopped server, or a copy of a running server's log, read-only.
pub fn open_stopped(data: &Path) -> Result<Arc<dyn Topics>> {
    let folder = data.join("log");
    ensure!(folder.is_dir(), "{} holds no log; name the data directory with --data", data.display());
    let (log, report) = EmbeddedLog::open_read_only(folder, embedded::LogSettings::default())?;
    if let Some(cut) = report.cut {
        tracing::info!(bytes = cut.bytes, "a torn tail, of what was never acknowledged, is left out");
    }
    Ok(Arc::new(log))
}
