//! The command line: exit codes, one clear error sentence, and the output of the small commands.

use orderflow_tests::{Running, Stage, batch_line, order, repository, supply};

#[test]
fn wrong_usage_exits_2_and_says_what_is_wrong() {
    let stage = Stage::new();
    for (arguments, word) in [
        (&["fly"][..], "fly"),
        (&[], "Usage"),
        (&["serve", "--colour", "red"], "--colour"),
        (&["serve", "--listen", "everywhere"], "everywhere"),
        (&["replay"], "FILE"),
        (&["tap", "no.topic"], "no.topic"),
        (&["demo", "--for", "ever"], "ever"),
        (&["bench", "--rate", "-1"], "-1"),
        (&["top", "--every", "1ms"], "200ms"),
    ] {
        let ran = stage.run(arguments).exits(2);
        assert!(ran.stderr.contains(word) && ran.stdout.is_empty(), "{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn every_command_has_help() {
    let stage = Stage::new();
    let help = stage.run(&["--help"]).exits(0).stdout;
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands: Vec<_> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for command in [
        "demo",
        "serve",
        "replay",
        "bench",
        "verify",
        "simulate",
        "tap",
        "topics",
        "top",
        "pipeline",
        "completions",
    ] {
        assert!(commands.contains(&command), "{help}");
    }
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = stage.run(&[command, "--help"]).exits(0).stdout;
        assert!(help.contains("Usage: orderflow"), "{command}: {help}");
    }
    assert!(stage.run(&["--version"]).exits(0).stdout.starts_with("orderflow "));
    assert!(stage.run(&["completions", "bash"]).exits(0).stdout.contains("orderflow"));
}

#[test]
fn nobody_serves_to_the_world_by_mistake() {
    let stage = Stage::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let data = stage.data().to_str().unwrap();
        let ran = stage.run(&["serve", "--insecure-no-auth", "--data", data, "--listen", address]);
        ran.fails_naming(&["loopback"]);
    }
    stage.run(&["demo", "--listen", "0.0.0.0:0"]).fails_naming(&["loopback"]);
    assert!(!stage.data().exists(), "a server that may not start made a data directory");
}

#[test]
fn a_data_directory_has_one_server() {
    let stage = Stage::new();
    let server = stage.serve();
    stage.start(&["--insecure-no-auth"]).wait().fails_naming(&["in use by process"]);
    stage.verify().fails_naming(&["in use by process"]);
    stage.run_on_data(&["topics"]).fails_naming(&["in use by process", "--url"]);
    supply(&server.admin(), "tea", 100, 1);
    server.stop();
    stage.verify_clean();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let (stage, other) = (Stage::new(), Stage::new());
    let server = stage.serve();
    let address = server.address.to_string();
    let data = other.data().to_str().unwrap();
    let ran = other.run(&["serve", "--insecure-no-auth", "--data", data, "--listen", &address]);
    ran.fails_naming(&["cannot listen", &address]);
}

#[test]
fn what_is_not_there_is_named() {
    let stage = Stage::new();
    stage.verify().fails_naming(&["holds no log", "--data"]);
    stage.run_on_data(&["topics"]).fails_naming(&["holds no log"]);
    stage.run(&["pipeline", "check", "no-such.toml"]).fails_naming(&["no-such.toml"]);
    // Nothing listens on port 9 of the loopback.
    stage.run(&["topics", "--url", "http://127.0.0.1:9"]).fails_naming(&["cannot connect", "127.0.0.1:9"]);
    stage.run(&["topics", "--url", "ftp://127.0.0.1"]).fails_naming(&["http://"]);
    stage.run(&["replay", "no-such.ndjson"]).fails_naming(&["no-such.ndjson"]);
}

#[test]
fn pipeline_check_says_what_is_wrong_with_a_file() {
    let stage = Stage::new();
    let good = std::fs::read_to_string(repository().join("pipelines/order-tracking.toml")).unwrap();
    let unreachable = good.replace("[states]", "[states]\nLIMBO = { final = \"canceled\" }");
    let keeps_stock = good.replacen("stock = \"release\"", "", 1);
    let dead_end = good.replace("DELIVERED = { final = \"completed\" }", "DELIVERED = {}");
    for (text, word) in [
        (unreachable, "LIMBO"),
        (keeps_stock, "CANCELED"),
        (dead_end, "DELIVERED"),
        (good.replace("[actions]", "[deeds]"), "unknown field `deeds`"),
        (good.replace("to = \"ACCEPTED\"", "to = \"TAKEN\""), "TAKEN"),
        (good.replace("\"courier\"", "\"currier\""), "currier"),
        (good.replace("7days", "a week"), "no duration"),
        (good.clone() + "\n[settings]\ncolour = 1\n", "unknown field `colour`"),
        ("states = ".to_owned(), "line 1"),
    ] {
        let file = stage.folder.path().join("pipeline.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let ran = stage.run(&["pipeline", "check", file]).fails_naming(&[word]);
        assert_eq!(ran.stderr.matches(word).count(), 1, "said more than once: {}", ran.stderr);
        stage.start(&["--insecure-no-auth", "--pipeline", file]).wait().fails_naming(&[word]);
    }
    for name in ["order-tracking", "reservation", "approval", "delivery"] {
        let file = repository().join(format!("pipelines/{name}.toml"));
        for pipeline in [name, file.to_str().unwrap()] {
            let ran = stage.run(&["pipeline", "check", pipeline]).exits(0);
            assert!(ran.stdout.starts_with(&format!("{name}: ")), "{}", ran.stdout);
        }
    }
}

#[test]
fn pipeline_graph_prints_mermaid() {
    let stage = Stage::new();
    let graph = stage.run(&["pipeline", "graph", "order-tracking"]).exits(0).stdout;
    assert!(graph.contains("stateDiagram-v2"), "{graph}");
    for way in [
        "[*] --> CREATED",
        "CREATED --> RESERVED",
        "PREPARED --> SHIPPED: admin, courier",
        "DELIVERED --> [*]",
    ] {
        assert!(graph.lines().any(|line| line.trim().starts_with(way)), "{way} is not in {graph}");
    }
}

#[test]
fn tap_and_topics_show_the_same_of_a_running_and_a_stopped_server() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 500);
    let lines: String = (0..200).map(|n| batch_line(&format!("k{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
    let url = server.url();
    let over_http = |arguments: &[&str]| stage.run(&[arguments, &["--url", &url]].concat()).exits(0).stdout;
    let taps = [
        &["tap", "orders.events"][..],
        &["tap", "stock.events", "--partition", "1"],
        &["tap", "orders.commands", "--from", "20"],
        &["topics"],
    ];
    let running = taps.map(over_http);
    assert_eq!(over_http(&["tap", "orders.events", "--from", "end"]), "");
    server.stop();
    for (arguments, running) in taps.iter().zip(&running) {
        let stopped = stage.run_on_data(arguments).exits(0).stdout;
        assert_eq!(stopped.lines().collect::<Vec<_>>(), running.lines().collect::<Vec<_>>(), "{arguments:?}");
    }
    assert_eq!(running[0].matches("\"type\":\"order.created\"").count(), 200);
    assert_eq!(running[0].matches("\"type\":\"order.reserved\"").count(), 200);
    assert!(running[3].contains("orders.commands") && running[3].contains("dead.letters"), "{}", running[3]);
    stage.run_on_data(&["tap", "orders.events", "--partition", "99"]).fails_naming(&["partition"]);
    stage.run_on_data(&["tap", "orders.events", "--follow"]).fails_naming(&["--url"]);
}

#[test]
fn tap_follows_what_comes() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 500);
    let following = Running::start(&["tap", "orders.events", "--follow", "--url", &server.url()], &[]);
    let placed = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201).json();
    let id = placed["id"].as_str().unwrap();
    orderflow_tests::wait_until("tap shows the order", || {
        (following.stdout().matches(id).count() >= 2).then_some(())
    });
}

#[test]
fn the_demo_ends_by_itself_and_balances() {
    let stage = Stage::new();
    let ran = stage.run(&["demo", "--for", "3s", "--listen", "127.0.0.1:0"]).exits(0);
    assert!(
        ran.stderr.contains("no difference") && ran.stderr.contains("http://127.0.0.1:"),
        "{}",
        ran.stderr
    );
    let orders = ran.stderr.lines().find_map(|line| line.strip_prefix("verified "));
    assert!(orders.is_some_and(|line| !line.contains(" 0 orders")), "{}", ran.stderr);
    let folder = ran.stderr.lines().find_map(|line| line.split_once("data in ")).unwrap().1;
    assert!(!std::path::Path::new(folder).exists(), "the demo left {folder} behind");
}

#[test]
fn a_simulated_seed_is_the_same_run_each_time_and_is_told_in_a_line() {
    let stage = Stage::new();
    let arguments = ["simulate", "--seed", "3", "--steps", "500"];
    let (first, again) = (stage.run(&arguments).exits(0).stdout, stage.run(&arguments).exits(0).stdout);
    let line = |text: &str| text.lines().find(|line| line.starts_with("seed 3: ")).map(str::to_owned);
    assert!(line(&first).is_some_and(|line| line.contains("digest")), "{first}");
    assert_eq!(line(&first), line(&again));
    let traced = stage.run(&["simulate", "--seed", "3", "--steps", "50", "--trace"]).exits(0);
    assert!(traced.stderr.contains("the process starts"), "{}", traced.stderr);
}
