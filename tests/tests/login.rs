//! `orderflow login` and `orderflow logout`, and the commands that use a stored log-in, in clear and over TLS.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use orderflow_tests::{
    Certificate, Client, Ran, Running, Server, Stage, batch_line, order, supply, wait_until,
};
use serde_json::{Value, json};

const ADMIN: (&str, &str) = ("ada@example.com", "pale-otter-43-lamp");

/// A user of the commands, with log-ins of their own.
struct User {
    folder: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("orderflow/logins.json")
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("XDG_CONFIG_HOME".to_owned(), self.folder.path().to_str().unwrap().to_owned())]
    }

    fn start(&self, arguments: &[&str]) -> Running {
        Running::start(arguments, &self.environment())
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).wait()
    }

    #[track_caller]
    fn log_in(&self, url: &str, more: &[&str], secret: &str) -> Ran {
        let arguments = [&["login", "--url", url], more].concat();
        Running::start_with_input(&arguments, &self.environment(), secret).wait()
    }

    /// The log-in of the only origin.
    fn stored(&self) -> Value {
        let text = std::fs::read_to_string(self.file()).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        file["logins"].as_object().unwrap().values().next().unwrap().clone()
    }

    fn token(&self) -> String {
        self.stored()["access_token"].as_str().unwrap().to_owned()
    }
}

fn stage() -> Stage {
    Stage::new().with("admin_email", ADMIN.0).with("admin_password", ADMIN.1)
}

/// A machine client of the role service: its id and its secret.
fn service(stage: &Stage) -> (String, String) {
    let added = stage.run_on_data(&["clients", "add", "shop", "--role", "service"]).exits(0);
    let added: Value = serde_json::from_str(&added.stdout).unwrap();
    let text = |name: &str| added[name].as_str().unwrap().to_owned();
    (text("id"), text("client_secret"))
}

/// Panics if a command has shown a secret.
#[track_caller]
fn shows_none(ran: &Ran, secrets: &[&str]) {
    for secret in secrets {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "a secret is shown: {ran:?}");
    }
}

fn admin(server: &Server) -> Client {
    let body = json!({ "login": ADMIN.0, "password": ADMIN.1 });
    let answer = Client::new(server.address).post("/auth/login", &body).is(200);
    server.bearer(answer.json()["access_token"].as_str().unwrap())
}

/// A file of orders.
fn orders(folder: &Path, count: usize) -> String {
    let lines: String = (0..count).map(|n| batch_line(&format!("k{n}"), &format!("c{n}"), "tea")).collect();
    let path = folder.join("orders.ndjson");
    std::fs::write(&path, lines).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_stored_log_in_is_used_at_its_origin_alone_until_it_is_logged_out() {
    let (stage, user) = (stage(), User::new());
    let server = stage.serve_with_accounts();
    let url = server.url();
    user.run(&["topics", "--url", &url]).fails_naming(&["401", "orderflow login --url", &url]);
    let file = orders(user.folder.path(), 1);
    user.run(&["replay", &file, "--url", &url]).fails_naming(&["401", "orderflow login --url"]);
    user.run(&["bench", "--for", "1s", "--url", &url]).fails_naming(&["401", "orderflow login --url"]);
    user.run(&["logout", "--url", &url]).fails_naming(&["no log-in", &url]);
    let wrong = user.log_in(&url, &["--user", ADMIN.0], "brown-heron-71-kite\n");
    shows_none(&wrong, &["brown-heron"]);
    wrong.fails_naming(&["cannot log in", "401"]);
    assert!(!user.file().exists());
    let ran = user.log_in(&url, &["--user", ADMIN.0], &format!("{}\n", ADMIN.1)).exits(0);
    assert!(ran.stdout.contains(ADMIN.0) && ran.stdout.contains("logins.json"), "{}", ran.stdout);
    let (token, stored) = (user.token(), user.stored());
    let refresh = stored["account"]["refresh_token"].as_str().unwrap();
    shows_none(&ran, &[ADMIN.1, &token, refresh]);
    assert!(!stored.to_string().contains(ADMIN.1), "the password is stored");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&user.file()), mode(user.file().parent().unwrap())), (0o600, 0o700));
    let topics = user.run(&["topics", "--url", &url]).exits(0);
    assert!(topics.stderr.contains(ADMIN.0) && topics.stdout.contains("orders.events"), "{topics:?}");
    // The same address under another name is another origin.
    let other = format!("http://localhost:{}", server.address.port());
    user.run(&["topics", "--url", &other]).fails_naming(&["401"]);
    // A given token comes first.
    user.run(&["topics", "--url", &url, "--token", "nonsense"]).fails_naming(&["401"]);
    server.bearer(&token).get("/orders").is(200);
    user.run(&["logout", "--url", &url]).exits(0);
    server.bearer(&token).get("/orders").is(401);
    let left = std::fs::read_to_string(user.file()).unwrap();
    assert!(!left.contains(&token) && !left.contains(refresh), "{left}");
    user.run(&["topics", "--url", &url]).fails_naming(&["401"]);
}

#[test]
fn commands_side_by_side_go_on_when_tokens_end_and_stop_at_the_log_out() {
    let (stage, user) = (stage().with("accounts_access_token_s", 10), User::new());
    let server = stage.serve_with_accounts();
    let url = server.url();
    user.log_in(&url, &["--user", ADMIN.0], ADMIN.1).exits(0);
    let mut taps: Vec<_> =
        (0..3).map(|_| user.start(&["tap", "orders.events", "--follow", "--url", &url])).collect();
    let mut seen = user.token();
    for _ in 0..2 {
        wait_until("the token is renewed", || (user.token() != seen).then_some(()));
        seen = user.token();
    }
    let admin = admin(&server);
    supply(&admin, "tea", 100, 5);
    let body = json!({ "currency": "EUR", "customer_id": "ann", "lines": [{ "sku": "tea", "quantity": 1 }] });
    let id = admin.post("/orders", &body).is(201).json()["id"].as_str().unwrap().to_owned();
    for tap in &mut taps {
        wait_until("each of them shows the order", || {
            assert!(tap.is_alive(), "{}", tap.stderr());
            tap.stdout().contains(&id).then_some(())
        });
    }
    assert!(!server.stderr().contains("used again"), "{}", server.stderr());
    user.run(&["logout", "--url", &url]).exits(0);
    for tap in taps {
        tap.wait().fails_naming(&[ADMIN.0, "has ended", "orderflow login --url"]);
    }
}

#[test]
fn a_machine_client_logs_in_and_keeps_its_secret_only_if_asked() {
    let (stage, user) = (stage().with("accounts_access_token_s", 10), User::new());
    let server = stage.serve_with_accounts();
    supply(&admin(&server), "tea", 100, 100);
    let (url, (id, secret)) = (server.url(), service(&stage));
    let file = orders(user.folder.path(), 20);
    let ran = user.log_in(&url, &["--client-id", &id], &secret).exits(0);
    shows_none(&ran, &[&secret, &user.token()]);
    assert!(ran.stdout.contains("it ends in 1 minutes"), "{}", ran.stdout);
    assert!(!user.stored().to_string().contains(&secret), "the secret is stored");
    wait_until("the log-in has ended", || {
        let ran = user.run(&["replay", &file, "--url", &url]);
        match ran.code {
            Some(0) => None,
            _ => Some(ran.fails_naming(&["has ended", "--keep-secret", "orderflow login"])),
        }
    });
    user.log_in(&url, &["--client-id", &id, "--keep-secret"], &secret).exits(0);
    let first = user.token();
    wait_until("the log-in is renewed", || {
        let ran = user.run(&["replay", &file, "--url", &url]).exits(0);
        let caller = format!("as client {id}, by the stored log-in");
        assert!(ran.stdout.contains("20 orders accepted") && ran.stdout.contains(&caller), "{}", ran.stdout);
        (user.token() != first).then_some(())
    });
    let bench = ["bench", "--url", &url, "--for", "1s", "--connections", "2"];
    let ran = user.run(&bench).exits(0);
    assert!(ran.stdout.contains(&format!("client {id}")), "{}", ran.stdout);
    stage.run_on_data(&["clients", "remove", &id]).exits(0);
    wait_until("the removed client is refused", || {
        let ran = user.run(&["replay", &file, "--url", &url]);
        (ran.code != Some(0)).then(|| ran.fails_naming(&["has ended", "orderflow login"]))
    });
}

#[test]
fn the_commands_log_in_and_work_over_tls_with_an_authority_of_ones_own() {
    let (user, certificate) = (User::new(), Certificate::new("orders"));
    let path = |name: &str| user.folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key, other) = (path("tls.crt"), path("tls.key"), path("other.crt"));
    certificate.write_certificate(Path::new(&cert));
    certificate.write_key(Path::new(&key));
    Certificate::new("orders").write_certificate(Path::new(&other));
    let stage = stage().with("tls_cert", &cert).with("tls_key", &key);
    let server = stage.serve_with_accounts();
    let url = server.https_url();
    let trusted = ["--user", ADMIN.0, "--ca-cert", &cert];
    for more in [&["--user", ADMIN.0][..], &["--user", ADMIN.0, "--ca-cert", &other]] {
        user.log_in(&url, more, ADMIN.1).fails_naming(&["no authority", "--ca-cert", &url]);
    }
    user.log_in(&url, &trusted, ADMIN.1).exits(0);
    let file = orders(user.folder.path(), 5);
    let replay = user.run(&["replay", &file, "--stock", "100", "--url", &url, "--ca-cert", &cert]).exits(0);
    assert!(replay.stdout.contains("5 orders accepted, 0 rejected"), "{}", replay.stdout);
    assert!(replay.stdout.contains(&format!("as {}, by the stored log-in", ADMIN.0)), "{}", replay.stdout);
    let topics = user.run(&["topics", "--url", &url, "--ca-cert", &cert]).exits(0);
    assert!(topics.stdout.contains("orders.events"), "{}", topics.stdout);
    user.run(&["topics", "--url", &url]).fails_naming(&["no authority", "--ca-cert"]);
    let nothing = path("nothing.crt");
    user.run(&["topics", "--url", &url, "--ca-cert", &nothing]).fails_naming(&["nothing.crt"]);
    user.run(&["logout", "--url", &url, "--ca-cert", &cert]).exits(0);
    server.stop();
    stage.verify_clean();
}

#[test]
fn nothing_secret_leaves_the_machine_in_clear_without_a_warning() {
    let (stage, user) = (stage(), User::new());
    let server = stage.serve_with_accounts();
    // It reaches the server, and it is no loopback address.
    let exposed = format!("http://0.0.0.0:{}", server.address.port());
    let ran = user.log_in(&exposed, &["--user", ADMIN.0], ADMIN.1);
    ran.fails_naming(&["not sent", "https://"]);
    user.log_in(&server.url(), &["--user", ADMIN.0], ADMIN.1).exits(0);
    let token = user.token();
    let ran = user.run(&["topics", "--url", &exposed, "--token", &token]).exits(0);
    assert_eq!(ran.stderr.matches("without encryption").count(), 1, "{}", ran.stderr);
    shows_none(&ran, &[&token]);
    // As if somebody had changed the file.
    let text = std::fs::read_to_string(user.file()).unwrap().replace(&server.url(), &exposed);
    std::fs::write(user.file(), text).unwrap();
    user.run(&["topics", "--url", &exposed]).fails_naming(&["not sent", "https://"]);
    std::fs::set_permissions(user.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    user.run(&["topics", "--url", &exposed]).fails_naming(&["chmod 600"]);
    // Without accounts, headers are used, and the commands say so.
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 5);
    server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    let ran = User::new().run(&["tap", "orders.events", "--url", &server.url()]).exits(0);
    assert!(ran.stderr.contains("role admin from headers"), "{}", ran.stderr);
}
