//! Properties that hold for all commands in all orders, over one partition or several, under every lifecycle.
//!
//! Stock balances, an order holds all lines or none, versions count without gaps, and the events alone determine the
//! state.

mod wire;

use std::sync::Arc;

use orderflow_processors::{orders::Orders, stock::Stock};
use orderflow_schemas::{Lifecycle, Role};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use wire::{
    Wire,
    actions::{Action, actions},
    story::Story,
};

/// The lifecycles that are shipped; one that reserves late, at the word of a courier too, and can reserve again; and one
/// that takes returns in two states, the rest of them by itself.
const LIFECYCLES: [&str; 6] = [
    include_str!("../../pipelines/order-tracking.toml"),
    include_str!("../../pipelines/reservation.toml"),
    include_str!("../../pipelines/approval.toml"),
    include_str!("../../pipelines/delivery.toml"),
    r#"
        name = "again"
        initial = { state = "NEW" }
        states = { NEW = {}, ASKED = {}, READY = {}, DONE = { final = "completed" }, GONE = { final = "canceled" } }
        shipments = { picked_up = "ASKED", delivered = "DONE" }
        transitions = [
            { from = ["NEW"], to = "ASKED", by = ["customer", "admin", "service", "courier"], stock = "reserve" },
            { from = ["ASKED"], to = "DONE", by = ["courier"] },
            { from = ["NEW"], to = "GONE", after = "30days" },
            { from = ["ASKED"], to = "READY", on = "reserved" },
            { from = ["ASKED"], to = "NEW", on = "refused" },
            { from = ["READY"], to = "NEW", by = ["customer", "admin"], stock = "release" },
            { from = ["READY"], to = "DONE", by = ["courier", "service"], stock = "ship" },
            { from = ["READY"], to = "GONE", after = "1day", stock = "release" },
        ]
    "#,
    r#"
        name = "trial"
        actions = { approve = "SENT" }
        shipments = { picked_up = "SENT", delivered = "HOME", returned = "GONE" }
        [initial]
        state = "HELD"
        stock = "reserve"
        visible = "reserved"
        reserve_for = { default = "30m", min = "1m", max = "30days" }
        [states]
        HELD = {}
        SENT = {}
        HOME = { returns = true }
        UNWANTED = { returns = true }
        KEPT = { final = "completed" }
        GONE = { final = "canceled" }
        [[transitions]]
        from = ["HELD"]
        to = "SENT"
        by = ["courier", "admin"]
        stock = "ship"
        [[transitions]]
        from = ["SENT"]
        to = "HOME"
        by = ["courier"]
        [[transitions]]
        from = ["HOME"]
        to = "UNWANTED"
        by = ["customer", "courier"]
        [[transitions]]
        from = ["HOME", "UNWANTED"]
        to = "GONE"
        by = ["courier"]
        stock = "return"
        [[transitions]]
        from = ["UNWANTED"]
        to = "GONE"
        after = "1day"
        stock = "return"
        [[transitions]]
        from = ["HOME"]
        to = "KEPT"
        after = "10days"
        [[transitions]]
        from = ["HELD"]
        to = "GONE"
        after = "reserve_for"
        stock = "release"
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

/// A request of customer 0 for one unit, of which there is none, under key 0.
fn in_vain() -> Action {
    let (role, lines, key) = (Role::Customer, vec![(0, 1, None)], Some((0, 0)));
    Action::Place { customer: 0, role, lines, currency: "EUR", reserve_for: None, key }
}

/// The first request is declined after its key was forgotten and used again. The model checks what a third one is told.
#[test]
fn an_order_that_is_declined_late_leaves_a_key_of_another_order_alone() {
    let [first, second, third] = [(); 3].map(|()| in_vain());
    let decide = |commands: usize| Action::Deliver { choices: vec![0; commands] };
    let two_days = Action::Wait { seconds: 2 * 86_400 };
    // Both orders are requested; stock refuses the first, which is declined; then the third request comes.
    let actions = [first, two_days, second, decide(2), decide(1), decide(1), third, decide(1)];
    run(LIFECYCLES[3], (1, 1), &actions);
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
