//! Accounts with the real binary: log-in, machine clients by the command line, restarts, kills, an unavailable store.

use orderflow_tests::{Answer, Client, Server, Stage, execute, order, path_of, supply, wait_until};
use serde_json::json;

const ADMIN: (&str, &str) = ("ada@example.com", "pale-otter-43-lamp");
const PASSWORD: &str = "brown-heron-71-kite";

fn stage() -> Stage {
    Stage::new().with("admin_email", ADMIN.0).with("admin_password", ADMIN.1)
}

#[track_caller]
fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", answer.text())).to_owned()
}

/// Logs in. Returns a client with the access token, and the answer.
#[track_caller]
fn log_in(server: &Server, login: &str, password: &str) -> (Client, Answer) {
    let body = json!({ "login": login, "password": password });
    let answer = Client::new(server.address).post("/auth/login", &body).is(200);
    (server.bearer(&text(&answer, "access_token")), answer)
}

#[track_caller]
fn register(server: &Server, email: &str) -> String {
    let body = json!({ "email": email, "name": "A Person", "password": PASSWORD });
    text(&Client::new(server.address).post("/auth/register", &body).is(201), "id")
}

/// A token of a machine client.
#[track_caller]
fn client_token(server: &Server, id: &str, secret: &str) -> Answer {
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let client = Client::new(server.address).with("content-type", "application/x-www-form-urlencoded");
    client.send("POST", "/oauth/token", form.as_bytes())
}

#[test]
fn people_order_for_themselves_and_their_names_are_in_no_record() {
    let stage = stage();
    let server = stage.serve_with_accounts();
    let (admin, _) = log_in(&server, ADMIN.0, ADMIN.1);
    supply(&admin, "tea", 1299, 10);
    let id = register(&server, "zelda.quux@example.org");
    let (zelda, _) = log_in(&server, "zelda.quux@example.org", PASSWORD);
    let placed = zelda.post("/orders", &order(&[("tea", 1)])).is(201);
    assert_eq!(placed.json()["customer_id"], json!(id));
    let token = text(&log_in(&server, ADMIN.0, ADMIN.1).1, "access_token");
    let topics = stage.run(&["topics", "--url", &server.url(), "--token", &token]).exits(0);
    assert!(topics.stdout.contains("orders.events"), "{}", topics.stdout);
    let refused = stage.run(&["topics", "--url", &server.url()]).exits(1);
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
    register(&server, "bob@example.org");
    let (bob, _) = log_in(&server, "bob@example.org", PASSWORD);
    bob.after(&placed).get(&path_of(&placed)).is(404);
    admin.delete(&format!("/users/{id}")).is(204);
    admin.after(&placed).get(&path_of(&placed)).is(200);
    server.stop();
    let folder = std::process::Command::new("grep")
        .args(["-r", "-i", "-l", "-a", "zelda\\|quux"])
        .arg(stage.data())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&folder.stdout), "", "files that name an erased person");
    stage.verify_clean();
}

#[test]
fn machine_clients_come_and_go_by_the_command_line_beside_a_running_server() {
    let stage = stage();
    let server = stage.serve_with_accounts();
    let added = stage
        .run_on_data(&["clients", "add", "shop", "--role", "service", "--scopes", "stock:read"])
        .exits(0);
    let added: serde_json::Value = serde_json::from_str(&added.stdout).unwrap();
    let (id, secret) = (added["id"].as_str().unwrap(), added["client_secret"].as_str().unwrap());
    let token = text(&client_token(&server, id, secret).is(200), "access_token");
    let client = server.bearer(&token);
    client.get("/inventory").is(200);
    client.get("/orders").is(403);
    let listed = stage.run_on_data(&["clients", "list"]).exits(0);
    assert!(listed.stdout.contains(id) && !listed.stdout.contains(secret), "{}", listed.stdout);
    stage.run_on_data(&["clients", "remove", id]).exits(0);
    wait_until("the removed client's token is refused", || {
        (client.get("/inventory").status == 401).then_some(())
    });
    client_token(&server, id, secret).is(400);
    stage.run_on_data(&["clients", "remove", id]).exits(1);
    stage.run_on_data(&["clients", "add", "x", "--role", "admin"]).exits(1);
}

#[test]
fn log_ins_survive_kills_and_new_keys() {
    let stage = stage();
    let server = stage.serve_with_accounts();
    register(&server, "ann@example.com");
    let (ann, tokens) = log_in(&server, "ann@example.com", PASSWORD);
    let (other, _) = log_in(&server, "ann@example.com", PASSWORD);
    other.post("/auth/logout", &json!({})).is(204);
    let token = ann.clone();
    server.kill();
    stage.run_on_data(&["keys", "rotate"]).exits(0);
    let server = stage.serve_with_accounts();
    let at = |client: &Client| client.moved_to(server.address);
    at(&token).get("/auth/profile").is(200);
    at(&other).get("/auth/profile").is(401);
    let refresh = json!({ "refresh_token": text(&tokens, "refresh_token") });
    Client::new(server.address).post("/auth/refresh", &refresh).is(200);
    let keys = Client::new(server.address).get("/.well-known/jwks.json").is(200);
    assert_eq!(keys.json()["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn a_session_of_the_greatest_age_cannot_be_refreshed() {
    let stage = stage();
    let server = stage.serve_with_accounts();
    register(&server, "ann@example.com");
    let refresh = |tokens: &Answer| {
        let body = json!({ "refresh_token": text(tokens, "refresh_token") });
        Client::new(server.address).post("/auth/refresh", &body)
    };
    let (_, tokens) = log_in(&server, "ann@example.com", PASSWORD);
    let tokens = refresh(&tokens).is(200);
    let accounts = stage.data().join("accounts.sqlite");
    let older = |days: i64| {
        let micros = days * 86_400_000_000;
        assert!(execute(&accounts, &format!("UPDATE sessions SET created_at = created_at - {micros}")) > 0);
    };
    older(89);
    let tokens = refresh(&tokens).is(200);
    older(1);
    refresh(&tokens).is_problem(401, "invalid-refresh-token");
    server.stop();
}

#[test]
fn another_email_address_needs_the_current_password() {
    let stage = stage();
    let server = stage.serve_with_accounts();
    register(&server, "ann@example.com");
    let (ann, _) = log_in(&server, "ann@example.com", PASSWORD);
    let change = json!({ "email": "ann@example.org" });
    let refused = ann.patch("/auth/profile", &change).is_problem(400, "invalid-request");
    assert_eq!(refused["errors"][0]["pointer"], "/current_password");
    let wrong = json!({ "email": "ann@example.org", "current_password": "some-other-password" });
    ann.patch("/auth/profile", &wrong).is_problem(400, "invalid-request");
    let right = json!({ "email": "ann@example.org", "current_password": PASSWORD });
    ann.patch("/auth/profile", &right).is(200);
    log_in(&server, "ann@example.org", PASSWORD);
    ann.patch("/auth/profile", &json!({ "email": "ann@example.org", "name": "Ann" })).is(200);
}

#[test]
fn the_database_of_orders_can_be_deleted_and_accounts_stay() {
    let stage = stage();
    let server = stage.serve_with_accounts();
    let (admin, _) = log_in(&server, ADMIN.0, ADMIN.1);
    supply(&admin, "tea", 1299, 10);
    register(&server, "ann@example.com");
    let (ann, _) = log_in(&server, "ann@example.com", PASSWORD);
    let placed = ann.post("/orders", &order(&[("tea", 1)])).is(201);
    server.stop();
    for file in std::fs::read_dir(stage.data()).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("orders.sqlite") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let server = stage.serve_with_accounts();
    let (ann, _) = log_in(&server, "ann@example.com", PASSWORD);
    ann.after(&placed).get(&path_of(&placed)).is(200);
}

#[test]
fn a_server_needs_accounts_or_loopback() {
    let stage = Stage::new();
    let data = stage.data().to_str().unwrap();
    let ran = stage.run(&["serve", "--data", data, "--insecure-no-auth", "--listen", "0.0.0.0:0"]).exits(1);
    assert!(ran.stderr.contains("loopback"), "{}", ran.stderr);
    let half = Stage::new().with("admin_email", "ada@example.com");
    let ran = half.start(&[]).wait().exits(1);
    assert!(ran.stderr.contains("ORDERFLOW_ADMIN_PASSWORD"), "{}", ran.stderr);
    let weak = Stage::new().with("admin_email", "ada@example.com").with("admin_password", "password");
    let ran = weak.start(&[]).wait().exits(1);
    assert!(
        ran.stderr.contains("ORDERFLOW_ADMIN_PASSWORD") && !ran.stderr.contains("\"password\""),
        "{}",
        ran.stderr
    );
}

#[test]
fn accounts_work_the_same_on_postgres() {
    let stage = stage().on_postgres();
    let server = stage.serve_with_accounts();
    let (admin, _) = log_in(&server, ADMIN.0, ADMIN.1);
    let id = register(&server, "zelda.quux@example.org");
    let taken = json!({ "email": "Zelda.Quux@example.org", "name": "Z", "password": PASSWORD });
    Client::new(server.address).post("/auth/register", &taken).is(409);
    let (zelda, tokens) = log_in(&server, "zelda.quux@example.org", PASSWORD);
    zelda.get("/auth/profile").is(200);
    let list = admin.get("/users?q=quux&role=customer&page=1").is(200).json();
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(1), &json!(id)));
    let refresh = json!({ "refresh_token": text(&tokens, "refresh_token") });
    let anyone = Client::new(server.address);
    let first = anyone.post("/auth/refresh", &refresh).is(200);
    let again = anyone.post("/auth/refresh", &refresh).is(200);
    assert_eq!(text(&first, "refresh_token"), text(&again, "refresh_token"));
    let added = admin
        .post("/clients", &json!({ "name": "shop", "role": "analyst", "requests_per_second": 900 }))
        .is(201);
    let (client, secret) = (text(&added, "id"), text(&added, "client_secret"));
    let token = text(&client_token(&server, &client, &secret).is(200), "access_token");
    let limited = wait_until("the server has read the limit", || {
        Some(server.bearer(&token).get("/orders").is(200))
            .filter(|answer| answer.header("ratelimit").is_some())
    });
    assert_eq!(limited.header("ratelimit-policy"), Some("\"client\";q=900;w=1"));
    admin.delete(&format!("/clients/{client}")).is(204);
    server.bearer(&token).get("/orders").is(401);
    admin.patch(&format!("/users/{id}"), &json!({ "disabled": true })).is(200);
    zelda.get("/auth/profile").is(401);
    admin.post(&format!("/users/{id}/reset"), &json!({})).is(200);
    admin.delete(&format!("/users/{id}")).is(204);
    let me = text(&admin.get("/auth/profile").is(200), "id");
    admin.delete(&format!("/users/{me}")).is(409);
    server.stop();
    let server = stage.serve_with_accounts();
    log_in(&server, ADMIN.0, ADMIN.1);
}
