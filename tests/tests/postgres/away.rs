//! Postgres becomes unavailable and returns: orders are accepted and decided meanwhile, and the missing rows are
//! shown afterwards.

use orderflow_tests::{
    Answer, Client, Cluster, Server, Stage, batch_line, bounds, find, forgetful, order, order_until_trimmed,
    path_of, settle, supply, wait_until,
};

/// Panics unless the response reports that the database is unavailable now, and when to try again.
#[track_caller]
fn is_away(answer: &Answer) {
    answer.is_problem(503, "database-unavailable");
    assert!(answer.header("retry-after").is_some(), "{}", answer.text());
}

fn health(server: &Server) -> String {
    let health = Client::new(server.address).get("/health").json();
    health["parts"]["database"]["status"].as_str().unwrap().to_owned()
}

/// Places orders while Postgres is unavailable. Returns the path of one order, and the response and key of the last.
fn order_without_postgres(server: &Server) -> (String, Answer, String) {
    let (admin, ann) = (server.admin(), server.customer("ann"));
    let placed = ann.post("/orders", &order(&[("tea", 1)])).is(201);
    let keys: Vec<_> = (0..50).map(|n| format!("away-{n}")).collect();
    let lines: String = keys.iter().map(|key| batch_line(key, "bob", "tea")).collect();
    assert_eq!(admin.post_lines("/orders/batch", lines.as_bytes()).is(202).json()["accepted"], 50);
    (path_of(&placed), placed, keys[49].clone())
}

/// Every read reports that it cannot be answered, the health gives the reason, and the server still accepts orders.
fn only_reads_suffer(server: &Server, path: &str) {
    let (admin, nobody) = (server.admin(), Client::new(server.address));
    for path in [path, "/orders", "/orders?page=1", "/inventory", "/inventory/tea", "/products"] {
        is_away(&admin.get(path));
    }
    is_away(&admin.get(&format!("/search{path}/history")));
    wait_until("the health says that the database is away", || (health(server) == "waiting").then_some(()));
    assert_eq!(nobody.get("/health").is(503).json()["status"], "waiting");
    nobody.get("/health/ready").is(200);
    nobody.get("/health/live").is(200);
}

fn all_is_shown(server: &Server, path: &str, placed: &Answer, last: &str) {
    let admin = server.admin();
    wait_until("the last order is shown", || {
        let listed = admin.get("/orders?limit=1");
        if listed.status == 503 { None } else { find(&admin, last) }
    });
    assert_eq!(admin.after(placed).get(path).is(200).json(), placed.json());
    admin.wait_decided();
    wait_until("the health says that all is well", || (health(server) == "ready").then_some(()));
}

#[test]
fn while_postgres_is_away_orders_are_taken_and_shown_once_it_is_back() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let stage = Stage::new().database(&database);
    let server = stage.serve();
    supply(&server.admin(), "tea", 549, 1_000);
    for _ in 0..2 {
        let before = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
        server.admin().after(&before).get(&path_of(&before)).is(200);
        cluster.kill();
        let (path, placed, last) = order_without_postgres(&server);
        only_reads_suffer(&server, &path);
        cluster.run();
        all_is_shown(&server, &path, &placed, &last);
    }
    database.is_not_told(&server.stop().stderr);
    stage.verify_clean();
}

#[test]
fn a_server_that_starts_while_postgres_is_away_takes_orders_and_catches_up() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let stage = Stage::new().database(&database);
    cluster.kill();
    let server = stage.serve();
    supply(&server.admin(), "tea", 549, 1_000);
    let (path, placed, last) = order_without_postgres(&server);
    only_reads_suffer(&server, &path);
    cluster.run();
    all_is_shown(&server, &path, &placed, &last);
    database.is_not_told(&server.stop().stderr);
    stage.verify_clean();
}

#[test]
fn a_server_stops_in_order_while_postgres_is_away_and_shows_all_after_the_next_start() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let stage = Stage::new().database(&database);
    let server = stage.serve();
    supply(&server.admin(), "tea", 549, 1_000);
    cluster.kill();
    let (path, placed, last) = order_without_postgres(&server);
    server.stop();
    let ran = stage.verify().fails_naming(&["the database cannot be opened"]);
    database.is_not_told(&ran.stderr);
    cluster.run();
    let behind = stage.verify_clean();
    assert!(behind.contains("events to show"), "{behind}");
    let server = stage.serve();
    all_is_shown(&server, &path, &placed, &last);
    server.stop();
    stage.verify_clean();
}

#[test]
fn retention_removes_nothing_that_a_database_that_is_away_has_not_shown() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let stage = forgetful().database(&database).with("log", "warn,orderflow_pipelines=debug");
    let server = stage.serve();
    let admin = server.admin();
    supply(&admin, "tea", 100, 1_000_000);
    let order_many = |key: &str| {
        let lines: String =
            (0..500).map(|n| batch_line(&format!("{key}-{n}"), &format!("c{n}"), "tea")).collect();
        admin.post_lines("/orders/batch", lines.as_bytes()).is(202);
    };
    let enough = order_until_trimmed(&server, &stage, &["orders.events"], |round| {
        order_many(&format!("before-{round}"));
        settle(&admin);
    });
    cluster.kill();
    let shown = bounds(&server, &stage, "orders.events");
    // Twice the rounds that let retention remove the beginning. The rounds are decided too, since stock is asked in
    // between.
    (0..2 * enough).for_each(|round| order_many(&format!("away-{round}")));
    let last = server.customer("c0").post("/orders", &order(&[("tea", 1)])).is(201);
    let looks = || server.stderr().matches("retention has looked").count();
    let before = looks();
    wait_until("retention has looked again", || (looks() >= before + 2).then_some(()));
    let kept = bounds(&server, &stage, "orders.events");
    for ((_, shown), (start, end)) in shown.iter().zip(&kept) {
        assert!(start <= shown && end > shown, "{shown} were shown at least, {start} to {end} are kept");
    }
    cluster.run();
    wait_until("the last order is shown", || (admin.get(&path_of(&last)).status == 200).then_some(()));
    settle(&admin);
    let removed = |(now, then): (&(u64, u64), &(u64, u64))| now.0 > then.1;
    let mut rounds = 0..;
    wait_until("retention goes on", || {
        order_many(&format!("after-{}", rounds.next().unwrap()));
        settle(&admin);
        bounds(&server, &stage, "orders.events").iter().zip(&shown).all(removed).then_some(())
    });
    server.stop();
    stage.verify_clean();
}
