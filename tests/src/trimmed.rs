//! Logs that have lost their beginning to retention.

use crate::{Server, Stage, wait_until};

/// A stage whose log keeps no more than it must.
pub fn forgetful() -> Stage {
    Stage::new().with("segment_bytes", 1 << 20).with("retention_bytes", 1 << 20).with("snapshot_every", 100)
}

/// Orders, round by round, until retention has removed the beginning of these topics.
pub fn order_until_trimmed(server: &Server, stage: &Stage, topics: &[&str], mut order: impl FnMut(u32)) {
    let mut round = 0;
    wait_until("retention has removed the beginnings", || {
        order(round);
        round += 1;
        topics.iter().all(|topic| is_trimmed(server, stage, topic)).then_some(())
    });
}

/// Whether retention has removed the beginning of this topic, in every partition that has records.
fn is_trimmed(server: &Server, stage: &Stage, topic: &str) -> bool {
    let listed = stage.run(&["topics", "--url", &server.url()]).exits(0).stdout;
    let columns = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ours = columns.filter(|columns| columns.first() == Some(&topic));
    ours.all(|columns| match columns[..] {
        [_, _, start, end, ..] => start != "0" || end == "0",
        _ => panic!("no bounds in {columns:?}"),
    })
}
