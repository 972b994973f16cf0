//! Accounts in Postgres while it is unavailable: tokens that were issued before are checked against what the server
//! knows, for as long as the settings allow; everything about accounts waits for Postgres.

use orderflow_tests::{Answer, Client, Cluster, Server, Stage, path_of, supply, wait_until};
use serde_json::{Value, json};

const ADMIN: (&str, &str) = ("ada@example.com", "pale-otter-43-lamp");

fn stage(cluster: &Cluster, revocations_age_s_max: u64) -> Stage {
    Stage::new()
        .database(&cluster.database())
        .with("admin_email", ADMIN.0)
        .with("admin_password", ADMIN.1)
        .with("accounts_revocations_age_s_max", revocations_age_s_max)
}

fn try_log_in(server: &Server) -> Answer {
    Client::new(server.address).post("/auth/login", &json!({ "login": ADMIN.0, "password": ADMIN.1 }))
}

fn log_in(server: &Server) -> (Client, Value) {
    let tokens = try_log_in(server).is(200).json();
    (server.bearer(tokens["access_token"].as_str().unwrap()), tokens)
}

fn order() -> Value {
    json!({ "currency": "EUR", "customer_id": "ann", "lines": [{ "sku": "tea", "quantity": 1 }] })
}

/// Panics unless the response reports that accounts are unavailable now, and when to try again.
#[track_caller]
fn is_away(answer: &Answer) {
    answer.is_problem(503, "accounts-unavailable");
    assert!(answer.header("retry-after").is_some(), "{}", answer.text());
}

fn wait_health(server: &Server, wanted: &str) {
    wait_until(&format!("the health says that accounts are {wanted}"), || {
        let health = Client::new(server.address).get("/health").json();
        let is_named = health["parts"]["accounts"]["status"] == wanted;
        (is_named && (wanted == "ready" || health["status"] == wanted)).then_some(())
    });
}

/// Everything that needs the store of accounts, but checking a token.
#[track_caller]
fn store_is_needed(server: &Server, admin: &Client, tokens: &Value) {
    let anyone = Client::new(server.address);
    is_away(&try_log_in(server));
    is_away(&anyone.post("/auth/refresh", &json!({ "refresh_token": tokens["refresh_token"] })));
    let person = json!({ "email": "bob@example.com", "name": "Bob", "password": "brown-heron-71-kite" });
    is_away(&anyone.post("/auth/register", &person));
    is_away(&admin.get("/users"));
    is_away(&admin.post("/auth/logout", &json!({})));
    let form = anyone.with("content-type", "application/x-www-form-urlencoded");
    let body =
        b"grant_type=client_credentials&client_id=0190aaaa-0000-7000-8000-000000000001&client_secret=x";
    let answer = form.send("POST", "/oauth/token", body);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some(), "{}", answer.text());
}

#[test]
fn while_the_store_of_accounts_is_away_valid_tokens_are_accepted_and_orders_decided() {
    let cluster = Cluster::start();
    let stage = stage(&cluster, 3_600);
    let server = stage.serve_with_accounts();
    let (admin, tokens) = log_in(&server);
    supply(&admin, "tea", 549, 1_000);
    for _ in 0..2 {
        cluster.kill();
        let placed = admin.post("/orders", &order()).is(201);
        wait_health(&server, "waiting");
        store_is_needed(&server, &admin, &tokens);
        server.bearer("nonsense").post("/orders", &order()).is(401);
        let later = admin.post("/orders", &order()).is(201);
        Client::new(server.address).get("/health/ready").is(200);
        cluster.run();
        wait_until("people can log in again", || (try_log_in(&server).status == 200).then_some(()));
        wait_health(&server, "ready");
        for placed in [placed, later] {
            wait_until("the order is shown", || (admin.get(&path_of(&placed)).status == 200).then_some(()));
        }
    }
    // What was refused meanwhile has not happened.
    admin.get("/auth/profile").is(200);
    assert_eq!(admin.get("/users?page=1").is(200).json()["total"], 1);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    Client::new(server.address).post("/auth/refresh", &refresh).is(200);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_store_of_accounts_that_stays_away_ends_all_access_until_it_is_back() {
    let cluster = Cluster::start();
    let stage = stage(&cluster, 5);
    let server = stage.serve_with_accounts();
    let (admin, _) = log_in(&server);
    // Enough for all orders of the seconds until the list of revocations is too old.
    supply(&admin, "tea", 549, 1_000_000);
    let (leaving, _) = log_in(&server);
    cluster.kill();
    wait_until("no token is accepted any more", || {
        let answer = admin.post("/orders", &order());
        (answer.status == 503).then(|| is_away(&answer))
    });
    is_away(&admin.get("/inventory"));
    is_away(&server.bearer("nonsense").get("/inventory"));
    Client::new(server.address).get("/inventory").is(401);
    wait_health(&server, "waiting");
    cluster.run();
    wait_until("the token is accepted again", || match admin.post("/orders", &order()) {
        answer if answer.status == 503 => None,
        answer => Some(answer.is(201)),
    });
    wait_health(&server, "ready");
    leaving.post("/auth/logout", &json!({})).is(204);
    leaving.get("/orders").is(401);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_server_that_starts_without_its_store_of_accounts_accepts_tokens_once_it_is_there() {
    let cluster = Cluster::start();
    let stage = stage(&cluster, 3_600);
    cluster.kill();
    let server = stage.serve_with_accounts();
    is_away(&server.bearer("nonsense").get("/inventory"));
    is_away(&try_log_in(&server));
    wait_health(&server, "waiting");
    cluster.run();
    wait_until("the first admin can log in", || (try_log_in(&server).status == 200).then_some(()));
    wait_health(&server, "ready");
    let (admin, _) = log_in(&server);
    server.stop();
    // The same with a store that has keys already.
    cluster.kill();
    let server = stage.serve_with_accounts();
    let admin = admin.moved_to(server.address);
    is_away(&admin.get("/auth/profile"));
    cluster.run();
    wait_until("the token of before is accepted", || match admin.get("/auth/profile") {
        answer if answer.status == 503 => None,
        answer => Some(answer.is(200)),
    });
    server.stop();
}
