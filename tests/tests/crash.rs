//! The server is killed repeatedly in the middle of a replay: nothing acknowledged is lost, and nothing exists twice.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use orderflow_tests::{
    Baskets, Client, Event, Running, Server, Stage, batch_line, order, records, supply, wait_until,
};
use serde_json::Value;

const KILLS: usize = 10;
/// How many copies of the sample are in the file that is replayed, so that the replay outlives the server.
const COPIES: usize = 8;

/// The acknowledged orders, by customer and key, with the order's id if the answer had it.
#[derive(Default)]
pub(crate) struct Acknowledged {
    orders: Mutex<BTreeMap<(String, String), Option<String>>>,
    count: AtomicUsize,
}

impl Acknowledged {
    fn add(&self, customer: &str, key: String, id: Option<&str>) {
        self.orders.lock().unwrap().insert((customer.to_owned(), key), id.map(str::to_owned));
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Panics unless each acknowledged order exists once, is reserved, and has the id that its client was told.
    /// Returns all orders by customer and key.
    pub(crate) fn are_there_once<'a>(&self, all: &'a [Value]) -> HashMap<(&'a str, &'a str), &'a Value> {
        let mut by_key: HashMap<(&str, &str), &Value> = HashMap::new();
        for order in all {
            assert_eq!((&order["status"], &order["version"]), (&"RESERVED".into(), &2.into()), "{order}");
            let name = (order["customer_id"].as_str().unwrap(), order["idempotency_key"].as_str().unwrap());
            assert!(by_key.insert(name, order).is_none(), "{name:?} is there twice");
        }
        for ((customer, key), id) in self.orders.lock().unwrap().iter() {
            let order = by_key.get(&(customer.as_str(), key.as_str()));
            let order =
                order.unwrap_or_else(|| panic!("the order {key} of {customer} was acknowledged and is lost"));
            assert!(
                id.as_ref().is_none_or(|id| order["id"] == id.as_str()),
                "{key} has become another order: {order}"
            );
        }
        by_key
    }
}

/// How many orders one customer places in a round at most.
const SINGLES_MAX: usize = 5_000;
/// How many batches are posted in a round at most.
const BATCHES_MAX: usize = 500;

/// Places orders one by one until the server is gone.
pub(crate) fn place(client: &Client, round: usize, acknowledged: &Acknowledged) {
    let wanted = order(&[("tea", 1)]).to_string();
    let client = client.with("content-type", "application/json");
    for n in 0..SINGLES_MAX {
        let key = format!("single-{round}-{n}");
        let client = client.with("idempotency-key", &key);
        let Ok(answer) = client.try_send("POST", "/orders", wanted.as_bytes()) else { return };
        let order = answer.is(201).json();
        acknowledged.add("ann", key, order["id"].as_str());
    }
}

/// Places batches until the server is gone.
fn place_batches(client: &Client, round: usize, acknowledged: &Acknowledged) {
    let client = client.with("content-type", "application/x-ndjson");
    for n in 0..BATCHES_MAX {
        let key = |line| format!("batch-{round}-{n}-{line}");
        let lines: String = (0..20).map(|line| batch_line(&key(line), "bob", "tea")).collect();
        let Ok(answer) = client.try_send("POST", "/orders/batch", lines.as_bytes()) else { return };
        assert_eq!(answer.is(202).json()["accepted"], 20);
        (0..20).for_each(|line| acknowledged.add("bob", key(line), None));
    }
}

/// The sample several times, each copy under its own keys and customers.
fn large_file(stage: &Stage) -> Baskets {
    let sample = Baskets::sample();
    let path = stage.folder.path().join("large.ndjson.zst");
    let copy = |n: usize| {
        let rename = move |line: &str| {
            line.replace("\"basket-", &format!("\"copy-{n}-"))
                .replace("household-", &format!("household-{n}-"))
        };
        sample.all.iter().map(move |basket| rename(&basket.line) + "\n")
    };
    let text: String = (0..COPIES).flat_map(copy).collect();
    std::fs::write(&path, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    Baskets::read(path)
}

fn start_replay(server: &Server, file: &str) -> Running {
    Running::start(&["replay", file, "--stock", "100", "--url", &server.url()], &[])
}

/// Loads the server, and kills it once `more` further orders have been acknowledged.
fn kill_under_load(stage: &Stage, file: &str, round: usize, more: usize, acknowledged: &Acknowledged) {
    let server = stage.serve();
    let (ann, admin) = (server.customer("ann"), server.admin());
    if round == 0 {
        supply(&admin, "tea", 100, 1_000_000);
    }
    let wanted = acknowledged.count() + more;
    let replay = start_replay(&server, file);
    std::thread::scope(|scope| {
        scope.spawn(|| place(&ann, round, acknowledged));
        scope.spawn(|| place_batches(&admin, round, acknowledged));
        wait_until("orders are acknowledged", || (acknowledged.count() >= wanted).then_some(()));
        server.kill();
    });
    drop(replay);
}

#[test]
fn killed_ten_times_during_a_replay_it_loses_nothing_that_was_acknowledged() {
    let seed =
        std::env::var("ORDERFLOW_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("seed {seed}; ORDERFLOW_TEST_SEED={seed} takes it again");
    let mut random = fastrand::Rng::with_seed(seed);
    let stage = Stage::new().with("snapshot_every", 1_000);
    let baskets = large_file(&stage);
    let (file, acknowledged) = (baskets.path.to_str().unwrap(), Acknowledged::default());
    for round in 0..KILLS {
        let more = random.usize(1..=400);
        eprintln!("round {round}: killed after {more} more");
        kill_under_load(&stage, file, round, more, &acknowledged);
    }

    let server = stage.serve();
    let ran = start_replay(&server, file).wait().exits(0);
    let accepted = format!("{} orders accepted, 0 rejected", baskets.all.len());
    assert!(ran.stdout.contains(&accepted), "{}", ran.stdout);
    server.admin().wait_decided();
    let all = server.admin().list("/orders", 1000);
    server.stop();
    let server = stage.serve();
    assert!(server.admin().list("/orders", 1000) == all, "a restart changed orders");
    server.stop();
    stage.verify_clean();
    each_is_there_once(&all, &baskets, &acknowledged);
    versions_count(&records(&stage, "orders.events"));
    levels_balance(&records(&stage, "stock.events"));
}

/// Every acknowledged order exists once, is reserved, and has the id that its client was told.
fn each_is_there_once(all: &[Value], baskets: &Baskets, acknowledged: &Acknowledged) {
    let by_key = acknowledged.are_there_once(all);
    let keys: HashMap<&str, usize> = by_key.keys().fold(HashMap::new(), |mut keys, (_, key)| {
        *keys.entry(*key).or_default() += 1;
        keys
    });
    for basket in &baskets.all {
        assert_eq!(keys.get(basket.key.as_str()), Some(&1), "{}", basket.key);
    }
}

/// The versions of each order in the log count 1, 2, 3 ….
fn versions_count(events: &[Event]) {
    let mut versions: HashMap<&str, u64> = HashMap::new();
    for event in events
        .iter()
        .filter(|event| event.data["order"]["version"].is_u64() && event.kind.starts_with("order."))
    {
        let order = &event.data["order"];
        let version = versions.entry(order["id"].as_str().unwrap()).or_default();
        *version += 1;
        assert_eq!(order["version"], *version, "{order}");
    }
    assert!(versions.len() > 10_000, "{} orders", versions.len());
}

/// After each event of stock, the received units equal the sum of available, reserved, shipped and written-off units.
fn levels_balance(events: &[Event]) {
    let mut seen = 0;
    for event in events {
        let lines = event.data["lines"].as_array().into_iter().flatten();
        for holder in lines.chain([&event.data]).filter(|holder| holder["levels"].is_object()) {
            let [received, rest @ ..] = orderflow_tests::levels(&holder["levels"]);
            assert_eq!(received, rest.iter().sum::<u64>(), "{holder}");
            assert!(rest[1] <= received, "more is reserved than was received: {holder}");
            seen += 1;
        }
    }
    assert!(seen > 10_000, "{seen} levels");
}

#[test]
fn killed_at_once_after_each_answer_every_answer_was_true() {
    let stage = Stage::new();
    let mut placed = Vec::new();
    for round in 0..5 {
        let server = stage.serve();
        if round == 0 {
            supply(&server.admin(), "tea", 100, 100);
        }
        let answer = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
        let lines: String = (0..3).map(|n| batch_line(&format!("{round}-{n}"), "bob", "tea")).collect();
        let batch = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
        server.kill();
        placed.push((answer, batch));
    }
    let server = stage.serve();
    for (answer, batch) in &placed {
        let path = orderflow_tests::path_of(answer);
        assert_eq!(server.admin().after(answer).get(&path).is(200).json(), answer.json());
        server.admin().after(batch).get("/orders").is(200);
    }
    server.admin().wait_decided();
    assert_eq!(server.admin().get("/orders?page=1&status=RESERVED").is(200).json()["total"], 20);
    orderflow_tests::wait_levels(&server.admin(), "tea", [100, 80, 20, 0, 0]);
    server.stop();
    stage.verify_clean();
}
