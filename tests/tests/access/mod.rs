//! Every route, in every role, with every kind of token, on own and on others' objects, in every built-in lifecycle,
//! compared with the tables in `docs/ACCESS.md`.

mod document;
mod shop;

use orderflow_tests::{Answer, Client, TokenMaker, settle};
use serde_json::{Value, json};

use self::{
    document::{Row, handed_and_actions, table},
    shop::{ALL_SCOPES, Shop, in_every_lifecycle},
};

const ROLES: [&str; 5] = ["customer", "admin", "courier", "service", "analyst"];
const MISSING: &str = "/orders/0190aaaa-0000-7000-8000-000000000001";

/// The status and the type of an error.
fn problem(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body["type"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn every_route_is_as_the_table_says_in_every_role() {
    in_every_lifecycle(|shop| {
        let rows = table();
        // Who may not use a route is told so before anything is parsed.
        let nonsense = shop.caller("analyst", "al", ALL_SCOPES).with("if-match", "nonsense");
        let path = format!("{}/status", shop.order);
        let refused = nonsense.with("content-type", "text/plain").send("PATCH", &path, b"{");
        assert_eq!(problem(&refused), (403, "forbidden".to_owned()));
        assert!(rows.len() > 30, "only {} routes were found", rows.len());
        for row in &rows {
            for (role, reach) in ROLES.iter().zip(&row.reach) {
                check_row(&shop, row, role, reach);
            }
        }
    });
}

fn check_row(shop: &Shop, row: &Row, role: &str, reach: &str) {
    let call = shop.call_of(row);
    let answer = shop.call(row, &shop.order, &shop.caller(role, "ann", ALL_SCOPES));
    let (status, slug) = problem(&answer);
    let is_refused =
        (status, slug.as_str()) == (403, "forbidden") && answer.text().contains("may not do this");
    assert_eq!(is_refused, reach == "–", "{call} as {role}: {}", answer.text());
    assert!(status != 401 || row.reach[0] == "open", "{call} as {role}: {}", answer.text());
    assert!(status < 500, "{call} as {role}: {}", answer.text());
    if reach == "open" || reach == "–" {
        return;
    }
    let (status, slug) = problem(&shop.call(row, &shop.order, &shop.caller(role, "ann", "")));
    let lacks = (status, slug.as_str()) == (403, "insufficient-scope");
    assert_eq!(lacks, row.scope.is_some(), "{call} as {role} without scopes: {status} {slug}");
}

#[test]
fn an_action_that_a_lifecycle_lacks_is_a_conflict() {
    in_every_lifecycle(|shop| {
        let (_, actions) = handed_and_actions(shop.lifecycle.name);
        for action in ["approve", "reject", "cancel"] {
            let path = shop.place();
            let answer = shop.admin().post(&format!("{path}/{action}"), &json!({}));
            let has_it = actions.iter().any(|known| known == action);
            let (wanted, name) = (if has_it { 200 } else { 409 }, shop.lifecycle.name);
            assert_eq!(answer.status, wanted, "{name}, {action}: {}", answer.text());
            if !has_it {
                answer.is_problem(409, "illegal-transition");
            }
        }
    });
}

#[test]
fn without_a_valid_token_every_route_but_the_open_ones_is_401() {
    in_every_lifecycle(|shop| {
        let invalid = invalid_tokens(&shop.maker);
        let nobody = Client::new(shop.server.address);
        for row in table().iter().filter(|row| row.reach[0] != "open") {
            let call = shop.call_of(row);
            let answer = shop.call(row, &shop.order, &nobody);
            assert_eq!(problem(&answer), (401, "unauthenticated".to_owned()), "{call}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.is_some_and(|value| value.starts_with("Bearer")), "{call}");
            for (kind, token) in &invalid {
                let answer = shop.call(row, &shop.order, &shop.server.bearer(token));
                assert_eq!(problem(&answer), (401, "invalid-token".to_owned()), "{call}, {kind}");
            }
            let trusted = nobody.with("x-orderflow-role", "admin");
            assert_eq!(shop.call(row, &shop.order, &trusted).status, 401, "{call}: headers are not trusted");
        }
    });
}

fn invalid_tokens(maker: &TokenMaker) -> [(&'static str, String); 8] {
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
    [
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
    ]
}

#[test]
fn another_customers_order_is_answered_like_one_that_does_not_exist() {
    in_every_lifecycle(|shop| {
        // The order is known to the database before it is asked for.
        settle(&shop.admin());
        let bob = shop.caller("customer", "bob", ALL_SCOPES);
        for row in table().iter().filter(|row| row.is_of_an_order() && row.reach[0] == "own") {
            for conditions in [&[][..], &[("if-match", "\"1\"")], &[("if-match", "nonsense")]] {
                let bob = conditions.iter().fold(bob.clone(), |bob, (name, value)| bob.with(name, value));
                let call = format!("{} {conditions:?}", shop.call_of(row));
                let answer = like_missing(&shop, row, &shop.order, &bob, &call);
                // A lifecycle without the action answers so before it looks for the order.
                assert!(matches!(answer.status, 400 | 404 | 409), "{call}: {}", answer.text());
            }
        }
    });
}

/// Panics unless the caller gets the same answer for the order as for one that does not exist. Returns the answer.
fn like_missing(shop: &Shop, row: &Row, order: &str, caller: &Client, call: &str) -> Answer {
    let (found, missing) = (shop.call(row, order, caller), shop.call(row, MISSING, caller));
    let without_id =
        |answer: &Answer, path: &str| answer.text().replace(path.trim_start_matches("/orders/"), "ID");
    assert_eq!(found.status, missing.status, "{call}: {} {}", found.text(), missing.text());
    assert_eq!(without_id(&found, order), without_id(&missing, MISSING), "{call}");
    found
}

#[test]
fn couriers_reach_the_orders_that_are_handed_to_them_and_no_others() {
    in_every_lifecycle(|shop| {
        let (handed, _) = handed_and_actions(shop.lifecycle.name);
        for way in shop.lifecycle.ways {
            for (step, status) in way.iter().enumerate() {
                let is_handed = handed.iter().any(|state| state == status);
                check_courier(&shop, &walk(&shop, &way[..=step]), "curt", is_handed, status);
                check_named_courier(&shop, &walk(&shop, &way[..=step]), is_handed, status);
            }
        }
    });
}

/// A new order that has gone through these states.
fn walk(shop: &Shop, way: &[&str]) -> String {
    let path = shop.place();
    for status in &way[1..] {
        shop.admin().patch(&format!("{path}/status"), &json!({ "status": status })).is(200);
    }
    settle(&shop.admin());
    path
}

/// Calls every route of couriers for an order. Conditions that the order does not meet keep it as it is; a report may
/// ship it.
fn check_courier(shop: &Shop, order: &str, courier: &str, is_handed: bool, status: &str) {
    let caller = shop.caller("courier", courier, ALL_SCOPES);
    for row in table().iter().filter(|row| row.reach[2] == "handed") {
        let call = format!("{} when {status}, as {courier}", shop.call_of(row));
        let has_conditions = row.method != "GET" && !row.path.starts_with("/shipments");
        let caller = if has_conditions { caller.with("if-match", "\"99\"") } else { caller.clone() };
        if is_handed {
            let answer = shop.call(row, order, &caller);
            assert!(matches!(answer.status, 200 | 409 | 412), "{call}: {} {}", answer.status, answer.text());
        } else {
            let answer = like_missing(shop, row, order, &caller, &call);
            assert!(matches!(answer.status, 404 | 409), "{call}: {} {}", answer.status, answer.text());
        }
    }
}

/// Names another courier of the order, and then none again. An order that is over keeps its courier.
fn check_named_courier(shop: &Shop, order: &str, is_handed: bool, status: &str) {
    let name = |id: Value| shop.admin().put(&format!("{order}/courier"), &json!({ "client_id": id }));
    let named = name(json!("carl"));
    if named.status == 409 {
        return;
    }
    settle(&shop.admin());
    assert_eq!(named.is(200).json()["courier_id"], "carl");
    check_courier(shop, order, "curt", false, status);
    check_courier(shop, order, "carl", is_handed, status);
    name(Value::Null).is(200);
}
