//! Limits on the requests of callers and of addresses, behind proxies too, and the warning of a server without TLS.
//!
//! Buckets fill up with time, so a test never expects a certain request to be the first one that is refused.

use orderflow_tests::{Answer, Client, Server, Stage, batch_line, execute, supply, wait_until};
use serde_json::json;

const ADMIN: (&str, &str) = ("ada@example.com", "pale-otter-43-lamp");
const PASSWORD: &str = "brown-heron-71-kite";
/// More requests than any bucket here has while a test runs.
const MANY: usize = 10_000;

fn stage() -> Stage {
    Stage::new().with("admin_email", ADMIN.0).with("admin_password", ADMIN.1)
}

/// Repeats a request until it is refused for its number.
#[track_caller]
fn until_refused(mut send: impl FnMut() -> Answer) -> Answer {
    let refused = (0..MANY).map(|_| send()).find(|answer| answer.status == 429);
    let refused = refused.unwrap_or_else(|| panic!("{MANY} requests were not too many"));
    refused.is_problem(429, "too-many-requests");
    let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1);
    refused
}

#[test]
fn a_caller_over_its_limit_is_refused_and_no_other_and_health_is_never_limited() {
    let stage = Stage::new().with("requests_per_second", 1).with("requests_burst", 3);
    let server = stage.serve();
    let ann = server.customer("ann");
    let first = ann.get("/orders").is(200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"client\";q=3;w=3"));
    assert_eq!(first.header("ratelimit"), Some("\"client\";r=2;t=1"));
    let refused = until_refused(|| ann.get("/orders"));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"client\";q=3;w=3"));
    assert_eq!(refused.header("ratelimit"), Some("\"client\";r=0;t=1"));
    // Other callers, also of the same name in another role, have buckets of their own.
    server.customer("bob").get("/orders").is(200);
    server.client("service", "ann").get("/orders").is(200);
    // What is refused for another reason counts too.
    let forbidden = server.client("analyst", "al").post("/orders", &json!({})).is(403);
    assert_eq!(forbidden.header("ratelimit"), Some("\"client\";r=2;t=1"));
    let nowhere = server.client("analyst", "al2").get("/nowhere").is(404);
    assert_eq!(nowhere.header("ratelimit"), Some("\"client\";r=2;t=1"));
    let monitor = Client::new(server.address);
    for _ in 0..20 {
        for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
            assert_eq!(monitor.get(path).is(200).header("ratelimit"), None);
        }
    }
    let metrics = monitor.get("/metrics").text();
    assert!(metrics.contains("orderflow_http_requests_limited_total{limit=\"client\"} "), "{metrics}");
    wait_until("ann may send requests again", || (ann.get("/orders").status == 200).then_some(()));
    server.stop();
}

#[test]
fn a_stream_of_lines_is_one_request() {
    let stage = Stage::new().with("requests_per_second", 1).with("requests_burst", 3);
    let server = stage.serve();
    supply(&server.client("service", "stock"), "tea", 100, 1_000);
    let lines: String = (0..50).map(|n| batch_line(&format!("k{n}"), "ann", "tea")).collect();
    let taken = server.client("service", "shop").post_lines("/orders/batch", lines.as_bytes()).is(202);
    assert_eq!(
        (&taken.json()["accepted"], taken.header("ratelimit")),
        (&json!(50), Some("\"client\";r=2;t=1"))
    );
    server.stop();
}

#[test]
fn without_settings_no_caller_is_limited_and_a_machine_client_may_have_its_own_limit() {
    let stage = stage();
    let server = stage.serve_with_accounts();
    let (admin, _) = log_in(&server, ADMIN.0, ADMIN.1);
    let body = json!({ "name": "shop", "role": "service", "requests_per_second": 2 });
    let added = admin.post("/clients", &body).is(201);
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        added.json()["id"].as_str().unwrap(),
        added.json()["client_secret"].as_str().unwrap()
    );
    let anyone = Client::new(server.address).with("content-type", "application/x-www-form-urlencoded");
    let token = anyone.send("POST", "/oauth/token", form.as_bytes()).is(200).json();
    let shop = server.bearer(token["access_token"].as_str().unwrap());
    let limited = wait_until("the server has read the limit", || {
        Some(shop.get("/orders")).filter(|answer| answer.header("ratelimit").is_some())
    });
    assert_eq!(limited.header("ratelimit-policy"), Some("\"client\";q=2;w=1"));
    until_refused(|| shop.get("/orders"));
    let accounts = stage.data().join("accounts.sqlite");
    assert_eq!(execute(&accounts, "UPDATE clients SET requests_per_second = 1000"), 1);
    wait_until("the changed limit applies to the token that is out", || {
        let answer = shop.get("/orders");
        (answer.header("ratelimit-policy") == Some("\"client\";q=1000;w=1")).then_some(())
    });
    for _ in 0..20 {
        assert_eq!(admin.get("/orders").is(200).header("ratelimit"), None);
        // A token that is not valid is 401, whatever it claims to be.
        server.bearer("nonsense").get("/orders").is_problem(401, "invalid-token");
    }
    server.stop();
}

#[track_caller]
fn log_in(server: &Server, login: &str, password: &str) -> (Client, Answer) {
    let body = json!({ "login": login, "password": password });
    let answer = Client::new(server.address).post("/auth/login", &body).is(200);
    (server.bearer(answer.json()["access_token"].as_str().unwrap()), answer)
}

/// Guesses a password of this account, with these values of the header `Forwarded`.
fn guess(server: &Server, account: &str, forwarded: &str) -> u16 {
    let client = Client::new(server.address);
    let client = if forwarded.is_empty() { client } else { client.with("forwarded", forwarded) };
    client.post("/auth/login", &json!({ "login": account, "password": "some-other-password" })).status
}

#[test]
fn guesses_behind_a_trusted_proxy_are_counted_for_the_client_that_it_names() {
    let mut stage = stage();
    stage.set("trusted_proxies", "127.0.0.1,10.0.0.0/8");
    stage.set("accounts_failures_per_account_and_address", 2);
    let server = stage.serve_with_accounts();
    let first = "for=\"[2001:db8::1]:4711\";proto=https";
    assert_eq!([first, first, first].map(|from| guess(&server, "ann", from)), [401, 401, 429]);
    // The same subscriber, also if it claims to forward for others or the request comes through two proxies.
    for same in ["for=\"[2001:db8::2]\"", "for=198.51.100.9, for=\"[2001:db8::3]\", for=10.1.2.3"] {
        assert_eq!(guess(&server, "ann", same), 429, "{same}");
    }
    assert_eq!(guess(&server, "ann", "for=192.0.2.1"), 401, "another client");
    // Without an address, only the account is counted.
    for hidden in ["", "for=unknown", "for=_x", "for=\"broken", "for=10.1.2.3"] {
        assert_eq!(guess(&server, "ann", hidden), 401, "{hidden}");
    }
    server.stop();
    // The header of a peer that is no trusted proxy is ignored.
    stage.set("trusted_proxies", "10.0.0.0/8");
    let server = stage.serve_with_accounts();
    let each_other = ["for=192.0.2.1", "for=192.0.2.2", "for=192.0.2.3"];
    assert_eq!(each_other.map(|from| guess(&server, "ann", from)), [401, 401, 429]);
    server.stop();
}

#[test]
fn an_address_has_a_bound_on_registrations() {
    let stage = stage()
        .with("trusted_proxies", "127.0.0.1")
        .with("forwarded_header", "X-Forwarded-For")
        .with("accounts_registrations_per_address", 1);
    let server = stage.serve_with_accounts();
    let register = |name: String, forwarded: &str| {
        let client = Client::new(server.address).with("x-forwarded-for", forwarded);
        // The header that was not chosen is the client's own.
        let client = client.with("forwarded", "for=203.0.113.7");
        let body = json!({ "email": format!("{name}@example.com"), "name": "A", "password": PASSWORD });
        client.post("/auth/register", &body)
    };
    register("ann".to_owned(), "192.0.2.1").is(201);
    let mut number = 0;
    let refused = until_refused(|| {
        number += 1;
        register(format!("user{number}"), "198.51.100.9, 192.0.2.1")
    });
    assert_eq!(refused.header("ratelimit-policy"), Some("\"registration\";q=1;w=60"));
    register("bob".to_owned(), "192.0.2.2").is(201);
    server.stop();
}

#[test]
fn a_server_that_sends_passwords_in_clear_over_a_network_warns_at_the_start() {
    let warning = "passwords and tokens can be read on the network";
    for (listen, proxies, warns) in
        [("0.0.0.0:0", "", true), ("0.0.0.0:0", "10.0.0.0/8", false), ("127.0.0.1:0", "", false)]
    {
        let stage = Stage::new().with("listen", listen).with("trusted_proxies", proxies);
        let data = stage.data().to_owned();
        let running = stage.with("data", data.display()).start_bare();
        let said = wait_until("the server serves", || {
            Some(running.stderr()).filter(|said| said.contains("orderflow serves"))
        });
        assert_eq!(said.contains(warning), warns, "{listen} {proxies}: {said}");
    }
}
