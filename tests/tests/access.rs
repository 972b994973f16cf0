//! Every route, in every role, with every kind of token, on own and on others' objects, compared with the table in
//! `docs/ACCESS.md`.

use std::fs;

use orderflow_tests::{Answer, Client, Server, Stage, TokenMaker, order, path_of, repository, supply};
use serde_json::{Value, json};

const ROLES: [&str; 5] = ["customer", "admin", "courier", "service", "analyst"];
const ALL_SCOPES: &str =
    "orders:read orders:write orders:batch stock:read stock:write shipments:write search sql topics:read";

/// A row of the table.
struct Row {
    method: String,
    path: String,
    /// For each role `–`, `own`, `all` or `open`.
    reach: Vec<String>,
    scope: Option<String>,
}

fn table() -> Vec<Row> {
    let text = fs::read_to_string(repository().join("docs/ACCESS.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (method, path) = cells[0].trim_matches('`').split_once(' ').unwrap();
        Row {
            method: method.to_owned(),
            path: path.to_owned(),
            reach: cells[1..6].iter().map(|cell| (*cell).to_owned()).collect(),
            scope: Some(cells[6].trim_matches('`').to_owned()).filter(|scope| scope != "–"),
        }
    });
    rows.collect()
}

/// A server with tokens of a key that the test has, and an order of the customer `ann`.
struct Shop {
    _stage: Stage,
    server: Server,
    maker: TokenMaker,
    order: String,
}

impl Shop {
    fn open() -> Self {
        let mut stage = Stage::new();
        let (maker, key) = (TokenMaker::new(), stage.folder.path().join("key.pem"));
        maker.write(&key);
        stage.set("accounts_signing_key_file", key.display());
        let server = stage.serve_with_accounts();
        let admin = server.bearer(&maker.token("admin", "ada", ALL_SCOPES));
        supply(&admin, "tea", 1299, 1_000);
        let ann = server.bearer(&maker.token("customer", "ann", ALL_SCOPES));
        let order = path_of(&ann.post("/orders", &order(&[("tea", 1)])).is(201));
        Self { _stage: stage, server, maker, order }
    }

    fn caller(&self, role: &str, subject: &str, scope: &str) -> Client {
        self.server.bearer(&self.maker.token(role, subject, scope))
    }

    /// Sends a request that is right in all but, perhaps, its caller.
    fn call(&self, row: &Row, order: &str, caller: &Client) -> Answer {
        let id = order.trim_start_matches("/orders/");
        let path = row.path.replace("/orders/user/{id}", "/orders/user/ann").replace("{sku}", "tea");
        let path = match path.as_str() {
            path if path.starts_with("/users") || path.starts_with("/clients") => {
                path.replace("{id}", "0190aaaa-0000-7000-8000-000000000001")
            }
            path => path.replace("{id}", id),
        };
        let path = path.replace("{topic}/{partition}", "orders.commands/0");
        let body = match (row.method.as_str(), row.path.as_str()) {
            ("GET" | "DELETE", _) => return caller.send(&row.method, &path, b""),
            (_, "/orders/batch" | "/inventory/batch") | ("POST", "/products/batch") => {
                return caller.post_lines(&path, b"");
            }
            (_, "/auth/verify" | "/oauth/token") => {
                let form = caller.with("content-type", "application/x-www-form-urlencoded");
                return form.send("POST", &path, b"token=x");
            }
            (_, "/orders") => {
                let mut body = json!({ "currency": "EUR", "lines": [{ "sku": "tea", "quantity": 1 }] });
                body["customer_id"] = json!("ann");
                body
            }
            (_, "/check-availability") => json!({ "lines": [{ "sku": "tea", "quantity": 1 }] }),
            (_, "/orders/{id}/status") => json!({ "status": "ACCEPTED" }),
            (_, "/inventory/{sku}/receipts") => json!({ "quantity": 1 }),
            (_, "/inventory/{sku}/adjustments") => json!({ "delta": 1, "reason": "found" }),
            ("PUT", _) => json!({ "name": "Tea", "unit_price": 1299, "currency": "EUR" }),
            _ => json!({}),
        };
        caller.with("content-type", "application/json").send(&row.method, &path, body.to_string().as_bytes())
    }
}

/// The status and the type of an error.
fn problem(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body["type"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn every_route_is_as_the_table_says_in_every_role() {
    let shop = Shop::open();
    let rows = table();
    // Who may not use a route is told so before anything is parsed.
    let nonsense = shop.caller("analyst", "al", ALL_SCOPES).with("if-match", "nonsense");
    let refused =
        nonsense.with("content-type", "text/plain").send("PATCH", &format!("{}/status", shop.order), b"{");
    assert_eq!(problem(&refused), (403, "forbidden".to_owned()));
    assert!(rows.len() > 30, "only {} routes were found", rows.len());
    for row in &rows {
        let call = format!("{} {}", row.method, row.path);
        for (role, reach) in ROLES.iter().zip(&row.reach) {
            let answer = shop.call(row, &shop.order, &shop.caller(role, "ann", ALL_SCOPES));
            let (status, slug) = problem(&answer);
            let is_refused =
                (status, slug.as_str()) == (403, "forbidden") && answer.text().contains("may not do this");
            assert_eq!(is_refused, reach == "–", "{call} as {role}: {}", answer.text());
            assert!(status != 401 || row.reach[0] == "open", "{call} as {role}: {}", answer.text());
            if reach == "open" || reach == "–" {
                continue;
            }
            let (status, slug) = problem(&shop.call(row, &shop.order, &shop.caller(role, "ann", "")));
            let lacks = (status, slug.as_str()) == (403, "insufficient-scope");
            assert_eq!(lacks, row.scope.is_some(), "{call} as {role} without scopes: {status} {slug}");
        }
    }
}

#[test]
fn without_a_valid_token_every_route_but_the_open_ones_is_401() {
    let shop = Shop::open();
    let maker = &shop.maker;
    let with = |name: &str, value: Value| {
        let mut claims = TokenMaker::claims("admin", "ada", ALL_SCOPES);
        claims[name] = value;
        claims
    };
    let claims = TokenMaker::claims("admin", "ada", ALL_SCOPES);
    let header = |name: &str, value: &str| {
        let mut header = maker.header();
        header[name] = json!(value);
        header
    };
    let invalid = [
        ("expired", maker.sign(&maker.header(), &with("exp", json!(1_000_000_000)))),
        ("another issuer", maker.sign(&maker.header(), &with("iss", json!("another")))),
        ("another key", TokenMaker::new().token("admin", "ada", ALL_SCOPES)),
        ("another key under our id", TokenMaker::new().sign(&maker.header(), &claims)),
        (
            "no signature",
            maker.sign(&header("alg", "none"), &claims).rsplit_once('.').unwrap().0.to_owned() + ".",
        ),
        ("another type", maker.sign(&header("typ", "JWT"), &claims)),
        ("another algorithm", maker.sign(&header("alg", "HS256"), &claims)),
        ("nonsense", "nonsense".to_owned()),
    ];
    let nobody = Client::new(shop.server.address);
    for row in table().iter().filter(|row| row.reach[0] != "open") {
        let call = format!("{} {}", row.method, row.path);
        let answer = shop.call(row, &shop.order, &nobody);
        assert_eq!(problem(&answer), (401, "unauthenticated".to_owned()), "{call}");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{call}");
        for (kind, token) in &invalid {
            let answer = shop.call(row, &shop.order, &shop.server.bearer(token));
            assert_eq!(problem(&answer), (401, "invalid-token".to_owned()), "{call}, {kind}");
        }
        let trusted = nobody.with("x-orderflow-role", "admin");
        assert_eq!(shop.call(row, &shop.order, &trusted).status, 401, "{call}: headers are not trusted");
    }
}

#[test]
fn another_customers_order_is_answered_like_one_that_does_not_exist() {
    let shop = Shop::open();
    let missing = format!("/orders/{}", "0190aaaa-0000-7000-8000-000000000001");
    let bob = shop.caller("customer", "bob", ALL_SCOPES);
    // The order is known to the database before it is asked for.
    let ann = shop.caller("customer", "ann", ALL_SCOPES);
    orderflow_tests::wait_until("the order is there", || (ann.get(&shop.order).status == 200).then_some(()));
    for row in table().iter().filter(|row| row.path.contains("orders/{id}")) {
        for conditions in [&[][..], &[("if-match", "\"1\"")], &[("if-match", "nonsense")]] {
            let bob = conditions.iter().fold(bob.clone(), |bob, (name, value)| bob.with(name, value));
            let call = format!("{} {} {conditions:?}", row.method, row.path);
            let (foreign, missing) = (shop.call(row, &shop.order, &bob), shop.call(row, &missing, &bob));
            let without_id = |answer: &Answer, path: &str| {
                answer.text().replace(path.trim_start_matches("/orders/"), "ID")
            };
            assert_eq!(foreign.status, missing.status, "{call}: {} {}", foreign.text(), missing.text());
            assert_eq!(
                without_id(&foreign, &shop.order),
                without_id(&missing, "/orders/0190aaaa-0000-7000-8000-000000000001"),
                "{call}"
            );
            assert!(foreign.status == 404 || foreign.status == 400, "{call}: {}", foreign.text());
        }
    }
}
