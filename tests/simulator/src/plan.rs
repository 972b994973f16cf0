//! What a seed determines before the first step: sizes, rules, and which faults there are.
//!
//! Swarm testing (Groce et al., 2012): each run leaves out most faults, so that the remaining ones are not hidden by
//! others.

use std::sync::Arc;

use orderflow_processors::{OrderProcessor, StockProcessor};
use orderflow_runner::{processing, sink_driver::SinkDriverSettings};
use orderflow_schemas::{Lifecycle, Partition};
use orderflow_topics::embedded;

use crate::{disk::DiskFaults, wire::WireFaults};

/// The relative probability of each event in a step that is not the work of a task.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights {
    /// A client sends a request.
    pub ask: u32,
    /// Time advances although tasks are ready.
    pub time: u32,
    /// The writer or the allocator of the log makes a step.
    pub log: u32,
    /// A delayed append arrives.
    pub late: u32,
    /// The process is killed.
    pub kill: u32,
    /// The power fails, now or within the next changes of the disk.
    pub power: u32,
    /// The process stops in order.
    pub stop: u32,
    /// The disk begins or stops to fail.
    pub disk: u32,
    /// The wall clock jumps.
    pub jump: u32,
    /// One runner crashes, and another takes its place.
    pub runner: u32,
    /// A second runner of a partition starts.
    pub second_runner: u32,
    /// The sink crashes and starts again.
    pub sink: u32,
    /// The next start has new rules.
    pub upgrade: u32,
    /// A snapshot is damaged.
    pub snapshot: u32,
    /// A bit in a sealed segment or in the vouched part of the last one flips; later it flips back.
    pub flip: u32,
    /// Retention removes segments that no reader pins.
    pub retain: u32,
}

/// What the clients of a run deal in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trade {
    /// Orders of the default lifecycle, without couriers.
    #[default]
    Orders,
    /// Orders of the default lifecycle, and what couriers report about them.
    Shipments,
    /// Parcels that nobody sees before they are reserved, and that can come back.
    Parcels,
}

impl Trade {
    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Shipments => "shipments",
            Self::Parcels => "parcels",
        }
    }
}

/// The parameters of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Partitions of the order topics, 1 to 3.
    pub order_partitions: u16,
    /// Partitions of the stock topics, 1 to 3.
    pub stock_partitions: u16,
    /// The settings of the log.
    pub log: embedded::LogSettings,
    /// The settings of the runners.
    pub runner: processing::RunnerSettings,
    /// The settings of the sink driver.
    pub sink: SinkDriverSettings,
    /// The settings of the feed of events.
    pub feed: orderflow_feed::FeedSettings,
    /// What the clients deal in.
    pub trade: Trade,
    /// The index of the timer in the first version of the rules.
    pub timer: usize,
    /// The settings of the write API.
    pub ingest: orderflow_ingest::IngestSettings,
    /// The faults of the wire.
    pub wire: WireFaults,
    /// The faults of the disk while it fails.
    pub disk: DiskFaults,
    /// The probability that a power cut damages a sector with bytes that were not durable.
    pub unsynced_flips: f64,
    /// The probability that a batch of the sink is slow.
    pub slow_sink: f64,
    /// The relative probability of each event.
    pub weights: Weights,
    /// How many times as likely a step of a task is as any other event.
    pub pace: u32,
}

/// Small segments are switched often; a large one has space for the output of a tick.
const SEGMENT_BYTES: [u64; 3] = [16 << 10, 32 << 10, 512 << 10];

/// One of the sizes, at random.
fn one_of<T: Copy>(rng: &mut fastrand::Rng, sizes: &[T]) -> T {
    sizes[rng.usize(..sizes.len())]
}

/// One of the values, or the default: half of all runs have the default.
fn perhaps<T: Copy + Default>(rng: &mut fastrand::Rng, values: &[T]) -> T {
    if rng.bool() { one_of(rng, values) } else { T::default() }
}

/// The times of the timer of the rules, one for each version in turn.
const TIMERS: [&str; 4] = ["7days", "30s", "5m", "2s"];

impl Plan {
    /// Whether timers may run out in a run. With small segments none does, because one tick may lead to more output than
    /// such a segment has space for.
    pub fn has_short_timers(&self) -> bool {
        self.log.segment_bytes == SEGMENT_BYTES[2]
    }

    /// The plan of the run of a seed.
    pub fn of_seed(seed: u64) -> Self {
        Self::draw(&mut fastrand::Rng::with_seed(seed))
    }

    /// Draws the plan of a seed.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let weights = Self::weights(rng);
        let wire = Self::wire(rng);
        Self {
            order_partitions: rng.u16(1..=3),
            stock_partitions: rng.u16(1..=3),
            log: Self::log(rng),
            runner: processing::RunnerSettings {
                read_bytes: one_of(rng, &[600, 2_000, 20_000]),
                append_bytes: one_of(rng, &[1, 1_000, 3_000]),
                snapshot_every: one_of(rng, &[3, 20, 100]),
                snapshot_within_s: one_of(rng, &[2, 60]),
                retry_after_ms: 100,
                full_within_s: 1,
            },
            sink: SinkDriverSettings {
                records_max: one_of(rng, &[1, 7, 50]),
                bytes_max: one_of(rng, &[2_000, 100_000]),
                ..SinkDriverSettings::default()
            },
            feed: feed(one_of(rng, &[500, 10_000])),
            // Drawn from a fork of the generator, so that the rest of each seed's run stays as it was.
            ingest: ingest(&mut rng.clone().fork()),
            timer: rng.clone().fork().usize(..4),
            trade: trade(&mut rng.clone().fork()),
            wire,
            disk: DiskFaults {
                read_error: perhaps(rng, &[0.001, 0.02]),
                write_error: perhaps(rng, &[0.005, 0.05]),
                sync_error: perhaps(rng, &[0.01, 0.1]),
                name_error: perhaps(rng, &[0.01, 0.1]),
                full: rng.u8(..4) == 0,
                ..DiskFaults::default()
            },
            // Drawn from a fork of the generator, so that the rest of the runs of seeds that once found a bug stays
            // as it was.
            unsynced_flips: perhaps(&mut rng.clone().fork(), &[0.1, 0.7]),
            slow_sink: perhaps(rng, &[0.1, 0.7]),
            weights,
            pace: one_of(rng, &[1, 3, 10]),
        }
    }

    fn log(rng: &mut fastrand::Rng) -> embedded::LogSettings {
        let segment_bytes = one_of(rng, &SEGMENT_BYTES);
        embedded::LogSettings {
            segment_bytes,
            frame_bytes_max: one_of(rng, &[0, 2_000, 1 << 20]),
            pending_bytes_max: one_of(rng, &[4_000, 1 << 20]),
            cache_bytes_max: one_of(rng, &[0, 5_000, 1 << 20]),
            recent_bytes_max: one_of(rng, &[0, 1 << 20]),
            bytes_max: (rng.u8(..4) == 0).then_some(segment_bytes * 6),
            index_stride_bytes: one_of(rng, &[500, 5_000]),
            retention: embedded::Retention { age_s: None, bytes: rng.bool().then_some(segment_bytes * 3) },
            ..embedded::LogSettings::default()
        }
    }

    fn wire(rng: &mut fastrand::Rng) -> WireFaults {
        WireFaults {
            delay: perhaps(rng, &[0.05, 0.4]),
            lost_answer: perhaps(rng, &[0.02, 0.2]),
            lost_append: perhaps(rng, &[0.02, 0.2]),
            twice: perhaps(rng, &[0.02, 0.2]),
            again_later: perhaps(rng, &[0.02, 0.2]),
            full: perhaps(rng, &[0.02, 0.2]),
            short_read: perhaps(rng, &[0.3]),
            one_by_one: rng.u8(..4) == 0,
        }
    }

    fn weights(rng: &mut fastrand::Rng) -> Weights {
        let rare = |rng: &mut fastrand::Rng| perhaps(rng, &[1, 3]);
        Weights {
            ask: one_of(rng, &[60, 150]),
            time: one_of(rng, &[5, 30]),
            log: one_of(rng, &[30, 200]),
            late: 10,
            kill: rare(rng),
            power: rare(rng),
            stop: rare(rng),
            disk: rare(rng),
            jump: rare(rng),
            runner: rare(rng),
            second_runner: rare(rng),
            sink: rare(rng),
            upgrade: rare(rng),
            snapshot: rare(rng),
            flip: rare(rng),
            retain: rare(rng) * 3,
        }
    }
}

/// The rules that processors follow. An upgrade brings the next version.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The states of orders and the transitions between them.
    pub lifecycle: Arc<Lifecycle>,
}

impl Rules {
    /// The rules of version `n` of the program.
    pub fn version(plan: &Plan, n: usize) -> Self {
        let text = match plan.trade {
            Trade::Orders | Trade::Shipments => {
                include_str!("../../../pipelines/order-tracking.toml").replace("min = \"1m\"", "min = \"1s\"")
            }
            Trade::Parcels => include_str!("../../../pipelines/delivery.toml").replace("14days", "7days"),
        };
        let text = if plan.has_short_timers() {
            text.replace("7days", TIMERS[(plan.timer + n) % TIMERS.len()])
        } else {
            text
        };
        let text = if n % 2 == 1 { without_services(plan.trade, &text) } else { text };
        Self { lifecycle: Arc::new(Lifecycle::parse(&text).expect("a built-in pipeline is one")) }
    }

    /// The names of the states.
    pub fn statuses(&self) -> Vec<String> {
        self.lifecycle.states().map(|(_, state)| state.name.as_str().to_owned()).collect()
    }

    /// The order processor under these rules.
    pub fn orders(&self, plan: &Plan) -> OrderProcessor {
        let lifecycle = Arc::clone(&self.lifecycle);
        let stock_partitions = plan.stock_partitions;
        OrderProcessor { lifecycle, stock_partitions, keys_max: 100_000, change_keys_max: 100_000 }
    }

    /// The stock processor of a partition.
    pub fn stock(&self, plan: &Plan, partition: Partition) -> StockProcessor {
        let order_partitions = plan.order_partitions;
        StockProcessor { partition, order_partitions, change_keys_max: 100_000, resolved_max: 100_000 }
    }
}

/// The rules of every other version: what only services and admins do at first, or services, admins and couriers, no
/// service does.
fn without_services(trade: Trade, text: &str) -> String {
    match trade {
        Trade::Orders | Trade::Shipments => {
            text.replacen("by = [\"admin\", \"service\"]", "by = [\"admin\"]", 2)
        }
        Trade::Parcels => {
            text.replacen("by = [\"courier\", \"admin\", \"service\"]", "by = [\"courier\", \"admin\"]", 2)
        }
    }
}

/// What clients deal in, each in a third of all runs. The first value of the generator has another use.
fn trade(rng: &mut fastrand::Rng) -> Trade {
    rng.u64(..);
    one_of(rng, &[Trade::Orders, Trade::Shipments, Trade::Parcels])
}

/// Settings of a feed whose ring has space for a few reads.
fn feed(read_bytes: usize) -> orderflow_feed::FeedSettings {
    orderflow_feed::FeedSettings { read_bytes, ring_bytes_max: read_bytes * 3 }
}

/// Settings of a write API that collects few requests, and gives up immediately, soon or late.
fn ingest(rng: &mut fastrand::Rng) -> orderflow_ingest::IngestSettings {
    orderflow_ingest::IngestSettings {
        queue_requests_max: one_of(rng, &[2, 100]),
        append_records_max: one_of(rng, &[1, 4, 100]),
        append_retry_ms_max: one_of(rng, &[0, 500, 600_000]),
        append_pause_ms_max: one_of(rng, &[100, 5_000]),
        decision_within_s: one_of(rng, &[1, 10]),
        waiters_max: one_of(rng, &[2, 1_000]),
        ..orderflow_ingest::IngestSettings::default()
    }
}
