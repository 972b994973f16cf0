//! A log has an identity. Data derived from one log is never used with another; the error names both logs.

use std::{fs, path::Path};

use orderflow_tests::{Cluster, Stage, order, path_of, supply, wait_until};

/// The directory of a stopped server with one order in it.
fn shop(stage: Stage) -> Stage {
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let placed = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.admin().after(&placed).get(&path_of(&placed)).is(200);
    server.stop();
    stage
}

fn identity(data: &Path) -> String {
    let catalog: serde_json::Value =
        serde_json::from_slice(&fs::read(data.join("log/topics.json")).unwrap()).unwrap();
    catalog["id"].as_str().unwrap().to_owned()
}

/// Replaces the log of the directory `of` by the log of the directory `by`.
fn exchange_log(of: &Stage, by: &Stage) {
    fs::remove_dir_all(of.data().join("log")).unwrap();
    fs::rename(by.data().join("log"), of.data().join("log")).unwrap();
}

#[test]
fn a_database_of_another_log_is_refused_and_one_that_is_removed_is_filled_again() {
    let (stage, other) = (shop(Stage::new()), shop(Stage::new()));
    let (its, others) = (identity(stage.data()), identity(other.data()));
    assert_ne!(its, others);
    exchange_log(&stage, &other);
    fs::remove_dir_all(stage.data().join("snapshots")).unwrap();
    let words = ["the database holds the orders of the log", its.as_str(), others.as_str()];
    stage.start(&["--insecure-no-auth"]).wait().fails_naming(&words);
    stage.verify().fails_naming(&["the database was filled from the log", &its, &others]);

    for name in ["orders.sqlite", "orders.sqlite-wal", "orders.sqlite-shm"] {
        let _ = fs::remove_file(stage.data().join(name));
    }
    let server = stage.serve();
    wait_until("the order is shown", || (server.admin().list("/orders", 10).len() == 1).then_some(()));
    server.stop();
    assert_eq!(identity(stage.data()), others);
    stage.verify_clean();
}

#[test]
fn snapshots_of_another_log_are_refused() {
    let (stage, other) = (shop(Stage::new()), shop(Stage::new()));
    let (its, others) = (identity(stage.data()), identity(other.data()));
    exchange_log(&stage, &other);
    fs::remove_file(stage.data().join("orders.sqlite")).unwrap();
    let words = ["snapshot ", "belongs to the log", its.as_str(), others.as_str()];
    stage.start(&["--insecure-no-auth"]).wait().fails_naming(&words);
    stage.verify().fails_naming(&words);
}

#[test]
fn two_systems_cannot_share_one_postgres_database() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let (first, second) = (Stage::new().database(&database), Stage::new().database(&database));
    let server = first.serve();
    let ran = second.start(&["--insecure-no-auth"]).wait();
    let words =
        ["the database holds the orders of the log", &identity(first.data()), &identity(second.data())];
    ran.fails_naming(&words);
    supply(&server.admin(), "tea", 100, 10);
    server.stop();
    first.verify_clean();
}
