//! Properties that hold for all commands in all orders, over one partition or several, under every lifecycle.
//!
//! Stock balances, an order holds all lines or none, versions count without gaps, and the events alone determine the
//! state.

mod wire;

use std::sync::Arc;

use orderflow_processors::{orders::Orders, stock::Stock};
use orderflow_schemas::Lifecycle;
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use wire::{
    Wire,
    actions::{Action, Story, actions},
};

/// The lifecycles that are shipped, and one that reserves late and can reserve again.
const LIFECYCLES: [&str; 5] = [
    include_str!("../../pipelines/order-tracking.toml"),
    include_str!("../../pipelines/reservation.toml"),
    include_str!("../../pipelines/approval.toml"),
    include_str!("../../pipelines/delivery.toml"),
    r#"
        name = "again"
        initial = { state = "NEW" }
        states = { NEW = {}, ASKED = {}, READY = {}, DONE = { final = "completed" }, GONE = { final = "canceled" } }
        transitions = [
            { from = ["NEW"], to = "ASKED", by = ["customer", "admin", "service"], stock = "reserve" },
            { from = ["NEW"], to = "GONE", after = "30days" },
            { from = ["ASKED"], to = "READY", on = "reserved" },
            { from = ["ASKED"], to = "NEW", on = "refused" },
            { from = ["READY"], to = "NEW", by = ["customer", "admin"], stock = "release" },
            { from = ["READY"], to = "DONE", by = ["courier", "service"], stock = "ship" },
            { from = ["READY"], to = "GONE", after = "1day", stock = "release" },
        ]
    "#,
];

fn run(lifecycle: &str, partitions: (u16, u16), actions: &[Action]) -> Wire {
    let lifecycle = Arc::new(Lifecycle::parse(lifecycle).expect("the lifecycle is sound"));
    let mut wire = Wire::new(&lifecycle, partitions.0, partitions.1);
    let mut story = Story::new(lifecycle);
    for action in actions {
        story.act(&mut wire, action);
    }
    wire.quiesce();
    wire
}

fn config() -> ProptestConfig {
    let seeds = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases: 400, failure_persistence: Some(Box::new(seeds)), ..ProptestConfig::default() }
}

fn partitions() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![Just((1, 1)), Just((2, 3))]
}

proptest! {
    #![proptest_config(config())]

    /// The model checks every step, and that nothing is left over at the end.
    #[test]
    fn stock_balances_and_orders_hold_all_or_nothing(
        lifecycle in 0..LIFECYCLES.len(), partitions in partitions(), actions in actions()
    ) {
        run(LIFECYCLES[lifecycle], partitions, &actions);
    }

    #[test]
    fn the_fold_of_the_written_events_is_the_state(
        lifecycle in 0..LIFECYCLES.len(), partitions in partitions(), actions in actions()
    ) {
        let wire = run(LIFECYCLES[lifecycle], partitions, &actions);
        for node in &wire.orders {
            prop_assert_eq!(&node.rebuilt(), &node.state);
        }
        for node in &wire.stock {
            prop_assert_eq!(&node.rebuilt(), &node.state);
        }
    }

    #[test]
    fn the_same_commands_give_the_same_bytes(
        lifecycle in 0..LIFECYCLES.len(), partitions in partitions(), actions in actions()
    ) {
        let [one, other] = [(); 2].map(|()| run(LIFECYCLES[lifecycle], partitions, &actions));
        for (one, other) in one.orders.iter().zip(&other.orders) {
            prop_assert_eq!((&one.events, &one.sent), (&other.events, &other.sent));
        }
        for (one, other) in one.stock.iter().zip(&other.stock) {
            prop_assert_eq!((&one.events, &one.sent), (&other.events, &other.sent));
        }
    }

    #[test]
    fn a_snapshot_is_read_back_as_it_was_taken(
        lifecycle in 0..LIFECYCLES.len(), partitions in partitions(), actions in actions()
    ) {
        let wire = run(LIFECYCLES[lifecycle], partitions, &actions);
        for node in &wire.orders {
            let bytes = postcard::to_stdvec(&node.state).expect("a state can be written");
            prop_assert_eq!(&postcard::from_bytes::<Orders>(&bytes).expect("and read"), &node.state);
        }
        for node in &wire.stock {
            let bytes = postcard::to_stdvec(&node.state).expect("a state can be written");
            prop_assert_eq!(&postcard::from_bytes::<Stock>(&bytes).expect("and read"), &node.state);
        }
    }
}
