//! Reads: lists by cursor and by page, filters, what each role may see, and the server's health.

use std::collections::BTreeSet;

use orderflow_tests::{
    Answer, Client, Server, Stage, batch_line, change, order, path_of, supply, wait_until,
};
use serde_json::{Value, json};

/// A server with 60 reserved orders of six customers.
fn shop() -> (Stage, Server, Client) {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000);
    let lines: String =
        (0..60).map(|n| batch_line(&format!("k{n}"), &format!("customer-{}", n % 6), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    let admin = server.admin().after(&answer);
    admin.wait_decided();
    (stage, server, admin)
}

fn ids(orders: &[Value]) -> Vec<&str> {
    orders.iter().map(|order| order["id"].as_str().unwrap()).collect()
}

#[test]
fn following_cursors_visits_each_order_once_newest_first_whatever_comes_meanwhile() {
    let (_stage, server, admin) = shop();
    let all = admin.list("/orders", 1000);
    assert_eq!(all.len(), 60);
    assert!(ids(&all).is_sorted_by(|newer, older| newer > older));
    for limit in [1, 7, 30, 60] {
        assert_eq!(ids(&admin.list("/orders", limit)), ids(&all), "limit {limit}");
    }
    let first = admin.get("/orders?limit=20").is(200).json();
    let new = server.customer("new").post("/orders", &order(&[("tea", 1)])).is(201);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = admin.after(&new).get(&format!("/orders?limit=100&cursor={cursor}")).is(200).json();
    assert_eq!(ids(rest["items"].as_array().unwrap()), ids(&all[20..]));
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[test]
fn pages_have_a_total_and_cover_the_list() {
    let (_stage, _server, admin) = shop();
    let pages: Vec<_> =
        (1..=5).map(|page| admin.get(&format!("/orders?page={page}&limit=16")).is(200).json()).collect();
    assert!(pages.iter().all(|page| page["total"] == 60), "{pages:?}");
    let sizes: Vec<_> = pages.iter().map(|page| page["items"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [16, 16, 16, 12, 0]);
    let items: Vec<_> = pages.iter().flat_map(|page| page["items"].as_array().unwrap().clone()).collect();
    assert_eq!(ids(&items), ids(&admin.list("/orders", 1000)));
    assert!(admin.get("/orders?limit=16").is(200).json().get("total").is_none());
    let stock = admin.get("/inventory?page=1&limit=5").is(200).json();
    assert_eq!((&stock["total"], &stock["items"][0]["sku"]), (&1.into(), &"tea".into()));
}

#[test]
fn filters_leave_out_what_does_not_fit() {
    let (_stage, _server, admin) = shop();
    let of = |query: &str| admin.list(&format!("/orders?{query}"), 7);
    let mine = of("customer_id=customer-3");
    assert!(mine.len() == 10 && mine.iter().all(|order| order["customer_id"] == "customer-3"), "{mine:?}");
    assert_eq!(ids(&admin.list("/orders/user/customer-3", 4)), ids(&mine));
    let path = format!("/orders/{}", ids(&mine)[4]);
    let canceled = change(&admin, &path, "CANCELED").is(200);
    let admin = admin.after(&canceled);
    let of = |query: &str| admin.list(&format!("/orders?{query}"), 7);
    assert_eq!(ids(&of("status=CANCELED")), [ids(&mine)[4]]);
    assert_eq!((of("status=RESERVED").len(), of("status=RESERVED&customer_id=customer-3").len()), (59, 9));
    assert_eq!(of("status=FAILED"), Vec::<Value>::new());
    assert_eq!(of("idempotency_key=k17")[0]["idempotency_key"], "k17");
    assert_eq!(of("idempotency_key=k17&customer_id=customer-0").len(), 0);
    assert_eq!((of("from=2020-01-01T00:00:00Z").len(), of("to=2020-01-01T00:00:00Z").len()), (60, 0));
}

#[test]
fn customers_see_only_their_own() {
    let (_stage, server, admin) = shop();
    let own = server.customer("customer-2");
    let seen = own.list("/orders", 3);
    assert_eq!(ids(&seen), ids(&admin.list("/orders?customer_id=customer-2", 100)));
    assert_eq!(seen.len(), 10);
    assert_eq!(own.list("/orders/user/customer-2", 100).len(), 10);
    assert_eq!(own.list("/orders?customer_id=customer-2", 100).len(), 10);
    own.get("/orders/user/customer-3").is_problem(403, "forbidden");
    own.get(&format!("/orders/{}", ids(&seen)[0])).is(200);
    let foreign = admin.list("/orders?customer_id=customer-3", 1);
    own.get(&format!("/orders/{}", ids(&foreign)[0])).is_problem(404, "order-not-found");
    assert_eq!(own.list("/orders?idempotency_key=k3", 10), Vec::<Value>::new());
    assert_eq!(server.customer("nobody").list("/orders", 10), Vec::<Value>::new());
}

#[test]
fn stock_and_catalogue_are_for_everybody() {
    let (_stage, server, admin) = shop();
    for n in 0..25 {
        supply(&admin, &format!("sku-{n:02}"), 100 + n, n + 1);
    }
    let nameless = admin.post("/inventory/sku-99/receipts", &json!({ "quantity": 1 })).is(200);
    for caller in [server.customer("ann"), server.courier(), server.client("analyst", "al")] {
        let caller = caller.after(&nameless);
        wait_until("all stock is shown", || (caller.list("/inventory", 10).len() == 27).then_some(()));
        let skus: BTreeSet<_> =
            caller.list("/products", 10).iter().map(|item| item["sku"].to_string()).collect();
        assert!(skus.len() == 26 && !skus.contains("\"sku-99\""), "{skus:?}");
        assert_eq!(caller.get("/products/sku-07").is(200).json()["unit_price"], 107);
        assert_eq!(caller.get("/inventory/sku-07").is(200).json()["available"], 8);
        let wanted =
            json!({ "lines": [{ "sku": "sku-07", "quantity": 8 }, { "sku": "sku-99", "quantity": 1 }] });
        let answer = caller.post("/check-availability", &wanted).is(200).json();
        let line = |sku: &str, units: u64| json!({ "sku": sku, "requested": units, "available": units });
        assert_eq!(answer, json!({ "available": true, "lines": [line("sku-07", 8), line("sku-99", 1)] }));
        let twice =
            json!({ "lines": [{ "sku": "sku-07", "quantity": 5 }, { "sku": "sku-07", "quantity": 4 }] });
        assert_eq!(caller.post("/check-availability", &twice).is(200).json()["available"], false);
        let unknown = json!({ "lines": [{ "sku": "moon", "quantity": 1 }] });
        let answer = caller.post("/check-availability", &unknown).is(200).json();
        assert_eq!((&answer["available"], &answer["lines"][0]["available"]), (&false.into(), &0.into()));
    }
}

#[test]
fn a_read_sees_what_its_caller_has_written() {
    let (_stage, server, _) = shop();
    let ann = server.customer("ann");
    for _ in 0..25 {
        let placed = ann.post("/orders", &order(&[("tea", 1)])).is(201);
        let reader = ann.after(&placed);
        assert_eq!(reader.get(&path_of(&placed)).is(200).json(), placed.json());
        assert_eq!(reader.get("/orders?limit=1").is(200).json()["items"][0], placed.json());
    }
}

#[test]
fn a_read_of_what_nobody_has_written_is_refused() {
    let (_stage, server, _) = shop();
    let read =
        |position: &str| server.customer("ann").with("orderflow-min-position", position).get("/orders");
    let answer = read("orders.commands:0@99999999");
    answer.is_problem(503, "not-caught-up");
    assert_eq!(answer.header("retry-after"), Some("1"));
    read("orders.commands:99@0").is_problem(400, "invalid-position");
    read("orders.commands/0:1").is_problem(400, "invalid-position");
}

#[test]
fn health_and_metrics_need_no_caller() {
    let (_stage, server, _) = shop();
    let nobody = Client::new(server.address);
    for path in ["/health", "/health/live", "/health/ready"] {
        nobody.get(path).is(200);
    }
    let health = nobody.get("/health").json();
    assert_eq!(health["status"], "ready");
    for part in ["log", "processors", "database"] {
        assert_eq!(health["parts"][part]["status"], "ready", "{health}");
    }
    let metrics = nobody.get("/metrics").is(200);
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let (text, ours) = (metrics.text(), |line: &&str| line.starts_with("orderflow_"));
    assert!(text.lines().filter(ours).count() > 5, "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert!(lines.clone().all(|line| line.starts_with("orderflow_")), "{text}");
}

#[test]
fn a_trace_goes_in_out_and_into_the_records() {
    let (stage, server, _) = shop();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = |answer: Answer| answer.header("traceparent").map(str::to_owned);
    let ann = server.customer("ann").with("traceparent", parent);
    let answer = traced(ann.post("/orders", &order(&[("tea", 1)])).is(201)).unwrap();
    assert_eq!(answer[3..35], parent[3..35]);
    let fresh = traced(server.customer("ann").get("/orders")).unwrap();
    assert!(fresh.len() == parent.len() && fresh[3..35] != parent[3..35], "{fresh}");
    server.stop();
    for topic in ["orders.commands", "orders.events", "stock.commands", "stock.events"] {
        let records = stage.run_on_data(&["tap", topic]).exits(0).stdout;
        assert!(records.contains(&parent[3..35]), "{topic} does not carry the trace");
    }
}
