//! Random actions of clients, sellers, couriers and clocks.

use orderflow_schemas::{
    Role, ShipmentStatus,
    returns::{ReturnTo, ReturnedUnits},
};
use proptest::{collection::vec, option, prelude::*, sample::Index};

const SKUS: u8 = 5;
const CUSTOMERS: u8 = 3;
const COURIERS: u8 = 2;

/// The number of an idempotency key, and the number of the request content that it comes with.
pub type Key = Option<(u8, u8)>;

#[derive(Clone, Debug)]
pub enum Action {
    Place {
        customer: u8,
        role: Role,
        lines: Vec<(u8, u32, Option<u64>)>,
        currency: &'static str,
        reserve_for: Option<u32>,
        key: Key,
    },
    /// A status change. A sensible one is about an active order and asks for a transition that its role may make, if
    /// there is one.
    Change {
        order: Index,
        word: Index,
        sensible: bool,
        role: Role,
        own: bool,
        version: Option<u64>,
        key: Key,
    },
    /// A report about a shipment. Most are about an active order.
    Report {
        order: Index,
        status: ShipmentStatus,
        sensible: bool,
        is_over: bool,
        role: Role,
        own: bool,
        key: Key,
    },
    /// Names a courier by number, or none.
    Assign {
        order: Index,
        courier: Option<u8>,
        role: Role,
        version: Option<u64>,
        key: Key,
    },
    /// Returns of lines by number. A sensible one is about an order in a state that takes returns, if there is one.
    Return {
        order: Index,
        lines: Vec<ReturnedUnits>,
        sensible: bool,
        role: Role,
        version: Option<u64>,
        key: Key,
    },
    Receive {
        sku: u8,
        quantity: u32,
        key: Key,
    },
    Adjust {
        sku: u8,
        delta: i64,
        key: Key,
    },
    SetProduct {
        sku: u8,
        price: u64,
        currency: &'static str,
        key: Key,
    },
    Wait {
        seconds: u64,
    },
    Tick,
    /// All processors stop, and start again from their snapshots.
    Restart,
    Deliver {
        choices: Vec<u8>,
    },
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        4 => Just(Role::Customer),
        2 => Just(Role::Admin),
        1 => Just(Role::Service),
        2 => Just(Role::Courier),
    ]
}

fn currency() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just("EUR"), 1 => Just("USD")]
}

fn key() -> impl Strategy<Value = Key> {
    option::weighted(0.3, (0..3u8, 0..2u8))
}

fn place() -> impl Strategy<Value = Action> {
    // Two prices close to each other, so that an expected price is often right, and one that makes any total too large.
    let price = option::weighted(0.6, prop_oneof![20 => Just(10), 4 => Just(11), 1 => Just(u64::MAX / 2)]);
    let lines = vec((0..SKUS, 1..4u32, price), 1..6);
    let reserve_for = option::weighted(0.3, prop_oneof![Just(60), Just(7_200), Just(u32::MAX)]);
    (0..CUSTOMERS, role(), lines, currency(), reserve_for, key()).prop_map(
        |(customer, role, lines, currency, reserve_for, key)| Action::Place {
            customer,
            role,
            lines,
            currency,
            reserve_for,
            key,
        },
    )
}

fn version() -> impl Strategy<Value = Option<u64>> {
    option::weighted(0.1, 1..4u64)
}

fn carrier() -> impl Strategy<Value = Role> {
    prop_oneof![6 => Just(Role::Courier), 1 => Just(Role::Admin), 1 => Just(Role::Service), 1 => Just(Role::Customer)]
}

fn seller() -> impl Strategy<Value = Role> {
    prop_oneof![6 => Just(Role::Admin), 2 => Just(Role::Service), 1 => Just(Role::Customer), 1 => Just(Role::Courier)]
}

fn report() -> impl Strategy<Value = Action> {
    let status = prop::sample::select(ShipmentStatus::ALL.as_slice());
    let (sensible, own) = (prop::bool::weighted(0.8), prop::bool::weighted(0.8));
    (any::<Index>(), status, sensible, any::<bool>(), carrier(), own, key()).prop_map(
        |(order, status, sensible, is_over, role, own, key)| Action::Report {
            order,
            status,
            sensible,
            is_over,
            role,
            own,
            key,
        },
    )
}

fn assign() -> impl Strategy<Value = Action> {
    let courier = option::weighted(0.8, 0..COURIERS);
    (any::<Index>(), courier, seller(), version(), key()).prop_map(|(order, courier, role, version, key)| {
        Action::Assign { order, courier, role, version, key }
    })
}

fn take_back() -> impl Strategy<Value = Action> {
    let to = prop_oneof![Just(ReturnTo::Stock), Just(ReturnTo::WrittenOff)];
    // Often too many, or of a line that is not there.
    let units = prop_oneof![20 => 1..3u32, 2 => 3..9u32, 1 => Just(0), 1 => Just(u32::MAX)];
    let line = prop_oneof![20 => 1..5u32, 1 => Just(0), 1 => Just(u32::MAX)];
    let units = (line, units, to).prop_map(|(line, quantity, to)| ReturnedUnits { line, quantity, to });
    (any::<Index>(), vec(units, 1..4), prop::bool::weighted(0.9), seller(), version(), key()).prop_map(
        |(order, lines, sensible, role, version, key)| Action::Return {
            order,
            lines,
            sensible,
            role,
            version,
            key,
        },
    )
}

fn change() -> impl Strategy<Value = Action> {
    let (sensible, own) = (prop::bool::weighted(0.8), prop::bool::weighted(0.9));
    (any::<Index>(), any::<Index>(), sensible, role(), own, version(), key()).prop_map(
        |(order, word, sensible, role, own, version, key)| Action::Change {
            order,
            word,
            sensible,
            role,
            own,
            version,
            key,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let wait = prop_oneof![Just(1), Just(3_600), Just(86_400), Just(8 * 86_400), Just(15 * 86_400)];
    prop_oneof![
        6 => place(),
        10 => change(),
        6 => report(),
        2 => assign(),
        5 => take_back(),
        5 => (0..SKUS, 0..12u32, key()).prop_map(|(sku, quantity, key)| Action::Receive { sku, quantity, key }),
        2 => (0..SKUS, -5..5i64, key()).prop_map(|(sku, delta, key)| Action::Adjust { sku, delta, key }),
        4 => (0..SKUS, prop_oneof![3 => Just(10), 1 => Just(11u64)], currency(), key())
            .prop_map(|(sku, price, currency, key)| Action::SetProduct { sku, price, currency, key }),
        1 => wait.prop_map(|seconds| Action::Wait { seconds }),
        1 => Just(Action::Tick),
        1 => Just(Action::Restart),
        8 => vec(any::<u8>(), 1..20).prop_map(|choices| Action::Deliver { choices }),
    ]
}

/// The actions of one day in the shop. Usually it opens with stock on the shelves, since otherwise little would be
/// sold.
pub fn actions() -> impl Strategy<Value = Vec<Action>> {
    let shelves = (0..SKUS).flat_map(|sku| {
        [
            Action::Receive { sku, quantity: 20, key: None },
            Action::SetProduct { sku, price: 10, currency: "EUR", key: None },
        ]
    });
    let shelves: Vec<Action> = shelves.collect();
    let opened =
        prop::bool::weighted(0.8).prop_map(move |open| if open { shelves.clone() } else { Vec::new() });
    (opened, vec(action(), 1..100)).prop_map(|(mut opened, actions)| {
        opened.extend(actions);
        opened
    })
}
