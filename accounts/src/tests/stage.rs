//! A server of accounts for tests: its clock can be moved, and several servers can share a store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use orderflow_schemas::Timestamp;
use orderflow_web::AuthenticateLayer;
use orderflow_world::{TokioWorld, World, wall_clock};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{Accounts, AccountsSettings, FirstAdmin, StoreLocation, routes};

pub const ADMIN: (&str, &str) = ("ada@example.com", "pale-otter-43-lamp");
pub const PASSWORD: &str = "brown-heron-71-kite";

/// A world whose wall clock can be moved.
#[derive(Default)]
pub struct MovableClock(AtomicI64);

struct TestWorld {
    clock: Arc<MovableClock>,
    real: Arc<TokioWorld>,
}

impl World for TestWorld {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(wall_clock().as_micros() + self.clock.0.load(Ordering::SeqCst))
    }

    fn instant(&self) -> Duration {
        self.real.instant()
    }

    fn sleep(&self, pause: Duration) -> orderflow_world::Task {
        self.real.sleep(pause)
    }

    fn nonce(&self) -> u64 {
        self.real.nonce()
    }

    fn spawn(&self, task: orderflow_world::Task) {
        self.real.spawn(task);
    }
}

/// A server.
pub struct Stage {
    pub accounts: Arc<Accounts>,
    router: Router,
    folder: Arc<tempfile::TempDir>,
    clock: Arc<MovableClock>,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// A text of the body.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {self:?}")).to_owned()
    }

    /// The status and the type of the problem.
    pub fn problem(&self) -> (u16, &str) {
        (self.status, self.body["type"].as_str().unwrap_or_default())
    }

    /// Panics unless the status is this one.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(AccountsSettings::default()).await
    }

    pub async fn with(settings: AccountsSettings) -> Self {
        let folder = Arc::new(tempfile::TempDir::with_prefix("orderflow-accounts-").unwrap());
        Self::on(folder, Arc::default(), settings).await
    }

    /// Another server on the same store.
    pub async fn another(&self) -> Self {
        Self::on(self.folder.clone(), self.clock.clone(), AccountsSettings::default()).await
    }

    async fn on(
        folder: Arc<tempfile::TempDir>,
        clock: Arc<MovableClock>,
        settings: AccountsSettings,
    ) -> Self {
        let world = Arc::new(TestWorld { clock: clock.clone(), real: TokioWorld::new() });
        let location = StoreLocation::File(folder.path().join("accounts.sqlite"));
        let first = FirstAdmin { email: ADMIN.0.to_owned(), password: ADMIN.1.to_owned() };
        let accounts = Accounts::new(world, &location, settings, Some(first)).unwrap();
        accounts.load().await.unwrap();
        let routes = routes(accounts.clone());
        let layer = AuthenticateLayer::new(accounts.authenticator().clone(), routes.declared());
        let (authenticated, open) = routes.into_routers();
        Self { accounts, router: authenticated.layer(layer).merge(open), folder, clock }
    }

    /// The folder with the store.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Moves the wall clock of all servers on the store.
    pub fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Answer { status, headers, body }
    }

    pub async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.call("POST", path, token, &body).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, Some(token), &Value::Null).await
    }

    /// Posts a form.
    pub async fn form(&self, path: &str, authorization: Option<&str>, form: &str) -> Answer {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        let request = match authorization {
            Some(value) => request.header(header::AUTHORIZATION, value),
            None => request,
        };
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// Logs in; the answer has the tokens.
    #[track_caller]
    pub fn log_in(&self, login: &str, password: &str) -> impl Future<Output = Answer> {
        self.post("/auth/login", None, json!({ "login": login, "password": password }))
    }

    /// The access token of the first admin.
    pub async fn admin(&self) -> String {
        self.log_in(ADMIN.0, ADMIN.1).await.is(200).text("access_token")
    }

    /// Registers a customer. Returns the id and the tokens of a log-in.
    pub async fn customer(&self, name: &str) -> (String, Answer) {
        let email = format!("{name}@example.com");
        let body = json!({ "email": email, "name": name, "password": PASSWORD });
        let id = self.post("/auth/register", None, body).await.is(201).text("id");
        (id, self.log_in(&email, PASSWORD).await.is(200))
    }

    /// Whether this access token is accepted.
    pub async fn accepts(&self, token: &str) -> bool {
        let status = self.get("/auth/profile", token).await.status;
        assert!(status == 200 || status == 401 || status == 403, "{status}");
        status != StatusCode::UNAUTHORIZED
    }

    /// Reads the store, as the server does every second.
    pub async fn look(&self) {
        self.accounts.load().await.unwrap();
    }
}
