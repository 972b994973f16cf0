//! A wrong request gets a response with a status, a type and a pointer to the field, and changes nothing.

use orderflow_tests::{Answer, Client, Server, Stage, order, supply, wait_levels};
use serde_json::{Value, json};

/// A server with stock of tea and milk, and the client `ann`.
fn shop() -> (Stage, Server, Client) {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    supply(&server.admin(), "milk", 99, 10);
    let ann = server.customer("ann");
    (stage, server, ann)
}

fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut order = order(&[("tea", 1), ("milk", 1)]);
    change(&mut order);
    order.to_string()
}

fn place(client: &Client, body: &str) -> Answer {
    client.with("content-type", "application/json").send("POST", "/orders", body.as_bytes())
}

#[test]
fn an_order_that_is_no_order_is_refused_with_a_pointer_to_what_is_wrong() {
    let (stage, server, ann) = shop();
    let long = "x".repeat(1001);
    let many: Vec<_> = (0..501).map(|n| json!({ "sku": format!("s{n}"), "quantity": 1 })).collect();
    let line = |field: &'static str, value: Value| with(|order| order["lines"][1][field] = value);
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("an unknown field", with(|order| order["colour"] = "red".into()), &["/colour"]),
        ("an unknown field of a line", line("colour", "red".into()), &["/lines/1/colour"]),
        ("no currency", json!({ "lines": [{ "sku": "tea", "quantity": 1 }] }).to_string(), &["/currency"]),
        ("no lines", json!({ "currency": "EUR" }).to_string(), &["/lines"]),
        ("no SKU", with(|order| order["lines"][1] = json!({ "quantity": 1 })), &["/lines/1/sku"]),
        ("no quantity", with(|order| order["lines"][1] = json!({ "sku": "tea" })), &["/lines/1/quantity"]),
        ("quantity 0", line("quantity", 0.into()), &["/lines/1/quantity"]),
        ("a negative quantity", line("quantity", (-1).into()), &["/lines/1/quantity"]),
        ("a quantity above the limit", line("quantity", 1_000_001.into()), &["/lines/1/quantity"]),
        ("a quantity beyond 64 bits", line("quantity", json!(1e30)), &["/lines/1/quantity"]),
        ("a quantity with a fraction", line("quantity", json!(1.5)), &["/lines/1/quantity"]),
        ("a quantity that is text", line("quantity", "1".into()), &["/lines/1/quantity"]),
        ("a negative price", line("unit_price", (-1).into()), &["/lines/1/unit_price"]),
        (
            "a price above the limit",
            line("unit_price", json!(1_000_000_000_001_u64)),
            &["/lines/1/unit_price"],
        ),
        ("an empty SKU", line("sku", "".into()), &["/lines/1/sku"]),
        ("a SKU of two words", line("sku", "green tea".into()), &["/lines/1/sku"]),
        ("no line", with(|order| order["lines"] = json!([])), &["/lines"]),
        ("501 lines", json!({ "currency": "EUR", "lines": many }).to_string(), &["/lines"]),
        ("no currency of ISO 4217", with(|order| order["currency"] = "EUX".into()), &["/currency"]),
        ("a currency in small letters", with(|order| order["currency"] = "eur".into()), &["/currency"]),
        ("notes that are too long", with(|order| order["notes"] = long.as_str().into()), &["/notes"]),
        ("a time that is none", with(|order| order["placed_at"] = "yesterday".into()), &["/placed_at"]),
        ("lines that are no list", with(|order| order["lines"] = json!({})), &["/lines"]),
        (
            "several at once",
            with(|order| {
                order["currency"] = "EUX".into();
                order["lines"][0]["quantity"] = 0.into();
                order["notes"] = long.as_str().into();
            }),
            &["/currency", "/lines/0/quantity", "/notes"],
        ),
    ];
    for (what, body, pointers) in cases {
        eprintln!("{what}");
        let problem = place(&ann, &body).is_problem(400, "invalid-request");
        let errors = problem["errors"].as_array().unwrap();
        let pointed: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointed, pointers, "{problem}");
    }
    nothing_happened(&stage, server);
}

#[track_caller]
fn nothing_happened(stage: &Stage, server: Server) {
    let admin = server.admin();
    assert_eq!(admin.get("/orders?page=1").is(200).json()["total"], 0);
    wait_levels(&admin, "tea", [10, 10, 0, 0, 0]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    let (stage, server, ann) = shop();
    let two = order(&[("tea", 1)]).to_string().repeat(2);
    for body in ["", "{", "tea", "{\"currency\":\"EUR\",}", &two, "\u{0}"] {
        place(&ann, body).is_problem(400, "malformed-json");
    }
    ann.with("content-type", "application/json")
        .send("POST", "/orders", b"\"\xff\"")
        .is_problem(400, "malformed-json");
    nothing_happened(&stage, server);
}

#[test]
fn a_body_of_another_type_is_refused() {
    let (stage, server, ann) = shop();
    let wanted = order(&[("tea", 1)]).to_string();
    ann.send("POST", "/orders", wanted.as_bytes()).is_problem(415, "unsupported-media-type");
    let form = ann.with("content-type", "application/x-www-form-urlencoded");
    form.send("POST", "/orders", b"sku=tea").is_problem(415, "unsupported-media-type");
    let json = server.admin().with("content-type", "application/json");
    json.send("POST", "/orders/batch", wanted.as_bytes()).is_problem(415, "unsupported-media-type");
    let brotli = server.admin().with("content-encoding", "br");
    brotli.post_lines("/orders/batch", b"{}").is_problem(415, "unsupported-encoding");
    nothing_happened(&stage, server);
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let (stage, server, ann) = shop();
    let long = with(|order| order["notes"] = "x".repeat(1 << 20).into());
    place(&ann, &long).is_problem(413, "body-too-large");
    let wanted = with(|_| ());
    let padded = |bytes: usize| wanted.clone() + &" ".repeat(bytes - wanted.len());
    place(&ann, &padded((1 << 20) + 1)).is_problem(413, "body-too-large");
    assert_eq!(server.admin().get("/orders?page=1").is(200).json()["total"], 0);
    place(&ann, &padded(1 << 20)).is(201);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_path_that_leads_nowhere_is_a_problem_too() {
    let (stage, server, ann) = shop();
    ann.get("/nowhere").is_problem(404, "no-such-route");
    ann.send("PUT", "/orders", b"").is_problem(405, "method-not-allowed");
    let unknown = "/orders/01890000-0000-7000-8000-000000000000";
    ann.get(unknown).is_problem(404, "order-not-found");
    ann.delete(unknown).is_problem(404, "order-not-found");
    orderflow_tests::change(&server.admin(), unknown, "ACCEPTED").is_problem(404, "order-not-found");
    ann.get(&format!("/search{unknown}/history")).is_problem(404, "order-not-found");
    for no_id in ["/orders/7", "/orders/tea", "/orders/01890000-0000-7000-8000-00000000000"] {
        ann.get(no_id).is_problem(400, "invalid-id");
        ann.delete(no_id).is_problem(400, "invalid-id");
        orderflow_tests::change(&ann, no_id, "CANCELED").is_problem(400, "invalid-id");
        ann.get(&format!("/search{no_id}/history")).is_problem(400, "invalid-id");
    }
    nothing_happened(&stage, server);
}

#[test]
fn a_parameter_that_is_unknown_or_wrong_is_refused_by_name() {
    let (stage, server, _) = shop();
    let admin = server.admin();
    for (path, name) in [
        ("/orders?colour=red", "colour"),
        ("/orders?status=LOST", "status"),
        ("/orders?limit=0", "limit"),
        ("/orders?limit=1001", "limit"),
        ("/orders?limit=many", "limit"),
        ("/orders?page=0", "page"),
        ("/orders?page=1&cursor=00", "page"),
        ("/orders?cursor=elsewhere", "cursor"),
        ("/orders?from=yesterday", "from"),
        ("/orders?limit=1&limit=2", "limit"),
        ("/orders/user/ann?customer_id=bob", "customer_id"),
        ("/inventory?sku=tea", "sku"),
        ("/products?limit=-1", "limit"),
    ] {
        let problem = admin.get(path).is_problem(400, "invalid-parameter");
        assert_eq!(problem["parameter"], name, "{path}: {problem}");
    }
    admin.with("orderflow-min-position", "here").get("/orders").is_problem(400, "invalid-position");
    nothing_happened(&stage, server);
}

#[test]
fn receipts_adjustments_and_products_are_checked_as_orders_are() {
    let (stage, server, _) = shop();
    let admin = server.admin();
    let refused = |answer: Answer, pointer: &str| {
        let problem = answer.is_problem(400, "invalid-request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    };
    for quantity in [json!(0), json!(-1), json!(1.5), json!(1_000_000_001), json!("1"), json!(null)] {
        refused(admin.post("/inventory/tea/receipts", &json!({ "quantity": quantity })), "/quantity");
    }
    refused(admin.post("/inventory/tea/adjustments", &json!({ "delta": 0, "reason": "x" })), "/delta");
    refused(admin.post("/inventory/tea/adjustments", &json!({ "delta": 1, "reason": " " })), "/reason");
    refused(admin.post("/inventory/tea/adjustments", &json!({ "delta": 1 })), "/reason");
    let product = |name: &str, price: i64, currency: &str| {
        admin.put("/products/tea", &json!({ "name": name, "unit_price": price, "currency": currency }))
    };
    refused(product("", 1, "EUR"), "/name");
    refused(product("Tea", -1, "EUR"), "/unit_price");
    refused(product("Tea", 1, "EUX"), "/currency");
    admin.put("/products/green%20tea", &json!({})).is_problem(400, "invalid-sku");
    let receipt = json!({ "quantity": 1 });
    admin.post("/inventory/green%20tea/receipts", &receipt).is_problem(400, "invalid-sku");
    admin.post("/check-availability", &json!({ "lines": [] })).is_problem(400, "invalid-request");
    nothing_happened(&stage, server);
}
