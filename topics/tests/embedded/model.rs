//! Random appends, steps, power cuts and openings, compared with a model that is a list of records.

use std::sync::Arc;

use bytes::Bytes;
use orderflow_schemas::{Offset, TopicPartition};
use orderflow_topics::{
    Batch, EmbeddedLog, Topics, Visibility,
    embedded::{LogSettings, Steps},
};
use proptest::prelude::*;

use crate::support::*;

#[derive(Clone, Debug)]
enum Action {
    /// One append with this many records to the first and to the second partition.
    Append(usize, usize),
    Write,
    Allocate,
    Settle,
    Reopen,
    LosePower(u64),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        8 => (0..4usize, 0..4usize).prop_map(|(first, second)| Action::Append(first, second)),
        4 => Just(Action::Write),
        4 => Just(Action::Allocate),
        1 => Just(Action::Settle),
        1 => Just(Action::Reopen),
        2 => any::<u64>().prop_map(Action::LosePower),
    ];
    prop::collection::vec(action, 1..80)
}

/// The log under test, and what it should contain.
struct Run {
    disk: VolatileDisk,
    settings: LogSettings,
    log: EmbeddedLog,
    steps: Steps,
    accepted: [Vec<Bytes>; 2],
    /// The number of records of each partition after each append.
    appends: Vec<[usize; 2]>,
    count: usize,
}

const PARTITIONS: [TopicPartition; 2] = [FIRST, SECOND];

impl Run {
    async fn new(settings: LogSettings) -> Self {
        let disk = VolatileDisk::default();
        let (log, steps, _) =
            EmbeddedLog::open_stepped(Arc::new(disk.clone()), "log", settings.clone()).unwrap();
        log.create(TOPIC, 2).await.unwrap();
        Self { disk, settings, log, steps, accepted: Default::default(), appends: vec![[0, 0]], count: 0 }
    }

    async fn act(&mut self, action: &Action) {
        match action {
            Action::Append(first, second) => self.append([*first, *second]),
            Action::Write => drop(self.steps.writer.step(1)),
            Action::Allocate => drop(self.steps.allocator.step()),
            Action::Settle => run_steps(&mut self.steps),
            Action::Reopen => {
                run_steps(&mut self.steps);
                self.reopen(|_| {}).await;
            }
            Action::LosePower(seed) => {
                let mut state = *seed | 1;
                let keep = move || {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state >> 63 == 0
                };
                self.reopen(|disk| disk.lose_power(keep)).await;
            }
        }
        self.check().await;
    }

    fn append(&mut self, counts: [usize; 2]) {
        let mut batches = Vec::new();
        for (topic_partition, count) in PARTITIONS.into_iter().zip(counts) {
            let records =
                (0..count).map(|n| Bytes::from(vec![b'a' + (self.count % 26) as u8; 20 + 90 * n])).collect();
            self.count += 1;
            batches.push(Batch { topic_partition, records });
        }
        batches.retain(|batch| !batch.records.is_empty());
        // Pending or full: the append was not accepted.
        if let Some(Ok(_)) = poll_once(self.log.append(batches.clone())) {
            for batch in batches {
                self.accepted[usize::from(batch.topic_partition.partition.0)].extend(batch.records);
            }
            self.appends.push(self.accepted.each_ref().map(Vec::len));
        }
    }

    /// Reopens the log after `between` has changed the disk, and checks that it contains a prefix of the appends.
    async fn reopen(&mut self, between: impl FnOnce(&VolatileDisk)) {
        let durable = self.ends(Visibility::Durable).await;
        between(&self.disk);
        let disk = Arc::new(self.disk.clone());
        (self.log, self.steps, _) = EmbeddedLog::open_stepped(disk, "log", self.settings.clone()).unwrap();
        let kept = self.ends(Visibility::Durable).await;
        assert!(
            kept[0] >= durable[0] && kept[1] >= durable[1],
            "{durable:?} were durable, {kept:?} are left"
        );
        assert!(self.appends.contains(&kept), "{kept:?} are no prefix of the appends {:?}", self.appends);
        for (records, kept) in self.accepted.iter_mut().zip(kept) {
            records.truncate(kept);
        }
        self.appends.retain(|ends| ends[0] <= kept[0] && ends[1] <= kept[1]);
    }

    async fn ends(&self, visibility: Visibility) -> [usize; 2] {
        let mut ends = [0; 2];
        for (topic_partition, end) in PARTITIONS.into_iter().zip(&mut ends) {
            *end =
                usize::try_from(self.log.bounds(topic_partition, visibility).await.unwrap().end.0).unwrap();
        }
        ends
    }

    async fn check(&self) {
        let durable = self.ends(Visibility::Durable).await;
        for visibility in [Visibility::Accepted, Visibility::Durable] {
            for (n, topic_partition) in PARTITIONS.into_iter().enumerate() {
                let records =
                    orderflow_topics::conformance::read_all(&self.log, topic_partition, visibility).await;
                let expected = match visibility {
                    Visibility::Accepted => &self.accepted[n][..],
                    Visibility::Durable => &self.accepted[n][..durable[n]],
                };
                assert_eq!(records, expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_power_cut_at_any_time_leaves_a_prefix_with_all_that_was_durable(
        actions in actions(),
        cache_bytes_max in prop_oneof![Just(0usize), Just(1000), Just(1 << 20)],
        frame_bytes_max in prop_oneof![Just(0usize), Just(600), Just(1 << 20)],
    ) {
        let settings = LogSettings { cache_bytes_max, frame_bytes_max, pending_bytes_max: 3000, ..small() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new(settings).await;
            for action in &actions {
                run.act(action).await;
            }
        });
    }

    #[test]
    fn reads_from_any_offset_and_of_any_size_agree(
        sizes in prop::collection::vec((0..2usize, 1..300usize, 1..6usize), 1..60),
        bytes_max in 0..3000usize,
        cache_bytes_max in 0..6000usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new(LogSettings { cache_bytes_max, ..small() }).await;
            for (partition, size, count) in &sizes {
                let batch: Vec<_> = records(std::iter::repeat_n(*size, *count));
                run_steps(&mut run.steps);
                run.log.append(vec![Batch { topic_partition: PARTITIONS[*partition], records: batch.clone() }]).await.unwrap();
                run.accepted[*partition].extend(batch);
            }
            run_steps(&mut run.steps);
            for (topic_partition, expected) in PARTITIONS.into_iter().zip(&run.accepted) {
                for from in 0..=expected.len() {
                    let chunk = run.log.read(topic_partition, Offset(from as u64), bytes_max, Visibility::Durable).await.unwrap();
                    assert_eq!(chunk.records[..], expected[from..from + chunk.records.len()]);
                    assert!(from == expected.len() || !chunk.records.is_empty());
                    let bytes: usize = chunk.records.iter().map(Bytes::len).sum();
                    assert!(bytes <= bytes_max || chunk.records.len() == 1);
                }
            }
        });
    }
}
