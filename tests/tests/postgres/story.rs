//! Orders and stock, as clients read them from Postgres.

use std::collections::BTreeSet;

use orderflow_tests::{
    Answer, Baskets, Client, Cluster, Server, Stage, change, order, path_of, supply, wait_levels, wait_until,
};
use serde_json::{Value, json};

fn ids(orders: &[Value]) -> Vec<String> {
    orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

/// Moves an order to its last state. Each response and each read after it shows the next version.
fn deliver(server: &Server, path: &str) -> Answer {
    let (admin, courier) = (server.admin(), server.courier());
    let steps = [(&admin, "ACCEPTED"), (&admin, "PREPARED"), (&courier, "SHIPPED"), (&courier, "DELIVERED")];
    let mut last = None;
    for (version, (caller, status)) in (3..).zip(steps) {
        let changed = change(caller, path, status).is(200);
        let shown = admin.after(&changed).get(path).is(200).json();
        assert_eq!((&shown["status"], &shown["version"]), (&status.into(), &json!(version)));
        last = Some(changed);
    }
    last.unwrap()
}

#[test]
fn the_whole_life_of_orders_is_read_from_postgres() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let stage = Stage::new().database(&database);
    let server = stage.serve();
    let (admin, ann, bob) = (server.admin(), server.customer("ann"), server.customer("bob"));
    supply(&admin, "tea", 549, 10);
    supply(&admin, "milk", 120, 1);

    let first =
        ann.with("idempotency-key", "k-1").post("/orders", &order(&[("tea", 2), ("milk", 1)])).is(201);
    let path = path_of(&first);
    assert_eq!(
        ann.after(&first).get(&path).is(200).json(),
        first.json(),
        "its customer reads what was written"
    );
    let short = bob.post("/orders", &order(&[("tea", 1), ("milk", 1)]));
    short.is_problem(409, "out-of-stock");
    let second = bob.post("/orders", &order(&[("tea", 3)])).is(201);
    let canceled = bob.delete(&path_of(&second)).is(200);
    let delivered = deliver(&server, &path);

    let admin = admin.after(&canceled).with("orderflow-min-position", delivered.position());
    let all = wait_until("all orders are listed", || {
        let all = admin.list("/orders", 2);
        (all.len() == 3 && all.iter().all(|order| order["version"].as_u64() > Some(1))).then_some(all)
    });
    let (mut sorted, listed) = (ids(&all), ids(&all));
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(listed, sorted, "newest first, page by page");
    let statuses: BTreeSet<_> = all.iter().map(|order| order["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["CANCELED", "DELIVERED", "FAILED"].into());
    assert_eq!(ids(&admin.list("/orders?status=DELIVERED", 10)), ids(&[first.json()]));
    assert_eq!(ids(&ann.list("/orders?idempotency_key=k-1", 10)), ids(&[first.json()]));
    assert_eq!(admin.get("/orders/user/bob?page=1&limit=1").is(200).json()["total"], 2);
    history_tells(&admin, &path);
    wait_levels(&ann, "tea", [10, 8, 0, 2, 0]);
    wait_levels(&ann, "milk", [1, 0, 0, 1, 0]);
    assert_eq!(ann.list("/products", 1).len(), 2);
    let wanted = json!({ "lines": [{ "sku": "tea", "quantity": 9 }] });
    assert_eq!(ann.post("/check-availability", &wanted).is(200).json()["available"], false);

    database.is_not_told(&server.stop().stderr);
    stage.verify_clean();
    assert_eq!(database.number("SELECT count(*) FROM orderflow.orders"), 3);
    assert!(!stage.data().join("orders.sqlite").exists(), "only one database was made");
}

/// Checks all versions of the delivered order, in order.
fn history_tells(admin: &Client, path: &str) {
    let history = admin.list(&format!("/search{path}/history"), 4);
    let told: Vec<_> = history
        .iter()
        .map(|entry| (entry["version"].as_u64().unwrap(), entry["status"].as_str().unwrap().to_owned()))
        .collect();
    let states = ["CREATED", "RESERVED", "ACCEPTED", "PREPARED", "SHIPPED", "DELIVERED"];
    let wanted: Vec<_> = (1..).zip(states.map(str::to_owned)).collect();
    assert_eq!(told, wanted);
}

/// The API's lists of all orders and all stock.
fn shown(server: &Server) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let admin = server.admin();
    admin.wait_decided();
    let orders = admin.list("/orders", 700);
    let some = orders.iter().step_by(97).map(|order| order["id"].as_str().unwrap());
    let histories = some.flat_map(|id| admin.list(&format!("/search/orders/{id}/history"), 10)).collect();
    (orders, admin.list("/inventory", 500), histories)
}

#[test]
fn postgres_and_sqlite_show_the_same_of_one_log() {
    let cluster = Cluster::shared();
    let (baskets, database) = (Baskets::sample(), cluster.database());
    let mut stage = Stage::new().database(&database);
    let server = stage.serve();
    let file = baskets.path.to_str().unwrap();
    let ran = stage.run(&["replay", file, "--stock", "90", "--url", &server.url()]).exits(0);
    assert!(
        ran.stdout.contains(&format!("{} orders accepted, 0 rejected", baskets.all.len())),
        "{}",
        ran.stdout
    );
    let postgres = shown(&server);
    assert_eq!(postgres.0.len(), baskets.all.len());
    assert!(postgres.0.iter().any(|order| order["status"] == "FAILED"));
    server.stop();
    let verified = stage.verify_clean();
    assert!(verified.contains(&format!(" {} orders", baskets.all.len())), "{verified}");

    // A new database is filled from the log.
    stage.set("database", "sqlite");
    let server = stage.serve();
    let all = baskets.all.len();
    let sqlite = wait_until("SQLite shows every order", || {
        (server.admin().get("/orders?page=1&limit=1").is(200).json()["total"] == all).then(|| shown(&server))
    });
    let same = wait_until("SQLite has caught up", || {
        let sqlite = shown(&server);
        (sqlite == postgres).then_some(sqlite)
    });
    assert_eq!(same.0.len(), sqlite.0.len());
    server.stop();
    stage.verify_clean();
}
