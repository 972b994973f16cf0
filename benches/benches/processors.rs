//! How many commands a second one core decides and folds: without log and encoding, with decoded input.
//!
//! The orders have one line, either over 10,000 SKUs or all for one hot SKU. Each measurement starts with no orders
//! and ends with 100,000 active orders, so the growth of the state is part of the cost. An idempotency key costs one
//! digest. The allocator is that of the binary. Time is this thread's processor time, so that other work on the
//! machine matters little.

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use orderflow_processors::{Decision, OrderProcessor, Processor, StockProcessor, stock::Stock};
use orderflow_schemas::{
    Actor, Amount, CustomerId, IdempotencyKey, Lifecycle, OrderCommand, OrderId, OrderLine, Partition, Role,
    Sku, StockCommand, Timestamp,
    commands::{Fingerprint, Idempotency, PlaceOrder, ReceiveStock, SetProduct},
};
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ORDERS: u32 = 100_000;
const CUSTOMERS: u32 = 10_000;
const TIME: u64 = 1_700_000_000;

/// One partition of each processor, and the orders that customers will place.
struct Shop {
    orders: OrderProcessor,
    stock: StockProcessor,
    shelves: Stock,
    places: Vec<OrderCommand>,
}

impl Shop {
    fn new(skus: u32, keyed: bool) -> Self {
        let lifecycle = Lifecycle::parse(include_str!("../../pipelines/order-tracking.toml"));
        let lifecycle = Arc::new(lifecycle.expect("the shipped lifecycle is sound"));
        let orders = OrderProcessor {
            lifecycle,
            stock_partitions: 1,
            keys_max: 1_000_000,
            change_keys_max: 1_000_000,
        };
        let partition = Partition(0);
        let stock = StockProcessor {
            partition,
            order_partitions: 1,
            change_keys_max: 1_000_000,
            resolved_max: 1_000_000,
        };
        let mut shelves = Stock::default();
        for number in 0..skus {
            for command in stocking(sku(number)) {
                take(&stock, &mut shelves, &command, time(0));
            }
        }
        let places = (0..ORDERS).map(|number| place(number, skus, keyed)).collect();
        Self { orders, stock, shelves, places }
    }

    /// The commands that the order processor sends to stock for these orders.
    fn reserves(&self) -> Vec<StockCommand> {
        let mut state = Default::default();
        let mut reserves = Vec::new();
        for (at, command) in (0..).zip(&self.places) {
            let decision = take(&self.orders, &mut state, command, time(at));
            reserves.extend(decision.messages.into_iter().map(|(_, message)| message));
        }
        reserves
    }

    fn time_places(&self) -> Duration {
        let mut state = Default::default();
        let start = cpu_time();
        for (at, command) in (0..).zip(&self.places) {
            black_box(take(&self.orders, &mut state, command, time(at)));
        }
        let taken = cpu_time() - start;
        assert_eq!(state.active_len(), self.places.len());
        taken
    }

    fn time_reserves(&self, reserves: &[StockCommand]) -> Duration {
        let mut state = self.shelves.clone();
        let start = cpu_time();
        for (at, command) in (0..).zip(reserves) {
            black_box(take(&self.stock, &mut state, command, time(at)));
        }
        let taken = cpu_time() - start;
        assert_eq!(state.reservations().count(), reserves.len());
        taken
    }

    fn time_cycles(&self) -> Duration {
        let (mut orders, mut shelves) = (Default::default(), self.shelves.clone());
        let start = cpu_time();
        for (at, command) in (0..).zip(&self.places) {
            let placed = take(&self.orders, &mut orders, command, time(at));
            for (_, reserve) in &placed.messages {
                let answered = take(&self.stock, &mut shelves, reserve, time(at));
                for (_, reply) in &answered.messages {
                    black_box(take(&self.orders, &mut orders, reply, time(at)));
                }
            }
        }
        let taken = cpu_time() - start;
        assert!(self.orders.next_due(&orders).is_some(), "orders are reserved and will expire");
        taken
    }
}

fn take<P: Processor>(
    processor: &P,
    state: &mut P::State,
    command: &P::Command,
    time: Timestamp,
) -> Decision<P::Event, P::Message> {
    let decision = processor.decide(state, command, time);
    for event in &decision.events {
        processor.evolve(state, event, time);
    }
    decision
}

/// The processor time that this thread has used.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a thread's time is not negative")
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_micros(0).plus(Duration::from_secs(TIME)).plus(Duration::from_micros(number))
}

fn sku(number: u32) -> Sku {
    Sku::new(format!("SKU-{number:08}")).expect("a short word is a SKU")
}

fn stocking(sku: Sku) -> [StockCommand; 2] {
    let by = Actor { role: Role::Admin, subject: "admin".into() };
    let currency = "EUR".parse().expect("the code is of ISO 4217");
    let product = SetProduct {
        sku: sku.clone(),
        name: "thing".into(),
        unit_price: Amount(999),
        currency,
        idempotency: None,
        by: by.clone(),
    };
    let receipt = ReceiveStock { sku, quantity: 1_000_000, idempotency: None, by };
    [StockCommand::SetProduct(product), StockCommand::Receive(receipt)]
}

fn place(number: u32, skus: u32, keyed: bool) -> OrderCommand {
    let customer = format!("customer-{:06}", number % CUSTOMERS);
    let customer_id = CustomerId::new(customer.as_str()).expect("a short word is a customer");
    let fresh = uuid::Uuid::from_u128(u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) << 32);
    let order_id = OrderId::new(fresh, &customer_id);
    let key = || IdempotencyKey::new(order_id.to_string()).expect("a UUID is a key");
    let idempotency = keyed.then(|| Idempotency { key: key(), fingerprint: Fingerprint(u128::from(number)) });
    // A step without a common factor with the number of SKUs visits all SKUs, in an order that does not favour a
    // cache.
    let sku = sku((number.wrapping_mul(7_919)) % skus);
    OrderCommand::Place(PlaceOrder {
        order_id,
        customer_id,
        currency: Some("EUR".parse().expect("the code is of ISO 4217")),
        lines: vec![OrderLine { sku, quantity: 1, unit_price: Some(Amount(999)) }].into(),
        channel: Some("web".into()),
        notes: None,
        placed_at: None,
        reserve_for: None,
        idempotency,
        by: Actor { role: Role::Customer, subject: customer.into() },
    })
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, commands: u32, run: impl Fn() -> Duration) {
    group.throughput(Throughput::Elements(commands.into()));
    group.bench_function(name, |bencher| bencher.iter_custom(|times| (0..times).map(|_| run()).sum()));
}

fn processors(criterion: &mut Criterion) {
    for (case, skus, keyed) in
        [("10000-skus", 10_000, false), ("10000-skus-keyed", 10_000, true), ("1-sku", 1, false)]
    {
        let shop = Shop::new(skus, keyed);
        let reserves = shop.reserves();
        let mut group = criterion.benchmark_group(format!("processors/{case}"));
        group.sample_size(20);
        measure(&mut group, "place", ORDERS, || shop.time_places());
        measure(&mut group, "reserve", ORDERS, || shop.time_reserves(&reserves));
        measure(&mut group, "place-reserve-reply", 3 * ORDERS, || shop.time_cycles());
        group.finish();
    }
}

criterion_group!(benches, processors);
criterion_main!(benches);
