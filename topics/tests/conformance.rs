//! The embedded log does what every engine must do.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::sync::Arc;
use std::{collections::HashMap, sync::Mutex};

use orderflow_topics::{
    EmbeddedLog, Topics, conformance,
    embedded::{Retention, Settings},
    memory::MemoryTopics,
};

async fn conforms(settings: Settings) {
    let dir = tempfile::tempdir().unwrap();
    conformance::run(|store| {
        let (path, settings) = (dir.path().join(store), settings.clone());
        async move {
            let (log, _) = EmbeddedLog::open(path, settings).unwrap();
            Arc::new(log) as Arc<dyn Topics>
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_log_conforms() {
    conforms(Settings::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_log_conforms_with_tiny_segments_and_no_cache() {
    conforms(Settings {
        segment_bytes: 8192,
        frame_bytes_max: 1024,
        pending_bytes_max: 2048,
        cache_bytes_max: 0,
        index_stride_bytes: 512,
        retention: Retention::default(),
        ..Settings::default()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_in_memory_conforms() {
    let stores: Mutex<HashMap<&str, Arc<MemoryTopics>>> = Mutex::default();
    conformance::run(|store| {
        let log = stores.lock().unwrap().entry(store).or_default().clone();
        async move { log as Arc<dyn Topics> }
    })
    .await;
}

#[tokio::test]
async fn embedded_log_conforms_on_one_thread() {
    conforms(Settings::default()).await;
}
