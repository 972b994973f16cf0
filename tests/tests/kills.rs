//! Killed a hundred times at random moments under load: every answer any client ever got is true at the end.
//!
//! Clients of all kinds keep asking, over all restarts, and write down what they are told; the checks in
//! `orderflow_tests::history` then look for anything that cannot be. `ORDERFLOW_KILL_ROUNDS` says how many kills,
//! `ORDERFLOW_TEST_SEED` takes a run's choices again (the moments are the machine's).

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use orderflow_tests::{
    Server, Shopper, Stage,
    history::{Ending, Entry, History, Operation, check_all, is_linearizable},
    plenty, settle, wait_until,
};
use serde_json::json;

const SHOPPERS: usize = 6;
/// After so many rounds another SKU is the scarce one, so that each has a history that is checked quickly.
const ROUNDS_A_SKU: usize = 5;

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text}?")))
}

fn scarce(round: usize) -> String {
    format!("scarce-{}", round / ROUNDS_A_SKU)
}

/// The catalogue, and plenty of some; nothing of what is to be scarce.
fn open_shop(stage: &Stage, rounds: usize, history: &History) {
    let server = stage.serve();
    let admin = server.admin();
    let skus = (0..4).map(plenty).chain((0..=rounds / ROUNDS_A_SKU).map(|n| scarce(n * ROUNDS_A_SKU)));
    for sku in skus {
        let product = json!({ "name": sku, "unit_price": 100, "currency": "EUR" });
        admin.put(&format!("/products/{sku}"), &product).is(200);
    }
    for sku in (0..4).map(plenty) {
        let operation = Operation::Receive { sku: sku.clone(), units: 100_000 };
        let body = json!({ "quantity": 100_000 });
        history.record(SHOPPERS, None, operation, || Ok(admin.post(&format!("/inventory/{sku}/receipts"), &body)));
    }
    server.stop();
}

/// Small segments and frequent snapshots in most rounds, so that kills meet switches of both.
fn vary(stage: &mut Stage, random: &mut fastrand::Rng) {
    stage.set("segment_bytes", if random.u8(..4) > 0 { 1 << 20 } else { 4 << 20 });
    stage.set("snapshot_every", if random.u8(..4) > 0 { random.u64(5..100) } else { 10_000 });
}

/// Loads a server and kills it after some answers, a little later or while it starts.
fn kill_under_load(
    stage: &Stage,
    round: usize,
    shoppers: &mut [Shopper],
    history: &History,
    random: &mut fastrand::Rng,
) {
    // The moment is what this is about, hence the sleeps: nothing is waited for by them.
    if random.u8(..10) == 0 {
        let mut starting = stage.start(&["--insecure-no-auth"]);
        std::thread::sleep(Duration::from_micros(random.u64(..60_000)));
        starting.kill();
        return;
    }
    let server = stage.serve();
    let answers = history.len() + random.usize(SHOPPERS..80);
    let (scarce, stop) = (scarce(round), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for shopper in shoppers {
            scope.spawn(|| shopper.shop(&server, &scarce, history, &stop));
        }
        wait_until("there are answers", || (history.len() >= answers).then_some(()));
        std::thread::sleep(Duration::from_micros(random.u64(..5_000)));
        server.kill_now();
    });
    server.kill();
}

#[test]
fn killed_a_hundred_times_at_random_moments_every_answer_was_true() {
    let rounds = from_environment("ORDERFLOW_KILL_ROUNDS").unwrap_or(100);
    let seed = from_environment("ORDERFLOW_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}; ORDERFLOW_TEST_SEED={seed} takes it again");
    let (mut random, history, mut stage) = (fastrand::Rng::with_seed(seed), History::default(), Stage::new());
    let mut shoppers: Vec<_> = (0..SHOPPERS).map(|number| Shopper::new(number, seed)).collect();
    open_shop(&stage, rounds, &history);
    let started = Instant::now();
    for round in 0..rounds {
        vary(&mut stage, &mut random);
        kill_under_load(&stage, round, &mut shoppers, &history, &mut random);
    }
    eprintln!("{rounds} kills in {:?}", started.elapsed());

    let server = stage.serve();
    shoppers.iter_mut().for_each(|shopper| shopper.finish(&server, &history));
    let (entries, ending) = end(&stage, server, history);
    stage.verify_clean();
    eprintln!("{} requests, {} orders", entries.len(), ending.orders.len());
    check_all(&entries, &ending).unwrap();
    for n in (0..rounds).step_by(ROUNDS_A_SKU) {
        is_linearizable(&entries, &ending, &scarce(n)).unwrap();
    }
    eprintln!("checked after {:?}", started.elapsed());
}

/// Lets the server come to rest, looks at everything, and stops it.
fn end(stage: &Stage, server: Server, history: History) -> (Vec<Entry>, Ending) {
    let admin = server.admin();
    settle(&admin);
    let (orders, stock) = (admin.list("/orders", 1000), admin.list("/inventory", 1000));
    server.stop();
    (history.into_entries(), Ending::of(stage, &orders, &stock))
}
