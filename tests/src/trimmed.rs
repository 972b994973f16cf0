//! Logs whose beginning was removed by retention.

use crate::{Server, Stage, wait_until};

/// A stage whose log keeps no more than necessary.
pub fn forgetful() -> Stage {
    Stage::new().with("segment_bytes", 1 << 20).with("retention_bytes", 1 << 20).with("snapshot_every", 100)
}

/// The largest number of rounds of orders: enough to fill several segments.
const ROUNDS_MAX: u32 = 1_000;

/// Places orders in rounds until retention has removed the beginning of these topics. Returns the number of rounds.
pub fn order_until_trimmed(
    server: &Server,
    stage: &Stage,
    topics: &[&str],
    mut order: impl FnMut(u32),
) -> u32 {
    let mut rounds = 0;
    wait_until("retention has removed the beginnings", || {
        if rounds < ROUNDS_MAX {
            order(rounds);
            rounds += 1;
        }
        let is_trimmed =
            |topic: &&str| bounds(server, stage, topic).iter().all(|(start, end)| start > &0 || end == &0);
        topics.iter().all(is_trimmed).then_some(())
    });
    rounds
}

/// The first offset and the end of each partition of a topic, as `orderflow topics` shows them.
pub fn bounds(server: &Server, stage: &Stage, topic: &str) -> Vec<(u64, u64)> {
    let listed = stage.run(&["topics", "--url", &server.url()]).exits(0).stdout;
    let rows = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|columns| columns.first() == Some(&topic));
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no offset: {text}"));
    let bounds: Vec<_> = ours.map(|columns| (number(columns[2]), number(columns[3]))).collect();
    assert!(!bounds.is_empty(), "{topic} is not in {listed}");
    bounds
}
