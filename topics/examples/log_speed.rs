//! How fast the embedded log is on this machine's disk, beside a bare loop of `pwrite` and `fdatasync`.
//!
//! `cargo run --release -p orderflow-topics --example log_speed [directory]`
#![expect(clippy::print_stdout, reason = "it prints its results")]
#![expect(clippy::unwrap_used, reason = "an example may stop at the first error")]

use std::{
    collections::VecDeque,
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{
    Batch, EmbeddedLog, Topics, Visibility,
    embedded::{Did, Settings, disk::RealDisk},
};

const RECORD_BYTES: usize = 200;
const AT: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let dir = tempfile::tempdir_in(base).unwrap();
    for batch in [1, 100, 1000, 10_000] {
        let appends = (4_000_000 / batch).clamp(100, 10_000);
        let bare = bare(dir.path(), batch, appends);
        print!("batch {batch:>6}: bare {:>10.0}/s", rate(batch * appends, bare));
        let zeroed = zeroed_ahead(&dir.path().join(format!("{batch}-zeroed")), batch, appends).await;
        print!("   zeroed ahead {:>10.0}/s", rate(batch * appends, zeroed));
        for in_flight in [1, 2, 4] {
            let log = dir.path().join(format!("{batch}-{in_flight}"));
            let took = durable_appends(&log, batch, appends, in_flight).await;
            print!("   {in_flight} in flight {:>10.0}/s", rate(batch * appends, took));
        }
        println!();
    }
    producers(&dir.path().join("producers")).await;
    reads(&dir.path().join("reads")).await;
}

fn rate(records: usize, took: Duration) -> f64 {
    records as f64 / took.as_secs_f64()
}

fn bare(dir: &Path, batch: usize, appends: usize) -> Duration {
    let file = File::create(dir.join("bare")).unwrap();
    let write = vec![7; batch * (RECORD_BYTES + 4) + 60];
    let room = (write.len() * appends).min(1 << 30);
    for position in (0..room).step_by(1 << 20) {
        file.write_all_at(&[0; 1 << 20], position as u64).unwrap();
    }
    file.sync_all().unwrap();
    let (started, mut position) = (Instant::now(), 0);
    for _ in 0..appends {
        if position + write.len() > room {
            position = 0;
        }
        file.write_all_at(&write, position as u64).unwrap();
        file.sync_data().unwrap();
        position += write.len();
    }
    started.elapsed()
}

/// One append after the other on one thread, with all segments zeroed before: what the log costs besides the disk.
async fn zeroed_ahead(dir: &Path, batch: usize, appends: usize) -> Duration {
    let settings = Settings { segment_bytes: 1 << 30, ..Settings::default() };
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), dir, settings).unwrap();
    log.create(AT.topic, 1).await.unwrap();
    while steps.allocator.step() == Did::Work {}
    while steps.writer.step(1) == Did::Work {}
    let records = vec![Bytes::from(vec![7; RECORD_BYTES]); batch];
    let started = Instant::now();
    for _ in 0..appends {
        let appended = log.append(vec![Batch { at: AT, records: records.clone() }]).await.unwrap();
        steps.writer.step(1);
        log.durable(appended.receipt).await.unwrap();
    }
    started.elapsed()
}

async fn durable_appends(dir: &Path, batch: usize, appends: usize, in_flight: usize) -> Duration {
    let opening = Instant::now();
    let (log, _) = EmbeddedLog::open(dir, Settings::default()).unwrap();
    log.create(AT.topic, 1).await.unwrap();
    if batch == 1 && in_flight == 1 {
        print!("   (opened in {:.1} ms)", opening.elapsed().as_secs_f64() * 1e3);
    }
    let records = vec![Bytes::from(vec![7; RECORD_BYTES]); batch];
    let started = Instant::now();
    let mut receipts = VecDeque::new();
    for _ in 0..appends {
        if receipts.len() == in_flight {
            log.durable(receipts.pop_front().unwrap()).await.unwrap();
        }
        let batch = Batch { at: AT, records: records.clone() };
        receipts.push_back(log.append(vec![batch]).await.unwrap().receipt);
    }
    for receipt in receipts {
        log.durable(receipt).await.unwrap();
    }
    started.elapsed()
}

async fn producers(dir: &Path) {
    let (log, _) = EmbeddedLog::open(dir, Settings::default()).unwrap();
    let log = Arc::new(log);
    log.create(AT.topic, 16).await.unwrap();
    for producers in [1, 16, 64, 256] {
        let started = Instant::now();
        let tasks: Vec<_> = (0..producers)
            .map(|n: u16| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let record = Bytes::from(vec![7; RECORD_BYTES]);
                    for _ in 0..2000 {
                        let at = TopicPartition::new(AT.topic, n % 16);
                        let appended =
                            log.append(vec![Batch { at, records: vec![record.clone()] }]).await.unwrap();
                        log.durable(appended.receipt).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        println!(
            "{producers:>4} producers of one record: {:>10.0}/s",
            rate(usize::from(producers) * 2000, started.elapsed())
        );
    }
}

async fn reads(dir: &Path) {
    const RECORDS: u64 = 1_000_000;
    let settings = Settings { cache_bytes_max: 1 << 30, ..Settings::default() };
    let (log, _) = EmbeddedLog::open(dir, settings.clone()).unwrap();
    log.create(AT.topic, 1).await.unwrap();
    let records = vec![Bytes::from(vec![7; RECORD_BYTES]); 1000];
    for _ in 0..RECORDS / 1000 {
        log.append(vec![Batch { at: AT, records: records.clone() }]).await.unwrap();
    }
    log.wait_beyond(AT, Offset(RECORDS - 1), Visibility::Durable).await.unwrap();
    for bytes_max in [64 << 10, 1 << 20] {
        println!(
            "cached reads of {bytes_max} bytes: {:>10.0}/s",
            read_through(&log, RECORDS, bytes_max).await
        );
    }
    log.close();
    let opening = Instant::now();
    let (log, _) = EmbeddedLog::open(dir, settings).unwrap();
    println!("reopened in {:.1} ms", opening.elapsed().as_secs_f64() * 1e3);
    for bytes_max in [64 << 10, 1 << 20] {
        println!("disk reads of {bytes_max} bytes: {:>12.0}/s", read_through(&log, RECORDS, bytes_max).await);
    }
}

async fn read_through(log: &EmbeddedLog, records: u64, bytes_max: usize) -> f64 {
    let (started, mut next) = (Instant::now(), Offset(0));
    while next.0 < records {
        next = log.read(AT, next, bytes_max, Visibility::Durable).await.unwrap().next();
    }
    rate(usize::try_from(records).unwrap(), started.elapsed())
}
