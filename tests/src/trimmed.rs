//! Logs that have lost their beginning to retention.

use crate::{Server, Stage, wait_until};

/// A stage whose log keeps no more than it must.
pub fn forgetful() -> Stage {
    Stage::new().with("segment_bytes", 1 << 20).with("retention_bytes", 1 << 20).with("snapshot_every", 100)
}

/// Orders, round by round, until retention has removed the beginning of these topics.
pub fn order_until_trimmed(server: &Server, stage: &Stage, topics: &[&str], mut order: impl FnMut(u32)) {
    let mut rounds = 0..;
    wait_until("retention has removed the beginnings", || {
        order(rounds.next().unwrap());
        topics.iter().all(|topic| is_trimmed(server, stage, topic)).then_some(())
    });
}

/// Whether retention has removed the beginning of this topic, in every partition that has records.
fn is_trimmed(server: &Server, stage: &Stage, topic: &str) -> bool {
    let listed = stage.run(&["topics", "--url", &server.url()]).exits(0).stdout;
    let bounds = |line: &str| {
        let mut numbers = line.split_whitespace().skip(2).map(|number| number.parse::<u64>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    let lines = listed.lines().filter(|line| line.split_whitespace().next() == Some(topic));
    lines.map(bounds).all(|(start, end)| start > 0 || end == 0)
}
