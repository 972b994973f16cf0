//! Settings from the environment, flags and the pipeline file. Invalid settings are reported at the start.

use orderflow_tests::{Stage, order, repository, supply};

fn partitions(stage: &Stage, topic: &str) -> usize {
    let topics = stage.run_on_data(&["topics"]).exits(0).stdout;
    topics.lines().filter(|line| line.starts_with(&format!("{topic} "))).count()
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_pipeline_file() {
    let text = std::fs::read_to_string(repository().join("pipelines/order-tracking.toml")).unwrap();
    for (environment, flag, wanted) in [(None, None, 2), (Some("3"), None, 3), (Some("3"), Some("5"), 5)] {
        let mut stage = Stage::new();
        let file = stage.folder.path().join("own.toml");
        std::fs::write(&file, format!("{text}\n[settings]\norder_partitions = 2\nstock_partitions = 1\n"))
            .unwrap();
        stage = stage.pipeline(file.to_str().unwrap());
        environment.iter().for_each(|partitions| stage.set("order_partitions", partitions));
        let flags: Vec<_> = flag.iter().flat_map(|partitions| ["--order-partitions", *partitions]).collect();
        let server = stage.serve_with(&flags);
        supply(&server.admin(), "tea", 100, 1);
        server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
        server.stop();
        assert_eq!((partitions(&stage, "orders.events"), partitions(&stage, "stock.events")), (wanted, 1));
        stage.verify_clean();
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (name, value, code, word) in [
        ("order_partitions", "0", 1, "1 to 256"),
        ("order_partitions", "many", 2, "many"),
        ("segment_bytes", "100", 1, "segment_bytes"),
        ("log_bytes_max", "5000000", 1, "bytes_max"),
        ("log_bytes_max", "0", 1, "bytes_max"),
        ("keys_max", "0", 1, "keys_max"),
        ("change_keys_max", "0", 1, "change_keys_max"),
        ("snapshot_every", "0", 1, "snapshot_every"),
        ("decision_within_s", "0", 1, "decision_within_s"),
        ("connections_max", "0", 1, "connections_max"),
        ("retention_bytes", "0", 1, "retention.bytes"),
        ("listen", "everywhere", 2, "everywhere"),
        ("database", "mysql://me:secret@db/x", 1, "mysql"),
        ("database", "me:secret@db/x", 1, "postgres://"),
        ("topics", "kafka://broker:9092", 1, "kafka"),
        ("roles", "ingest,api", 1, "processors, sinks"),
        ("roles", "ingest,search", 2, "search"),
        ("pipeline", "no-such-pipeline", 1, "no-such-pipeline"),
    ] {
        let stage = Stage::new().with(name, value);
        let listens = name == "listen";
        let ran = if listens { stage.start_bare() } else { stage.start(&["--insecure-no-auth"]) };
        let ran = ran.wait().exits(code);
        assert!(ran.stderr.contains(word) && !ran.stderr.contains("secret"), "{name}: {}", ran.stderr);
    }
}

#[test]
fn partitions_are_fixed_once_the_log_exists() {
    let mut stage = Stage::new().with("order_partitions", 2);
    stage.serve().stop();
    stage.set("order_partitions", 3);
    let ran = stage.start(&["--insecure-no-auth"]).wait();
    ran.fails_naming(&["orders.commands", "2 partitions"]);
    stage.set("order_partitions", 2);
    stage.serve().stop();
}

#[test]
fn a_body_limit_can_be_set() {
    let stage = Stage::new().with("body_bytes_max", 200);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let ann = server.customer("ann");
    ann.post("/orders", &order(&[("tea", 1)])).is(201);
    let many: Vec<_> = (0..20).map(|_| ("tea", 1)).collect();
    ann.post("/orders", &order(&many)).is_problem(413, "body-too-large");
}

#[test]
fn one_partition_of_each_is_enough() {
    let stage = Stage::new().with("order_partitions", 1).with("stock_partitions", 1);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    supply(&server.admin(), "milk", 100, 10);
    server.customer("ann").post("/orders", &order(&[("tea", 1), ("milk", 2)])).is(201);
    server.stop();
    stage.verify_clean();
}
