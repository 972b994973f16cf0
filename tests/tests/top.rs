//! `orderflow top`: the screen of a running server as text, and what it says when something is missing.

use orderflow_tests::{Running, Server, Stage, TokenMaker, batch_line, order, supply};

/// The words of a screen, each separated by one space, so that tests do not depend on columns.
fn words(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn shows(screen: &str, expected: &[&str]) {
    for text in expected {
        assert!(words(screen).contains(text), "`{text}` is not in\n{screen}");
    }
}

/// The figure after a name, such as `0.5` or `12.3k`.
#[track_caller]
fn figure(screen: &str, name: &str) -> f64 {
    let after = |line: &str| number(line.split_once(&format!("{name} "))?.1.split_whitespace().next()?);
    screen.lines().find_map(after).unwrap_or_else(|| panic!("`{name}` has no figure in\n{screen}"))
}

fn number(word: &str) -> Option<f64> {
    let (digits, scale) = word.strip_suffix('k').map_or((word, 1.0), |digits| (digits, 1_000.0));
    Some(digits.parse::<f64>().ok()? * scale)
}

/// Places single orders and batches until the command has ended.
fn order_until_ended(server: &Server, running: &mut Running) {
    let ann = server.customer("ann");
    for round in 0.. {
        if !running.is_alive() {
            return;
        }
        ann.post("/orders", &order(&[("tea", 1)])).is(201);
        let lines: String =
            (0..10).map(|n| batch_line(&format!("{round}-{n}"), &format!("c{n}"), "tea")).collect();
        server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    }
}

#[test]
fn one_screen_shows_rates_lag_latency_health_and_owners_of_a_server_under_load() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let arguments = ["top", "--once", "--every", "1s", "--url", &server.url()];
    let mut running = Running::start(&arguments, &[]);
    order_until_ended(&server, &mut running);
    let ran = running.wait().exits(0);
    let screen = ran.stdout;
    assert!(ran.stderr.contains("as role admin from headers"), "{}", ran.stderr);
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    let owner = format!("{} orders.commands 0-3 stock.commands 0-3 sink database", server.address);
    shows(&screen, &[&server.url(), "ready", "database ready", "log ready", "processors ready", &owner]);
    // A batch has ten orders, so there are more orders than requests.
    let (orders, requests) = (figure(&screen, "orders placed"), figure(&screen, "HTTP requests"));
    assert!(requests > 0.0 && orders > 2.0 * requests, "{screen}");
    for name in ["decision", "log sync", "orders 0", "stock 0", "POST /orders", "POST /orders/batch"] {
        assert!(figure(&screen, name) > 0.0, "{name} is 0 in\n{screen}");
    }
    assert_eq!(figure(&screen, "orders.events"), 4.0, "{screen}");
    assert!(!screen.contains("GET /topics") && !screen.contains("no topics"), "{screen}");
}

#[test]
fn the_live_screen_needs_a_terminal() {
    let stage = Stage::new();
    let ran = stage.run(&["top", "--url", "http://127.0.0.1:9"]);
    ran.fails_naming(&["needs a terminal", "--once"]);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let stage = Stage::new();
    let ran = stage.run(&["top", "--once", "--url", "http://127.0.0.1:9"]);
    ran.fails_naming(&["cannot connect", "127.0.0.1:9"]);
}

#[test]
fn metrics_at_another_address_are_asked_for_and_found() {
    let stage = Stage::new().with("metrics_listen", "127.0.0.1:0");
    let server = stage.serve();
    let (url, metrics) = (server.url(), format!("http://{}", server.metrics_address()));
    let arguments = ["top", "--once", "--every", "200ms", "--url", &url];
    let screen = stage.run(&arguments).exits(0).stdout;
    shows(
        &screen,
        &["no metrics here", "--metrics-url", "database ready", "orders placed –", "orders.events 4 0"],
    );
    let screen = stage.run(&[&arguments[..], &["--metrics-url", &metrics]].concat()).exits(0).stdout;
    shows(&screen, &["orders placed 0", &format!("{} orders.commands 0-3", server.metrics_address())]);
}

#[test]
fn a_caller_who_may_not_read_topics_sees_the_rest_and_which_right_is_missing() {
    let mut stage = Stage::new();
    let (maker, key) = (TokenMaker::new(), stage.folder.path().join("key.pem"));
    maker.write(&key);
    stage.set("accounts_signing_key_file", key.display());
    let server = stage.serve_with_accounts();
    let url = server.url();
    let arguments = ["top", "--once", "--every", "200ms", "--url", &url];
    let rest = ["database ready", "orders placed 0", "orders.commands 4 – 0 0 0", "orders.events – –"];
    let screen = stage.run(&arguments).exits(0).stdout;
    shows(&screen, &rest);
    shows(&screen, &["no topics: they need the log-in of an admin; see `orderflow login`"]);
    let token = maker.token("service", "warehouse", "orders:read");
    let screen = stage.run(&[&arguments[..], &["--token", &token]].concat()).exits(0).stdout;
    shows(&screen, &rest);
    shows(&screen, &["no topics: only the role admin may read them, with the scope topics:read"]);
    let token = maker.token("admin", "ada", "topics:read");
    let screen = stage.run(&[&arguments[..], &["--token", &token]].concat()).exits(0).stdout;
    shows(&screen, &["orders.events 4 0 0 records"]);
}
