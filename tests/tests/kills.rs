//! The server is killed a hundred times at random moments under load: every answer that any client got is true at the
//! end.
//!
//! Clients of all kinds send requests over all restarts and record the answers. The checks in
//! `orderflow_tests::history` then search for contradictions. `ORDERFLOW_KILL_ROUNDS` is the number of kills.
//! `ORDERFLOW_TEST_SEED` repeats the choices of a run, except for the moments, which depend on the machine.

use std::{
    collections::HashSet,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use orderflow_tests::{
    Server, Shopper, Stage,
    history::{Ending, Entry, History, Operation, Outcome, check_all, is_linearizable},
    open_shop, settle, wait_until,
};
const SHOPPERS: usize = 6;
/// The number of rounds after which another SKU is the scarce one, so that the history of each SKU can be checked
/// quickly.
const ROUNDS_A_SKU: usize = 5;

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text}?")))
}

fn scarce(round: usize) -> String {
    format!("scarce-{}", round / ROUNDS_A_SKU)
}

/// Sets small segments and frequent snapshots in most rounds, so that some kills happen while these are written.
fn vary(stage: &mut Stage, random: &mut fastrand::Rng) {
    stage.set("segment_bytes", if random.u8(..4) > 0 { 1 << 20 } else { 4 << 20 });
    stage.set("snapshot_every", if random.u8(..4) > 0 { random.u64(5..100) } else { 10_000 });
}

/// Loads a server and kills it after some answers, a little later, or during its start.
fn kill_under_load(
    stage: &Stage,
    round: usize,
    shoppers: &mut [Shopper],
    history: &History,
    random: &mut fastrand::Rng,
) {
    // The test is about random moments, hence the sleeps: they do not wait for a condition.
    if random.u8(..10) == 0 {
        let mut starting = stage.start(&["--insecure-no-auth"]);
        std::thread::sleep(Duration::from_micros(random.u64(..60_000)));
        starting.kill();
        return;
    }
    let server = stage.serve();
    let answers = history.len() + random.usize(SHOPPERS..200);
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
    let server = stage.serve();
    let skus: Vec<_> = (0..rounds).step_by(ROUNDS_A_SKU).map(scarce).collect();
    open_shop(&server, &skus, &history);
    server.stop();
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
    there_was_something_to_check(&entries, &ending);
    lies_are_found(entries, ending);
}

/// The history has lost answers, successful repeats after them, and orders that failed for lack of stock.
fn there_was_something_to_check(entries: &[Entry], ending: &Ending) {
    let lost = |entry: &&Entry| entry.outcome == Outcome::Unknown && entry.key.is_some();
    let lost: HashSet<_> = entries.iter().filter(lost).filter_map(|entry| entry.key.as_ref()).collect();
    let answered = entries.iter().filter(|entry| entry.outcome.is_yes());
    let repeated = answered.filter_map(|entry| entry.key.as_ref()).filter(|key| lost.contains(key)).count();
    let failed = ending.orders.iter().filter(|order| order.status == "FAILED").count();
    eprintln!("{} answers lost, {repeated} of them had by asking again; {failed} orders failed", lost.len());
    assert!(repeated > 0 && failed > 0, "the load is not what it is meant to be");
}

/// The checks reject the same history with one wrong answer in it.
fn lies_are_found(mut entries: Vec<Entry>, ending: Ending) {
    let told = |entry: &Entry| match &entry.outcome {
        Outcome::Order(order) => Some(order.id.clone()),
        _ => None,
    };
    let told: HashSet<_> = entries.iter().filter_map(told).collect();
    let mut lossy = ending.clone();
    lossy.orders.retain(|order| Some(&order.id) != told.iter().next());
    check_all(&entries, &lossy).unwrap_err();

    let is_receipt = |entry: &&mut Entry| match &entry.operation {
        Operation::Receive { sku, .. } => *sku == scarce(0),
        _ => false,
    };
    let receipt = entries.iter_mut().filter(is_receipt).find_map(|entry| match &mut entry.outcome {
        Outcome::Levels(levels) => Some(levels),
        _ => None,
    });
    receipt.expect("something was received").available += 1;
    is_linearizable(&entries, &ending, &scarce(0)).unwrap_err();
}

/// Waits until the server is at rest, reads everything, and stops the server.
fn end(stage: &Stage, server: Server, history: History) -> (Vec<Entry>, Ending) {
    let admin = server.admin();
    settle(&admin);
    let (orders, stock) = (admin.list("/orders", 1000), admin.list("/inventory", 1000));
    server.stop();
    (history.into_entries(), Ending::of(stage, &orders, &stock))
}
