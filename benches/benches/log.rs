//! How many durable records a second the embedded log accepts, compared with a bare loop that writes and syncs the
//! same bytes.
//!
//! The bare loop is the limit of this disk for one writer: `pwrite` of a batch into a file that was zeroed before,
//! then `fdatasync`. The log also has to reserve space, frame and checksum the records, and notify waiters. In a
//! fresh directory, as here, it also creates the segments that it fills. *Zeroed ahead* is the log on one thread,
//! with its segments zeroed before the clock starts, one append at a time: its cost apart from creating segments and
//! waking threads.
//! Everything is measured in turns, round after round, and the medians are shown. Disks of rented machines accept a
//! burst faster than a sustained load. After each measurement the disk therefore rests in proportion to the bytes
//! written.

use std::{
    collections::VecDeque,
    fs::{File, read_dir},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use orderflow_benches::{Table, grouped, machine, median, percent, wanted};
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{
    Batch, EmbeddedLog, Topics, Visibility,
    embedded::{LogSettings, StepOutcome},
};
use orderflow_world::disk::RealDisk;
use rustix::fs::{Advice, fadvise};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const RECORD_BYTES: usize = 200;
/// Bytes that the log adds to each record; the bare loop writes the same number of bytes.
const RECORD_OVERHEAD: usize = 4;
const BATCH_OVERHEAD: usize = 60;
const MIB: usize = 1 << 20;
/// The approximate rate that such a disk sustains, in bytes a second. The disk rests for a second after this many
/// bytes.
const REST_BYTES_PER_S: f64 = 500e6;
const AT: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);
const IN_FLIGHT: [usize; 3] = [1, 2, 4];

/// A batch size, and how many batches are measured.
#[derive(Clone, Copy)]
struct Case {
    batch: usize,
    appends: usize,
    rounds: usize,
}

const CASES: [Case; 4] = [
    Case { batch: 1, appends: 2_000, rounds: 4 },
    Case { batch: 100, appends: 2_000, rounds: 4 },
    Case { batch: 1_000, appends: 800, rounds: 3 },
    Case { batch: 10_000, appends: 80, rounds: 3 },
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    if !wanted() {
        return Ok(());
    }
    let (machine, dir) = (machine(), tempfile::tempdir()?);
    let appends = appends(dir.path()).await?;
    let producers = producers(&dir.path().join("producers")).await?;
    let reads = reads(&dir.path().join("reads")).await?;
    writeln!(
        std::io::stdout().lock(),
        "Machine: {machine}; the disk of {}.\n\n\
         Durable appends of {RECORD_BYTES}-byte records to one partition, records/s, and of the bare loop:\n\n{appends}\n\
         Producers that append one record and wait until it is durable, 16 partitions:\n\n{producers}\n\
         Reads of 1,000,000 records of {RECORD_BYTES} bytes, one after the other, records/s:\n\n{reads}",
        std::env::temp_dir().display(),
    )?;
    Ok(())
}

async fn appends(dir: &Path) -> Result<Table> {
    let mut table =
        Table::new(["batch", "bare", "1 in flight", "2 in flight", "4 in flight", "1, zeroed ahead"]);
    for case in CASES {
        let bare = Bare::prepare(dir, case)?;
        let (mut limit, mut zeroed) = (Vec::new(), Vec::new());
        let mut ours = IN_FLIGHT.map(|_| Vec::new());
        for _ in 0..case.rounds {
            case.rest();
            limit.push(case.per_s(bare.run()?));
            case.rest();
            for (rates, in_flight) in ours.iter_mut().zip(IN_FLIGHT) {
                rates.push(case.per_s(durable_appends(dir, case, in_flight).await?));
            }
            zeroed.push(case.per_s(zeroed_ahead(dir, case).await?));
        }
        eprintln!("batch {}: bare {limit:.0?}, ours {ours:.0?}, zeroed ahead {zeroed:.0?}", case.batch);
        let limit = median(&limit);
        let beside = |rates: &Vec<f64>| {
            let rate = median(rates);
            format!("{} ({})", grouped(rate), percent(rate, limit))
        };
        let ours = ours.iter().chain([&zeroed]).map(beside);
        table.row([grouped(case.batch as f64), grouped(limit)].into_iter().chain(ours));
    }
    Ok(table)
}

impl Case {
    fn per_s(self, took: Duration) -> f64 {
        (self.batch * self.appends) as f64 / took.as_secs_f64()
    }

    /// Lets the disk recover from a measurement. The log may have written each byte twice, as zero and as data.
    fn rest(self) {
        let written = 2.0 * (self.append_bytes() * self.appends) as f64;
        sleep(Duration::from_secs_f64(written / REST_BYTES_PER_S));
    }

    fn append_bytes(self) -> usize {
        self.batch * (RECORD_BYTES + RECORD_OVERHEAD) + BATCH_OVERHEAD
    }

    fn records(self) -> Vec<Bytes> {
        vec![Bytes::from(vec![7; RECORD_BYTES]); self.batch]
    }
}

/// The bare loop with its file.
struct Bare {
    file: File,
    case: Case,
}

impl Bare {
    fn prepare(dir: &Path, case: Case) -> Result<Self> {
        let file = File::create(dir.join("bare"))?;
        for position in (0..case.append_bytes() * case.appends).step_by(MIB) {
            file.write_all_at(&[0; MIB], position as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, case })
    }

    fn run(&self) -> Result<Duration> {
        let bytes = vec![7; self.case.append_bytes()];
        let started = Instant::now();
        for append in 0..self.case.appends {
            self.file.write_all_at(&bytes, (append * bytes.len()) as u64)?;
            self.file.sync_data()?;
        }
        Ok(started.elapsed())
    }
}

/// Appends as the server does: two threads belong to the log, and segments are created during the measurement.
async fn durable_appends(dir: &Path, case: Case, in_flight: usize) -> Result<Duration> {
    let fresh = tempfile::tempdir_in(dir)?;
    let (log, _) = EmbeddedLog::open(fresh.path(), LogSettings::default())?;
    log.create(AT.topic, 1).await?;
    let records = case.records();
    let started = Instant::now();
    let mut receipts = VecDeque::new();
    for _ in 0..case.appends {
        if receipts.len() == in_flight
            && let Some(oldest) = receipts.pop_front()
        {
            log.durable(oldest).await?;
        }
        let batch = Batch { topic_partition: AT, records: records.clone() };
        receipts.push_back(log.append(vec![batch]).await?.receipt);
    }
    for receipt in receipts {
        log.durable(receipt).await?;
    }
    let took = started.elapsed();
    log.close();
    drop(log);
    remove(fresh)?;
    case.rest();
    Ok(took)
}

async fn zeroed_ahead(dir: &Path, case: Case) -> Result<Duration> {
    let fresh = tempfile::tempdir_in(dir)?;
    let segment_bytes = (case.append_bytes() * case.appends + 8 * MIB).next_multiple_of(MIB) as u64;
    let settings = LogSettings { segment_bytes, ..LogSettings::default() };
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), fresh.path(), settings)?;
    log.create(AT.topic, 1).await?;
    while steps.allocator.step() == StepOutcome::Work {}
    while steps.writer.step(1) == StepOutcome::Work {}
    case.rest();
    let records = case.records();
    let started = Instant::now();
    for _ in 0..case.appends {
        let appended = log.append(vec![Batch { topic_partition: AT, records: records.clone() }]).await?;
        steps.writer.step(1);
        log.durable(appended.receipt).await?;
    }
    let took = started.elapsed();
    drop((log, steps));
    remove(fresh)?;
    Ok(took)
}

/// Removes a directory and waits until the file system has finished, so that the next measurement does not include
/// that work.
fn remove(dir: tempfile::TempDir) -> Result<()> {
    let parent = dir.path().parent().map(Path::to_owned);
    dir.close()?;
    if let Some(parent) = parent {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

async fn producers(dir: &Path) -> Result<Table> {
    let (log, _) = EmbeddedLog::open(dir, LogSettings::default())?;
    let log = Arc::new(log);
    log.create(AT.topic, 16).await?;
    let mut table = Table::new(["producers", "records/s", "mean wait"]);
    for (producers, each) in [(1_u16, 2_000_u32), (16, 2_000), (64, 2_000), (256, 500)] {
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..producers {
            tasks.spawn(produce(log.clone(), TopicPartition::new(AT.topic, number % 16), each));
        }
        for produced in tasks.join_all().await {
            produced?;
        }
        let took = started.elapsed();
        let wait = format!("{:.2} ms", (took / each).as_secs_f64() * 1e3);
        let rate = f64::from(producers) * f64::from(each) / took.as_secs_f64();
        table.row([producers.to_string(), grouped(rate), wait]);
    }
    Ok(table)
}

async fn produce(log: Arc<EmbeddedLog>, topic_partition: TopicPartition, records: u32) -> Result<()> {
    let record = Bytes::from(vec![7; RECORD_BYTES]);
    for _ in 0..records {
        let appended = log.append(vec![Batch { topic_partition, records: vec![record.clone()] }]).await?;
        log.durable(appended.receipt).await?;
    }
    Ok(())
}

/// The place that reads are served from.
#[derive(Clone, Copy, Debug)]
enum From {
    /// The log's own cache of its tail.
    Cache,
    /// Files in the page cache.
    WarmFiles,
    /// Files that the kernel has to read from the disk.
    ColdFiles,
}

async fn reads(dir: &Path) -> Result<Table> {
    const RECORDS: u64 = 1_000_000;
    let settings = LogSettings { cache_bytes_max: 1 << 30, ..LogSettings::default() };
    let (log, _) = EmbeddedLog::open(dir, settings.clone())?;
    log.create(AT.topic, 1).await?;
    let records = vec![Bytes::from(vec![7; RECORD_BYTES]); 1_000];
    for _ in 0..RECORDS / 1_000 {
        log.append(vec![Batch { topic_partition: AT, records: records.clone() }]).await?;
    }
    log.wait_beyond(AT, Offset(RECORDS - 1), Visibility::Durable).await?;
    let mut table = Table::new(["from", "64 KiB a read", "256 KiB", "1 MiB", "bare, 1 MiB"]);
    table.row(read_row(From::Cache, &log, dir, RECORDS).await?);
    log.close();
    drop(log);
    for from in [From::WarmFiles, From::ColdFiles] {
        // Opening the log again empties its cache of the tail. Its cache of reads is smaller than one pass.
        let (log, _) = EmbeddedLog::open(dir, settings.clone())?;
        table.row(read_row(from, &log, dir, RECORDS).await?);
        log.close();
    }
    Ok(table)
}

async fn read_row(from: From, log: &EmbeddedLog, dir: &Path, records: u64) -> Result<Vec<String>> {
    let sizes = [64 << 10, 256 << 10, MIB];
    let (mut rates, mut bare) = (sizes.map(|_| Vec::new()), Vec::new());
    for _ in 0..3 {
        for (rates, bytes_max) in rates.iter_mut().zip(sizes) {
            make_cold(from, dir)?;
            rates.push(read_through(log, records, bytes_max).await?);
        }
        make_cold(from, dir)?;
        bare.push(read_bare(dir)?);
    }
    eprintln!("reads {from:?}: {rates:.0?}, bare {bare:.0?}");
    let (name, bare) = match from {
        From::Cache => ("cache", None),
        From::WarmFiles => ("files in the page cache", Some(grouped(median(&bare)))),
        From::ColdFiles => ("files on the disk", Some(grouped(median(&bare)))),
    };
    let rates = rates.map(|rates| grouped(median(&rates)));
    Ok([name.to_owned()].into_iter().chain(rates).chain(bare).collect())
}

fn make_cold(from: From, dir: &Path) -> Result<()> {
    if matches!(from, From::ColdFiles) {
        for entry in read_dir(dir)? {
            let file = File::open(entry?.path())?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

async fn read_through(log: &EmbeddedLog, records: u64, bytes_max: usize) -> Result<f64> {
    let (started, mut next) = (Instant::now(), Offset(0));
    while next.0 < records {
        let chunk = log.read(AT, next, bytes_max, Visibility::Durable).await?;
        ensure!(chunk.next() > next, "a read of {bytes_max} bytes brought nothing");
        next = chunk.next();
    }
    Ok(records as f64 / started.elapsed().as_secs_f64())
}

/// Reads the segment files from end to end without decoding them. Returns records a second.
fn read_bare(dir: &Path) -> Result<f64> {
    let (mut bytes, mut buffer) = (0, vec![0; MIB]);
    let started = Instant::now();
    for entry in read_dir(dir)? {
        let file = File::open(entry?.path())?;
        let (mut position, length) = (0, file.metadata()?.len());
        while position < length {
            position += file.read_at(&mut buffer, position)? as u64;
        }
        bytes += length;
    }
    let records = bytes as f64 / (RECORD_BYTES + RECORD_OVERHEAD) as f64;
    Ok(records / started.elapsed().as_secs_f64())
}
