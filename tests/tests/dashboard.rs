//! The expressions of the dashboard and alerts in `infra/`, evaluated by a real Prometheus that scrapes a server
//! under load.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use orderflow_tests::{
    Prometheus, Server, Stage, batch_line, order, path_of, repository, supply, wait_until,
};
use serde_json::{Value, json};

/// How often the server is scraped.
const SCRAPE: Duration = Duration::from_secs(1);
/// Metrics that do not change while nothing is wrong, or without accounts. `or vector(0)` gives some a value anyway.
const STILL: [&str; 18] = [
    "orderflow_processor_lag_records",
    "orderflow_log_full",
    "orderflow_log_cache_misses_total",
    "orderflow_ingest_decision_timeouts_total",
    "orderflow_ingest_append_repeats_total",
    "orderflow_sink_retries_total",
    "orderflow_sink_dead_letters_total",
    "orderflow_processor_idempotency_keys_crowded_out",
    "orderflow_processor_change_keys_crowded_out",
    "orderflow_log_lines_dropped_total",
    "orderflow_spans_dropped_total",
    "orderflow_http_requests_shed_total",
    "orderflow_http_requests_limited_total",
    "orderflow_http_connections",
    "orderflow_http_connections_cut_total",
    "orderflow_accounts_logins_total",
    "orderflow_accounts_hashes_waiting",
    "orderflow_accounts_read_timestamp_seconds",
];

/// The expressions of all panels, with the panels' titles.
fn panels() -> Vec<(String, String)> {
    let path = repository().join("infra/grafana/dashboards/orderflow.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = |panel: &Value| {
        let title = text(&panel["title"]);
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), text(&target["expr"])))
    };
    panels.flat_map(targets).collect()
}

/// Repeatedly places orders, reads, posts batches, creates SKUs and sends requests that are refused. If too many
/// requests wait, one may be refused.
fn load(server: &Server, client: usize, stop: &AtomicBool) {
    let customer = server.customer(&format!("customer-{client}"));
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let placed = customer.post("/orders", &order(&[("tea", 1), ("jam", 1)]));
        if placed.status == 201 {
            customer.get(&path_of(&placed));
        }
        customer.get("/orders?page=1");
        customer.get("/inventory/tea");
        let receipt = json!({ "quantity": 1 });
        let admin = server.admin().with("idempotency-key", "k");
        admin.post(&format!("/inventory/sku-{client}-{round}/receipts"), &receipt);
        let lines: String =
            (0..20).map(|n| batch_line(&format!("{client}-{round}-{n}"), &format!("c{n}"), "tea")).collect();
        server.admin().post_lines("/orders/batch", lines.as_bytes());
    }
}

#[test]
fn each_query_of_the_dashboard_and_the_alerts_gives_figures_that_move_under_load() {
    // Small segments and frequent snapshots make these metrics change too. One waiter makes some requests be refused.
    let stage =
        Stage::new().with("segment_bytes", 1 << 20).with("snapshot_every", 50).with("ingest_waiters_max", 1);
    let server = stage.serve();
    let Some(prometheus) = Prometheus::start(server.address) else { return };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        supply(&server.admin(), "tea", 100, 1_000_000);
        supply(&server.admin(), "jam", 100, 500_000);
        for client in 0..4 {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || load(server, client, stop));
        }
        let asked = thread::Builder::new().spawn_scoped(scope, || ask(&prometheus)).unwrap().join();
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = asked {
            std::panic::resume_unwind(panic);
        }
    });
    server.stop();
}

fn ask(prometheus: &Prometheus) {
    let mut first: BTreeMap<String, f64> = BTreeMap::new();
    let is_still = |expression: &str| STILL.iter().any(|name| expression.contains(name));
    let mut waiting = panels();
    // Metrics that do not change can be queried too.
    waiting.retain(|(_, expression)| {
        prometheus.query(expression);
        !is_still(expression)
    });
    wait_until("each query gives figures that move", || {
        waiting.retain(|(_, expression)| {
            let values = prometheus.query(expression);
            let sum: f64 = values.iter().filter(|value| value.is_finite()).sum();
            let moves = !values.is_empty() && *first.entry(expression.clone()).or_insert(sum) != sum;
            !moves
        });
        thread::sleep(SCRAPE);
        waiting.is_empty().then_some(())
    });
    let groups = prometheus.call("/api/v1/rules")["groups"].clone();
    let rules: Vec<_> =
        groups.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 8, "{groups}");
    wait_until("every alert has been evaluated", || {
        let groups = prometheus.call("/api/v1/rules")["groups"].clone();
        let mut rules =
            groups.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
        rules.all(|rule| rule["health"] == "ok").then_some(())
    });
    for rule in rules {
        let (name, expression) = (&rule["name"], rule["query"].as_str().unwrap());
        // The metric that an alert compares exists, so the alert can fire.
        let compared = expression.split(['>', '=']).next().unwrap();
        let is_still = STILL.iter().any(|name| expression.contains(name)) || expression.starts_with("up");
        assert!(is_still || !prometheus.query(compared.trim()).is_empty(), "{name}: {compared}");
    }
}
