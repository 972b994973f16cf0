//! The embedded log and the in-memory log do what every engine must do.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{
    EmbeddedLog, Topics,
    conformance::{self, Rig},
    embedded::{LogSettings, Retention},
    memory::{Fault, MemoryTopics},
};
use tempfile::TempDir;

/// Embedded logs, each in its own folder under `dir`.
struct Embedded {
    dir: TempDir,
    settings: LogSettings,
    open: Mutex<HashMap<&'static str, Arc<EmbeddedLog>>>,
}

impl Embedded {
    fn new(settings: LogSettings) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), settings, open: Mutex::default() }
    }

    fn log(&self, store: &str) -> Arc<EmbeddedLog> {
        self.open.lock().unwrap()[store].clone()
    }
}

#[async_trait]
impl Rig for Embedded {
    async fn open(&self, store: &'static str) -> Arc<dyn Topics> {
        // The log that was open before holds the lock.
        self.open.lock().unwrap().remove(store);
        let (log, _) = EmbeddedLog::open(self.dir.path().join(store), self.settings.clone()).unwrap();
        let log = Arc::new(log);
        self.open.lock().unwrap().insert(store, log.clone());
        log
    }

    async fn trim(&self, store: &'static str) -> bool {
        // False with large segments: none of them is ever full here, and the last segment always stays.
        self.log(store).retain(0).unwrap().segments > 0
    }

    async fn close(&self, store: &'static str) -> bool {
        let log = self.log(store);
        tokio::task::spawn_blocking(move || log.close()).await.unwrap();
        true
    }
}

/// In-memory logs, by the name of their store.
#[derive(Default)]
struct Memory(Mutex<HashMap<&'static str, Arc<MemoryTopics>>>);

impl Memory {
    fn log(&self, store: &'static str) -> Arc<MemoryTopics> {
        self.0.lock().unwrap().entry(store).or_default().clone()
    }
}

#[async_trait]
impl Rig for Memory {
    async fn open(&self, store: &'static str) -> Arc<dyn Topics> {
        self.log(store)
    }

    async fn open_beside(&self, store: &'static str) -> Option<Arc<dyn Topics>> {
        Some(self.log(store))
    }

    fn lose_answer(&self, store: &'static str, written: bool) -> bool {
        self.log(store).fail([if written { Fault::UnknownButWritten } else { Fault::UnknownAndLost }]);
        true
    }

    async fn trim(&self, store: &'static str) -> bool {
        self.log(store).trim(TopicPartition::new(Topic::OrdersCommands, 0), Offset(123));
        true
    }

    async fn close(&self, store: &'static str) -> bool {
        self.log(store).close();
        true
    }
}

const ONE_OWNER: [&str; 2] = ["two_handles_show_one_log", "an_unknown_outcome_leaves_whole_batches"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_log_conforms() {
    let left_out = conformance::run(&Embedded::new(LogSettings::default())).await;
    assert_eq!(left_out, [&ONE_OWNER[..], &["trimmed_records_are_named"]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_log_conforms_with_tiny_segments_and_no_cache() {
    let settings = LogSettings {
        segment_bytes: 8192,
        frame_bytes_max: 1024,
        pending_bytes_max: 2048,
        cache_bytes_max: 0,
        index_stride_bytes: 512,
        retention: Retention { bytes: Some(1), ..Retention::default() },
        ..LogSettings::default()
    };
    assert_eq!(conformance::run(&Embedded::new(settings)).await, ONE_OWNER);
}

#[tokio::test]
async fn embedded_log_conforms_on_one_thread() {
    conformance::run(&Embedded::new(LogSettings::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_in_memory_conforms() {
    assert!(conformance::run(&Memory::default()).await.is_empty(), "it can do all that is asked for");
}
