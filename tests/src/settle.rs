//! Waits until a server has nothing left to decide or show.

use serde_json::Value;

use crate::{Client, wait_until};

/// Waits until everything that was accepted is decided and shown. Decisions lead to further commands, so this repeats
/// until no new commands appear.
#[track_caller]
pub fn settle(admin: &Client) {
    let mut before = String::new();
    loop {
        let position = last_commands(&admin.get("/topics").is(200).json());
        if position == before {
            return;
        }
        let reader = admin.with("orderflow-min-position", &position);
        wait_until("the store has caught up", || (reader.get("/orders?limit=1").status == 200).then_some(()));
        before = position;
    }
}

/// The position of the last command in each partition: `orders.commands:0@7,1@3;stock.commands:0@9`.
fn last_commands(topics: &Value) -> String {
    let items = topics["items"].as_array().expect("topics are a list");
    let of_topic = |topic: &Value| {
        let name = topic["topic"].as_str().filter(|name| name.ends_with(".commands"))?;
        let last = |at: &Value| Some(format!("{}@{}", at["partition"], at["end"].as_u64()?.checked_sub(1)?));
        let partitions: Vec<_> = topic["partitions"].as_array()?.iter().filter_map(last).collect();
        (!partitions.is_empty()).then(|| format!("{name}:{}", partitions.join(",")))
    };
    items.iter().filter_map(of_topic).collect::<Vec<_>>().join(";")
}
