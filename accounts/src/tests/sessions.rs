//! Log-in, refresh, log-out, and how soon a right that is taken away is gone.

use std::time::Duration;

use serde_json::json;

use super::stage::{PASSWORD, Stage};
use crate::AccountsSettings;

#[tokio::test]
async fn nothing_tells_whether_an_account_exists() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let (bob, _) = stage.customer("bob").await;
    stage.customer("ann").await;
    stage.call("PATCH", &format!("/users/{bob}"), Some(&admin), &json!({ "disabled": true })).await.is(200);
    let known = stage.log_in("ann@example.com", "some-other-password").await;
    for (login, password) in [
        ("nobody@example.com", "some-other-password"),
        ("nobody", "some-other-password"),
        ("bob@example.com", PASSWORD),
        ("ann@example.com", "x"),
        ("", ""),
    ] {
        let answer = stage.log_in(login, password).await;
        assert_eq!((answer.status, &answer.body), (known.status, &known.body), "{login}");
        assert_eq!(answer.headers.get("content-type"), known.headers.get("content-type"));
    }
}

#[tokio::test]
async fn guessing_is_limited_at_every_door_and_looks_the_same_for_unknown_accounts() {
    let stage = Stage::new().await;
    let (_, tokens) = stage.customer("ann").await;
    for login in ["ann@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            assert_eq!(stage.log_in(login, "wrong-password").await.problem(), (401, "invalid-credentials"));
        }
        let blocked = stage.log_in(login, PASSWORD).await;
        assert_eq!(blocked.problem(), (429, "too-many-failures"), "{login}");
        assert!(blocked.headers.contains_key("retry-after"));
    }
    let token = tokens.text("access_token");
    for _ in 0..5 {
        let body = json!({ "current_password": "wrong-password", "new_password": "green-heron-71-kite" });
        stage.post("/auth/password", Some(&token), body).await.is(400);
    }
    let body = json!({ "current_password": PASSWORD, "new_password": "green-heron-71-kite" });
    assert_eq!(stage.post("/auth/password", Some(&token), body).await.problem(), (429, "too-many-failures"));
}

#[tokio::test]
async fn log_ins_that_find_too_many_others_waiting_are_503_and_count_as_no_failures() {
    let settings = AccountsSettings { hashes_waiting_max: 1, ..Default::default() };
    let stage = std::sync::Arc::new(Stage::with(settings).await);
    stage.customer("ann").await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let stage = stage.clone();
        running.spawn(async move { stage.log_in("ann@example.com", PASSWORD).await });
    }
    let answers = running.join_all().await;
    assert!(answers.iter().any(|answer| answer.status == 503), "nothing was over the bound");
    for answer in &answers {
        assert!(answer.status == 200 || answer.problem() == (503, "overloaded"), "{answer:?}");
    }
    // All five guesses of the minute are left.
    for _ in 0..5 {
        stage.log_in("ann@example.com", "wrong-password").await.is(401);
    }
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_its_reuse_ends_the_session() {
    let stage = Stage::new().await;
    let (_, first) = stage.customer("ann").await;
    let other = stage.log_in("ann@example.com", PASSWORD).await.is(200);
    let refresh =
        async |token: String| stage.post("/auth/refresh", None, json!({ "refresh_token": token })).await;
    let second = refresh(first.text("refresh_token")).await.is(200);
    assert_ne!(first.text("refresh_token"), second.text("refresh_token"));
    // A lost answer: for ten seconds the old token leads to the same successor.
    stage.pass(Duration::from_secs(9));
    let again = refresh(first.text("refresh_token")).await.is(200);
    assert_eq!(again.text("refresh_token"), second.text("refresh_token"));
    stage.pass(Duration::from_secs(2));
    let reused = refresh(first.text("refresh_token")).await;
    assert_eq!(reused.problem(), (401, "invalid-refresh-token"));
    assert_eq!(refresh(second.text("refresh_token")).await.status, 401, "the session has ended");
    assert!(!stage.accepts(&second.text("access_token")).await, "and its access tokens with it");
    assert!(stage.accepts(&other.text("access_token")).await, "the person's other sessions go on");
    refresh(other.text("refresh_token")).await.is(200);
    for wrong in ["", "x", "00000000000000000000000000000000.1.AAAA", &other.text("access_token")] {
        assert_eq!(refresh(wrong.to_owned()).await.problem(), (401, "invalid-refresh-token"));
    }
}

#[tokio::test]
async fn of_parallel_refreshes_with_one_token_all_get_one_successor() {
    let stage = std::sync::Arc::new(Stage::new().await);
    let (_, tokens) = stage.customer("ann").await;
    let token = tokens.text("refresh_token");
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (stage, body) = (stage.clone(), json!({ "refresh_token": token }));
        running.spawn(
            async move { stage.post("/auth/refresh", None, body).await.is(200).text("refresh_token") },
        );
    }
    let mut successors = running.join_all().await;
    successors.dedup();
    assert_eq!(successors.len(), 1, "{successors:?}");
}

#[tokio::test]
async fn tokens_and_sessions_expire() {
    let stage = Stage::with(AccountsSettings { session_s: 3_600, ..Default::default() }).await;
    let (_, tokens) = stage.customer("ann").await;
    let (access, refresh) =
        (tokens.text("access_token"), json!({ "refresh_token": tokens.text("refresh_token") }));
    assert_eq!(tokens.body["expires_in"], 900);
    stage.pass(Duration::from_secs(898));
    assert!(stage.accepts(&access).await);
    stage.pass(Duration::from_secs(3));
    assert_eq!(stage.get("/auth/profile", &access).await.problem(), (401, "invalid-token"));
    stage.pass(Duration::from_secs(3_600));
    assert_eq!(stage.post("/auth/refresh", None, refresh).await.problem(), (401, "invalid-refresh-token"));
}

#[tokio::test]
async fn a_session_that_is_refreshed_all_the_time_ends_at_its_greatest_age() {
    let hour = Duration::from_secs(3_600);
    let settings = AccountsSettings { session_s: 3_600, session_age_s_max: 3 * 3_600, ..Default::default() };
    let stage = Stage::with(settings).await;
    let (_, tokens) = stage.customer("ann").await;
    let mut token = tokens.text("refresh_token");
    let refresh =
        async |token: &str| stage.post("/auth/refresh", None, json!({ "refresh_token": token })).await;
    for _ in 0..5 {
        stage.pass(hour / 2);
        token = refresh(&token).await.is(200).text("refresh_token");
    }
    stage.pass(hour / 2);
    assert_eq!(refresh(&token).await.problem(), (401, "invalid-refresh-token"));
    // A log-in begins another one.
    let again = stage.log_in("ann@example.com", PASSWORD).await.is(200);
    refresh(&again.text("refresh_token")).await.is(200);
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_gone_at_once_here_and_after_a_look_elsewhere() {
    let stage = Stage::new().await;
    let elsewhere = stage.another().await;
    let admin = stage.admin().await;
    for change in ["log out", "disable", "role", "password", "reset", "erase"] {
        let name = change.replace(' ', "");
        let (id, tokens) = stage.customer(&name).await;
        let (access, refresh) =
            (tokens.text("access_token"), json!({ "refresh_token": tokens.text("refresh_token") }));
        // Both have the token in their caches.
        assert!(stage.accepts(&access).await && elsewhere.accepts(&access).await);
        let user = format!("/users/{id}");
        let new_password = "green-heron-71-kite";
        match change {
            "log out" => stage.post("/auth/logout", Some(&access), json!(null)).await.is(204),
            "disable" => stage.call("PATCH", &user, Some(&admin), &json!({ "disabled": true })).await.is(200),
            "role" => stage.call("PATCH", &user, Some(&admin), &json!({ "role": "analyst" })).await.is(200),
            "password" => {
                let body = json!({ "current_password": PASSWORD, "new_password": new_password });
                stage.post("/auth/password", Some(&access), body).await.is(204)
            }
            "reset" => {
                let code = stage.post(&format!("{user}/reset"), Some(&admin), json!(null)).await.is(200);
                assert!(stage.accepts(&access).await, "a code alone changes nothing");
                let body = json!({ "code": code.text("code"), "password": new_password });
                stage.post("/auth/reset", None, body.clone()).await.is(204);
                assert_eq!(stage.post("/auth/reset", None, body).await.problem(), (400, "invalid-code"));
                stage.log_in(&format!("{name}@example.com"), new_password).await.is(200)
            }
            _ => stage.call("DELETE", &user, Some(&admin), &json!(null)).await.is(204),
        };
        assert!(!stage.accepts(&access).await, "{change}, here");
        elsewhere.look().await;
        assert!(!elsewhere.accepts(&access).await, "{change}, elsewhere");
        assert_eq!(stage.post("/auth/refresh", None, refresh).await.status, 401, "{change}");
    }
}

#[tokio::test]
async fn a_server_that_never_read_the_store_refuses_every_token_with_503() {
    let stage = Stage::new().await;
    let token = stage.admin().await;
    let world = orderflow_world::TokioWorld::new();
    let fresh = crate::TokenAuthenticator::new(world, &AccountsSettings::default());
    assert!(matches!(fresh.check(&token), Err(crate::Refused::List(_))));
}

#[tokio::test]
async fn a_new_key_logs_nobody_out() {
    let stage = Stage::new().await;
    let elsewhere = stage.another().await;
    let before = stage.admin().await;
    stage.accounts.rotate_keys(true).await.unwrap();
    stage.look().await;
    elsewhere.look().await;
    let jwks = stage.get("/.well-known/jwks.json", "").await.is(200);
    assert_eq!(jwks.body["keys"].as_array().unwrap().len(), 2);
    stage.pass(Duration::from_secs(61));
    let after = stage.admin().await;
    for server in [&stage, &elsewhere] {
        assert!(server.accepts(&before).await && server.accepts(&after).await);
    }
}
