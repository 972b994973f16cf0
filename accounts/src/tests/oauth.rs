//! Machine clients, the token endpoint and token introspection.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::stage::{Answer, Stage};
use crate::{
    StoreLocation,
    store::{self, sql},
};

async fn add_client(stage: &Stage, admin: &str, role: &str, scopes: Value) -> (String, String) {
    let body = json!({ "name": "shop", "role": role, "scopes": scopes });
    let added = stage.post("/clients", Some(admin), body).await.is(201);
    (added.text("id"), added.text("client_secret"))
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn error(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["error"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_client_gets_tokens_with_its_scopes_or_fewer() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let (id, secret) = add_client(&stage, &admin, "service", json!(["orders:read", "orders:batch"])).await;
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    for answer in [
        stage.form("/oauth/token", Some(&basic(&id, &secret)), "grant_type=client_credentials").await,
        stage.form("/oauth/token", None, &form).await,
    ] {
        let answer = answer.is(200);
        assert_eq!(answer.text("scope"), "orders:read orders:batch");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.body.get("refresh_token").is_none());
    }
    let narrow = stage.form("/oauth/token", None, &format!("{form}&scope=orders%3Aread")).await.is(200);
    assert_eq!(narrow.text("scope"), "orders:read");
    for scope in ["stock:read", "orders:read+stock:read", "orders:read+nonsense"] {
        let refused = stage.form("/oauth/token", None, &format!("{form}&scope={scope}")).await;
        assert_eq!(error(&refused), (400, "invalid_scope"), "{scope}");
    }
    let token = narrow.text("access_token");
    assert_eq!(stage.get("/auth/profile", &token).await.problem(), (403, "forbidden"));
    let listed = stage.get("/clients", &admin).await.is(200);
    assert_eq!(listed.body["items"][0]["id"], id);
    assert!(!listed.body.to_string().contains(&secret), "secrets are shown once");
    stage.call("DELETE", &format!("/clients/{id}"), Some(&admin), &json!(null)).await.is(204);
    assert!(!stage.accepts(&token).await);
    assert_eq!(error(&stage.form("/oauth/token", None, &form).await), (400, "invalid_client"));
}

#[tokio::test]
async fn a_limit_of_a_client_applies_to_its_tokens_and_is_no_claim_and_can_change_under_them() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let body = json!({ "name": "shop", "role": "service", "requests_per_second": 1 });
    let added = stage.post("/clients", Some(&admin), body).await.is(201);
    let (id, secret) = (added.text("id"), added.text("client_secret"));
    let form = "grant_type=client_credentials";
    let token = stage.form("/oauth/token", Some(&basic(&id, &secret)), form).await.text("access_token");
    let ask = async || stage.get("/auth/profile", &token).await;
    assert!(!ask().await.headers.contains_key("ratelimit"), "the record was not read yet");
    stage.look().await;
    let mut answer = ask().await.is(403);
    assert_eq!(answer.headers["ratelimit-policy"], "\"client\";q=1;w=1");
    assert_eq!(answer.headers["ratelimit"], "\"client\";r=0;t=1");
    while answer.status == 403 {
        // The bucket has one request a second, and this loop is faster.
        answer = ask().await;
    }
    assert_eq!(answer.problem(), (429, "too-many-requests"));
    assert!(!stage.get("/auth/profile", &admin).await.is(200).headers.contains_key("ratelimit"));
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    assert!(!String::from_utf8(claims).unwrap().contains("per_second"));
    let store = store::open(&StoreLocation::File(stage.folder().join("accounts.sqlite"))).unwrap();
    for (rate, policy) in [(Some(1_000), Some("\"client\";q=1000;w=1")), (None, None)] {
        let change = sql!("UPDATE clients SET requests_per_second = $2 WHERE id = $1", id.as_str(), rate);
        store.fetch(change).await.unwrap();
        stage.look().await;
        let shown = ask().await.is(403);
        assert_eq!(shown.headers.get("ratelimit-policy").map(|value| value.to_str().unwrap()), policy);
    }
    store.close().await;
}

#[tokio::test]
async fn the_token_endpoint_has_the_errors_that_libraries_read() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let (id, secret) = add_client(&stage, &admin, "analyst", json!(null)).await;
    let authorization = basic(&id, &secret);
    for (authorization, form, expected) in [
        (None, "", (400, "invalid_request")),
        (None, "grant_type=password&username=a&password=b", (400, "unsupported_grant_type")),
        (None, "grant_type=client_credentials", (401, "invalid_client")),
        (Some(&*authorization), "grant_type=client_credentials&grant_type=x", (400, "invalid_request")),
        (Some(&*authorization), "grant_type=client_credentials&client_secret=x", (400, "invalid_request")),
        (Some("Basic nonsense!"), "grant_type=client_credentials", (401, "invalid_client")),
        (Some(&basic(&id, "wrong")), "grant_type=client_credentials", (401, "invalid_client")),
        (Some(&basic("nobody", "wrong")), "grant_type=client_credentials", (401, "invalid_client")),
        (None, "grant_type=refresh_token", (400, "invalid_request")),
        (None, "grant_type=refresh_token&refresh_token=x", (400, "invalid_grant")),
    ] {
        let answer = stage.form("/oauth/token", authorization, form).await;
        assert_eq!(error(&answer), expected, "{form}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), expected.0 == 401, "{form}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let (_, tokens) = stage.customer("ann").await;
    let form = format!("grant_type=refresh_token&refresh_token={}", tokens.text("refresh_token"));
    let narrowed = stage.form("/oauth/token", None, &format!("{form}&scope=orders:read")).await.is(200);
    assert_eq!(narrowed.text("scope"), "orders:read");
}

#[tokio::test]
async fn services_and_admins_may_ask_whether_a_token_is_valid() {
    let stage = Stage::new().await;
    let admin = stage.admin().await;
    let (id, tokens) = stage.customer("ann").await;
    let token = tokens.text("access_token");
    let (client, secret) = add_client(&stage, &admin, "service", json!(["orders:read"])).await;
    let service =
        stage.form("/oauth/token", Some(&basic(&client, &secret)), "grant_type=client_credentials").await;
    let service = service.is(200).text("access_token");
    let verify = async |caller: &str, token: &str| {
        stage
            .form(
                "/auth/verify",
                Some(&format!("Bearer {caller}")),
                &format!("token={token}&token_type_hint=x"),
            )
            .await
    };
    for caller in [&admin, &service] {
        let answer = verify(caller, &token).await.is(200);
        assert_eq!((answer.body["active"].clone(), answer.text("sub")), (json!(true), id.clone()));
        assert_eq!(answer.text("scope"), "orders:read orders:write stock:read");
    }
    assert_eq!(verify(&admin, &service).await.is(200).text("client_id"), client);
    for inactive in ["x", &format!("{token}x"), &tokens.text("refresh_token")] {
        assert_eq!(verify(&admin, inactive).await.is(200).body, json!({ "active": false }));
    }
    stage.post("/auth/logout", Some(&token), json!(null)).await.is(204);
    assert_eq!(verify(&admin, &token).await.is(200).body, json!({ "active": false }));
    let (_, bob) = stage.customer("bob").await;
    assert_eq!(verify(&bob.text("access_token"), &token).await.status, 403);
}
