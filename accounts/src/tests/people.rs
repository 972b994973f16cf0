//! Registering, profiles, administration, erasure.

use std::fs;

use http::Request;
use orderflow_web::ClientAddress;
use serde_json::json;

use super::stage::{ADMIN, PASSWORD, Stage};
use crate::AccountsSettings;

#[tokio::test]
async fn a_person_registers_logs_in_by_either_name_and_sees_the_own_profile() {
    let stage = Stage::new().await;
    let body =
        json!({ "email": "Ann@Example.com", "name": "Ann", "username": "Ann77", "password": PASSWORD });
    let made = stage.post("/auth/register", None, body).await.is(201);
    assert_eq!((made.text("role"), made.text("email")), ("customer".into(), "Ann@Example.com".into()));
    for login in ["ann@example.com", "ANN@EXAMPLE.COM", "ann77", "ANN77"] {
        let token = stage.log_in(login, PASSWORD).await.is(200).text("access_token");
        let profile = stage.get("/auth/profile", &token).await.is(200);
        assert_eq!(profile.text("id"), made.text("id"));
        assert!(profile.body["last_login"].is_string());
    }
    let token = stage.log_in("ann77", PASSWORD).await.text("access_token");
    let changed =
        stage.call("PATCH", "/auth/profile", Some(&token), &json!({ "name": "Ann B" })).await.is(200);
    assert_eq!((changed.text("name"), changed.text("username")), ("Ann B".into(), "Ann77".into()));
    for (field, value) in [("role", json!("admin")), ("disabled", json!(false)), ("id", json!("x"))] {
        let tried = stage.call("PATCH", "/auth/profile", Some(&token), &json!({ field: value })).await;
        assert_eq!(tried.problem(), (400, "invalid-request"), "{field}");
    }
}

#[tokio::test]
async fn another_email_address_needs_the_current_password() {
    let stage = Stage::new().await;
    let (_, tokens) = stage.customer("ann").await;
    let token = tokens.text("access_token");
    let change =
        async |body: serde_json::Value| stage.call("PATCH", "/auth/profile", Some(&token), &body).await;
    let missing = change(json!({ "email": "eve@example.com", "name": "Eve" })).await;
    assert_eq!(missing.problem(), (400, "invalid-request"));
    assert_eq!(missing.body["errors"][0]["pointer"], "/current_password");
    // A form that sends all fields changes only what differs.
    let same = change(json!({ "email": "ann@example.com", "name": "Ann B" })).await.is(200);
    assert_eq!(same.text("name"), "Ann B");
    let right = json!({ "email": "ann@example.org", "current_password": PASSWORD });
    assert_eq!(change(right.clone()).await.is(200).text("email"), "ann@example.org");
    for _ in 0..5 {
        let wrong = json!({ "email": "eve@example.com", "current_password": "some-other-password" });
        let refused = change(wrong).await;
        assert_eq!(refused.problem(), (400, "invalid-request"));
        assert_eq!(refused.body["errors"][0]["pointer"], "/current_password");
    }
    assert_eq!(change(right).await.problem(), (429, "too-many-failures"), "guesses are limited");
    assert_eq!(stage.get("/auth/profile", &token).await.text("email"), "ann@example.org");
}

#[tokio::test]
async fn registrations_of_one_address_are_limited() {
    let settings = AccountsSettings { registrations_per_address: 2, ..Default::default() };
    let stage = Stage::with(settings).await;
    let register = async |name: &str, address: ClientAddress| {
        let email = format!("{name}@example.com");
        let body = json!({ "email": email, "name": name, "password": PASSWORD }).to_string();
        let mut request = Request::post("/auth/register")
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap();
        request.extensions_mut().insert(address);
        stage.send(request).await
    };
    let at = |address: &str| ClientAddress::Known(address.parse().unwrap());
    register("ann", at("2001:db8::1")).await.is(201);
    // A refused registration counts too.
    register("ann", at("2001:db8::2")).await.is(409);
    let refused = register("bob", at("2001:db8::3")).await;
    assert_eq!(refused.problem(), (429, "too-many-requests"));
    assert_eq!(refused.headers["ratelimit-policy"], "\"registration\";q=2;w=60");
    assert!(refused.headers.contains_key("retry-after"));
    register("bob", at("192.0.2.1")).await.is(201);
    for name in ["cid", "dan", "eva"] {
        register(name, ClientAddress::Hidden).await.is(201);
    }
}

#[tokio::test]
async fn one_email_address_and_one_username_belong_to_one_account() {
    let stage = Stage::new().await;
    let register = async |email: &str, username: &str| {
        let body = json!({ "email": email, "name": "A", "username": username, "password": PASSWORD });
        stage.post("/auth/register", None, body).await
    };
    register("ann@example.com", "ann77").await.is(201);
    assert_eq!(register("ANN@example.com", "other1").await.problem(), (409, "account-exists"));
    assert_eq!(register("bob@example.com", "ANN77").await.problem(), (409, "account-exists"));
    register("bob@example.com", "bob77").await.is(201);
    let token = stage.log_in("bob77", PASSWORD).await.text("access_token");
    let taken = {
        let body = json!({ "email": "ann@Example.com", "current_password": PASSWORD });
        stage.call("PATCH", "/auth/profile", Some(&token), &body).await
    };
    assert_eq!(taken.problem(), (409, "account-exists"));
    // Of many at the same time, one wins, and the others are conflicts.
    let all = (0..8).map(|_| register("cid@example.com", "cid777"));
    let mut statuses: Vec<_> = futures(all).await.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, slot) in running.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused_with_the_field() {
    let stage = Stage::new().await;
    for (email, username, name, password, pointer) in [
        ("ann", None, "Ann", PASSWORD, "/email"),
        ("ann@example.com", Some("ann"), "Ann", PASSWORD, "/username"),
        ("ann@example.com", None, "", PASSWORD, "/name"),
        ("ann@example.com", None, "Ann", "short", "/password"),
        ("ann@example.com", None, "Ann", "password1", "/password"),
        ("ann.walker@example.com", None, "Ann Walker", "annwalker", "/password"),
    ] {
        let body = json!({ "email": email, "name": name, "username": username, "password": password });
        let refused = stage.post("/auth/register", None, body).await.is(400);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
        assert!(!refused.body.to_string().contains(password) || password == "short", "{refused:?}");
    }
    let unknown = json!({ "email": "a@b.de", "name": "A", "password": PASSWORD, "role": "admin" });
    stage.post("/auth/register", None, unknown).await.is(400);
}

#[tokio::test]
async fn calls_about_accounts_take_no_idempotency_key() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let id = uuid::Uuid::nil();
    for (method, path) in [
        ("POST", "/auth/register".to_owned()),
        ("POST", "/auth/login".to_owned()),
        ("POST", "/auth/refresh".to_owned()),
        ("POST", "/auth/reset".to_owned()),
        ("POST", "/auth/logout".to_owned()),
        ("POST", "/auth/password".to_owned()),
        ("POST", "/auth/verify".to_owned()),
        ("PATCH", "/auth/profile".to_owned()),
        ("POST", "/oauth/token".to_owned()),
        ("POST", "/users".to_owned()),
        ("PATCH", format!("/users/{id}")),
        ("DELETE", format!("/users/{id}")),
        ("POST", format!("/users/{id}/reset")),
        ("POST", "/clients".to_owned()),
        ("DELETE", format!("/clients/{id}")),
    ] {
        let request = http::Request::builder().method(method).uri(&path).header("idempotency-key", "k");
        let request = request.header("authorization", format!("Bearer {admin}"));
        let answer = stage.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 400, "{method} {path}");
    }
}

#[tokio::test]
async fn admins_manage_people_and_nobody_else_does() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let (ann, tokens) = stage.customer("ann").await;
    let new = json!({ "email": "cora@example.com", "name": "Cora", "password": PASSWORD, "role": "courier" });
    let cora = stage.post("/users", Some(&admin), new).await.is(201).text("id");
    let emails = async |path: &str| {
        let list = stage.get(path, &admin).await.is(200);
        let items = list.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(emails("/users").await, ["cora@example.com", "ann@example.com", ADMIN.0]);
    assert_eq!(emails("/users?role=courier").await, ["cora@example.com"]);
    assert_eq!(emails("/users?q=CORA@").await, ["cora@example.com"]);
    assert_eq!(emails("/users?q=%25").await, [""; 0], "a sign of patterns is a letter");
    let first = stage.get("/users?limit=2", &admin).await.is(200);
    let rest = emails(&format!("/users?limit=2&cursor={}", first.text("next_cursor"))).await;
    assert_eq!(rest, [ADMIN.0]);
    assert_eq!(stage.get("/users?page=1", &admin).await.is(200).body["total"], 3);
    let token = tokens.text("access_token");
    for (method, path) in [
        ("GET", "/users".to_owned()),
        ("POST", "/users".to_owned()),
        ("GET", format!("/users/{ann}")),
        ("PATCH", format!("/users/{ann}")),
        ("DELETE", format!("/users/{cora}")),
        ("POST", format!("/users/{ann}/reset")),
        ("GET", "/clients".to_owned()),
        ("POST", "/clients".to_owned()),
        ("DELETE", format!("/clients/{ann}")),
    ] {
        let answer = stage.call(method, &path, Some(&token), &json!({})).await;
        assert!(answer.status == 403 || answer.status == 400, "{method} {path}: {answer:?}");
        if method == "GET" {
            // HEAD comes to the same handler, and the length of its answer would tell what is there.
            let head = stage.call("HEAD", &path, Some(&token), &json!(null)).await;
            assert_eq!(head.status, 403, "HEAD {path}");
        }
        assert_eq!(stage.call(method, &path, None, &json!({})).await.status, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn the_last_admin_stays_and_the_first_one_does_not_come_back() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let me = stage.get("/auth/profile", &admin).await.text("id");
    let path = format!("/users/{me}");
    for change in [json!({ "role": "customer" }), json!({ "disabled": true })] {
        let refused = stage.call("PATCH", &path, Some(&admin), &change).await;
        assert_eq!(refused.problem(), (409, "last-admin"));
    }
    assert_eq!(stage.call("DELETE", &path, Some(&admin), &json!(null)).await.problem(), (409, "last-admin"));
    let new = json!({ "email": "eve@example.com", "name": "Eve", "password": PASSWORD, "role": "admin" });
    stage.post("/users", Some(&admin), new).await.is(201);
    stage.call("DELETE", &path, Some(&admin), &json!(null)).await.is(204);
    // A start with the same environment does not make the erased admin again.
    let restarted = stage.another().await;
    assert_eq!(restarted.log_in(ADMIN.0, ADMIN.1).await.problem(), (401, "invalid-credentials"));
    restarted.log_in("eve@example.com", PASSWORD).await.is(200);
}

#[tokio::test]
async fn only_the_user_of_the_process_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let stage = Stage::new().await;
    stage.customer("ann").await;
    let files: Vec<_> = fs::read_dir(stage.folder()).unwrap().map(|file| file.unwrap()).collect();
    assert!(files.len() > 1, "the WAL is there too");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has the mode {mode:o}", file.file_name());
    }
}

#[tokio::test]
async fn an_erased_person_is_in_no_file_any_more() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let body = json!({
        "email": "zelda.quux@example.org", "name": "Zelda Quux", "username": "zeldaquux7", "password": PASSWORD
    });
    let id = stage.post("/auth/register", None, body).await.is(201).text("id");
    let token = stage.log_in("zeldaquux7", PASSWORD).await.is(200).text("access_token");
    let rename = json!({ "name": "Zelda von Quux" });
    stage.call("PATCH", &format!("/users/{id}"), Some(&admin), &rename).await.is(200);
    let holds = |needle: &str| {
        let files = fs::read_dir(stage.folder()).unwrap();
        files.map(|file| fs::read(file.unwrap().path()).unwrap()).any(|bytes| {
            bytes.to_ascii_lowercase().windows(needle.len()).any(|part| part == needle.as_bytes())
        })
    };
    let words = ["zelda.quux@example.org", "zelda quux", "zelda von quux", "zeldaquux7"];
    assert!(words.iter().all(|word| holds(word)), "they are there before");
    stage.call("DELETE", &format!("/users/{id}"), Some(&admin), &json!(null)).await.is(204);
    for word in words {
        assert!(!holds(word), "`{word}` is still in a file");
    }
    assert!(!stage.accepts(&token).await);
    assert_eq!(stage.log_in("zeldaquux7", PASSWORD).await.problem(), (401, "invalid-credentials"));
    assert_eq!(stage.get(&format!("/users/{id}"), &admin).await.problem(), (404, "user-not-found"));
    assert!(holds(&id), "the audit keeps that an account with this id was erased");
}

#[tokio::test]
async fn a_refused_password_leaves_a_code_and_a_change_of_the_account_ends_it() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let (ann, _) = stage.customer("ann").await;
    let user = format!("/users/{ann}");
    let code =
        async || stage.post(&format!("{user}/reset"), Some(&admin), json!({})).await.is(200).text("code");
    let redeem = async |code: &str, password: &str| {
        stage.post("/auth/reset", None, json!({ "code": code, "password": password })).await
    };
    let first = code().await;
    assert_eq!(redeem(&first, "password1").await.problem(), (400, "invalid-request"));
    redeem(&first, "grey-newt-55-harp").await.is(204);
    assert_eq!(redeem(&first, "grey-newt-56-harp").await.problem(), (400, "invalid-code"));
    stage.log_in("ann@example.com", "grey-newt-55-harp").await.is(200);
    for change in [json!({ "email": "ann@example.org" }), json!({ "disabled": true })] {
        let code = code().await;
        stage.call("PATCH", &user, Some(&admin), &change).await.is(200);
        assert_eq!(redeem(&code, "blue-newt-57-harp").await.problem(), (400, "invalid-code"), "{change}");
    }
}

#[tokio::test]
async fn a_token_that_was_narrowed_makes_no_other_that_has_all_scopes() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(ADMIN.0, ADMIN.1).await.is(200);
    let form = format!(
        "grant_type=refresh_token&refresh_token={}&scope=orders%3Aread",
        tokens.text("refresh_token")
    );
    let narrow = stage.form("/oauth/token", None, &form).await.is(200).text("access_token");
    for path in ["/users", "/clients"] {
        assert_eq!(stage.get(path, &narrow).await.problem(), (403, "insufficient-scope"), "{path}");
        stage.get(path, &tokens.text("access_token")).await.is(200);
    }
}
