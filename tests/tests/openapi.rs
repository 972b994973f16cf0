//! The description of the API: what is served, and whether the server does what it says.

use std::collections::BTreeSet;

use orderflow_tests::{Client, Schemathesis, Stage, order, repository, supply};
use serde_json::{Value, json};

const ADMIN: (&str, &str) = ("ada@example.com", "pale-otter-43-lamp");
/// Operations that change the caller's own log-in, and so have a run of their own.
const OWN_LOG_IN: &str = "^/auth/(logout|password|profile)$";
/// Operations that never succeed in a run, since the document cannot say what they need.
const MAY_NEVER_SUCCEED: [&str; 3] = [
    // A code comes from an admin to a person.
    "POST /auth/reset",
    // The names of the page's files are in the page.
    "GET /docs/{file}",
    // The default lifecycle takes no returns.
    "POST /orders/{id}/returns",
];

#[test]
fn the_server_does_what_its_description_says() {
    let stage = Stage::new()
        .with("admin_email", ADMIN.0)
        .with("admin_password", ADMIN.1)
        .with("accounts_failures_per_address", 10_000)
        .with("accounts_registrations_per_address", 0);
    let server = stage.serve_with_accounts();
    let login = json!({ "login": ADMIN.0, "password": ADMIN.1 });
    let token = Client::new(server.address).post("/auth/login", &login).is(200).json();
    let admin = server.bearer(token["access_token"].as_str().unwrap());
    for sku in ["A123", "B-7", "größe-42"] {
        supply(&admin, sku, 1299, 1_000_000);
    }
    let mut basket = order(&[("A123", 1)]);
    basket["customer_id"] = json!("c-17");
    let placed = admin.post("/orders", &basket).is(201);
    admin.after(&placed).get("/orders").is(200);
    let shop = admin.post("/clients", &json!({ "name": "the shop", "role": "service" })).is(201).json();
    let person = json!({ "email": "bob@example.org", "name": "Bob", "password": "brown-heron-71-kite" });
    let person = Client::new(server.address).post("/auth/register", &person).is(201).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let position = placed.header("orderflow-position").unwrap().to_owned();
    let mut variables = vec![
        ("ORDERFLOW_LOGIN", ADMIN.0.to_owned()),
        ("ORDERFLOW_PASSWORD", ADMIN.1.to_owned()),
        ("ORDERFLOW_POSITION", position),
        ("ORDERFLOW_CLIENT_ID", text(&shop["id"])),
        ("ORDERFLOW_CLIENT_SECRET", text(&shop["client_secret"])),
        ("ORDERFLOW_PERSON", text(&person["id"])),
    ];
    let Some(checker) = Schemathesis::find(variables.clone()) else { return };
    let most = checker.check(&server.url(), &["--exclude-path-regex", OWN_LOG_IN]);
    variables.push(("ORDERFLOW_OWN_ACCOUNTS", "1".to_owned()));
    let checker = Schemathesis::find(variables).unwrap();
    let phases = "examples,coverage,fuzzing";
    let own = checker.check(&server.url(), &["--include-path-regex", OWN_LOG_IN, "--phases", phases]);
    // A run whose log-in has ended meets only 401, which the document allows.
    for report in [&most, &own] {
        assert_eq!(report["auth"]["reauth_broke"], json!(false), "{}", report["auth"]);
    }
    // Every operation was called with valid requests, or not at all by a mistake of this test.
    let document = Client::new(server.address).get("/openapi.json").is(200).json();
    let called: BTreeSet<_> = [&most, &own].into_iter().flat_map(operations_of).collect();
    let mut described = described(&document);
    // The document itself is read at the start of a run, and is not in the report.
    described.remove("GET /openapi.json");
    assert_eq!(called, described);
    let refused = [&most, &own].into_iter().flat_map(never_accepted);
    let refused: Vec<_> = refused.filter(|name| !MAY_NEVER_SUCCEED.contains(&name.as_str())).collect();
    assert!(refused.is_empty(), "no valid request succeeds: {refused:?}");
    server.stop();
    stage.verify_clean();
}

/// The operations that a report is about.
fn operations_of(report: &Value) -> Vec<String> {
    report["valid_rates"].as_object().expect("a report has rates").keys().cloned().collect()
}

/// The operations of a document, as a report names them.
fn described(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("a document has paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("a path has operations").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

/// The operations of a report of which no valid request succeeded.
fn never_accepted(report: &Value) -> BTreeSet<String> {
    let operations = report["valid_rates"].as_object().expect("a report has rates");
    let accepted = |phases: &Value| {
        let phases = phases.as_object().expect("an operation has phases");
        phases.values().filter_map(|phase| phase["accepted"].as_u64()).sum::<u64>()
    };
    operations.iter().filter(|(_, phases)| accepted(phases) == 0).map(|(name, _)| name.clone()).collect()
}

#[test]
fn the_document_and_its_page_come_from_the_server_alone() {
    let stage = Stage::new();
    let committed = std::fs::read_to_string(repository().join("docs/openapi.json")).unwrap();
    assert_eq!(stage.run(&["openapi"]).exits(0).stdout, committed);
    let server = stage.serve_with_accounts();
    let client = Client::new(server.address);
    let served = client.get("/openapi.json").is(200);
    assert_eq!(served.text(), committed);
    assert_eq!(client.get("/docs").is(308).header("location"), Some("/docs/"));
    for path in ["/docs/", "/docs/swagger-initializer.js"] {
        let page = client.get(path).is(200);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!page.text().contains("http://") && !page.text().contains("https://"), "{}", page.text());
    }
    client.get("/docs/other.html").is(404);
    client.get("/docs/%ff").is_problem(400, "invalid-path");
    server.stop();
    // A server that trusts headers says so, and has no accounts.
    let server = stage.serve();
    let document = Client::new(server.address).get("/openapi.json").is(200).json();
    let schemes: Vec<_> = document["components"]["securitySchemes"].as_object().unwrap().keys().collect();
    assert_eq!(schemes, ["role", "subject"]);
    assert!(document["paths"].get("/auth/login").is_none());
    server.stop();
}
