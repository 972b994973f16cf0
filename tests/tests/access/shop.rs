//! A server in one of the built-in lifecycles, and every call of its API, right in all but, perhaps, its caller.

use std::thread;

use orderflow_tests::{Answer, Client, Server, Stage, TokenMaker, order, path_of, supply};
use serde_json::{Value, json};

use super::document::Row;

/// All scopes that a token can have.
pub const ALL_SCOPES: &str =
    "orders:read orders:write orders:batch stock:read stock:write shipments:write search sql topics:read";

/// A built-in lifecycle, and how an admin leads an order through all its states.
pub struct Lifecycle {
    /// The name of the pipeline.
    pub name: &'static str,
    /// A status to which an admin can move a new order.
    pub next: &'static str,
    /// The statuses from the first one on, one list for each way to an end.
    pub ways: [&'static [&'static str]; 2],
    /// Whether orders are for items by name.
    pub has_items: bool,
}

const LIFECYCLES: [Lifecycle; 4] = [
    Lifecycle {
        name: "order-tracking",
        next: "ACCEPTED",
        ways: [&["RESERVED", "ACCEPTED", "PREPARED", "SHIPPED", "DELIVERED"], &["RESERVED", "CANCELED"]],
        has_items: false,
    },
    Lifecycle {
        name: "reservation",
        next: "cancelled",
        ways: [&["reserved"], &["reserved", "cancelled"]],
        has_items: false,
    },
    Lifecycle {
        name: "approval",
        next: "APPROVED",
        ways: [&["PENDING", "APPROVED"], &["PENDING", "REJECTED"]],
        has_items: true,
    },
    Lifecycle {
        name: "delivery",
        next: "SHIPPED",
        ways: [&["PENDING_SHIPMENT", "SHIPPED", "DELIVERED", "RETURNED"], &["PENDING_SHIPMENT", "CANCELED"]],
        has_items: false,
    },
];

/// A server with tokens of a key that the test has, and an order of the customer `ann`.
pub struct Shop {
    pub lifecycle: &'static Lifecycle,
    _stage: Stage,
    pub server: Server,
    pub maker: TokenMaker,
    pub order: String,
}

/// Runs the same test in every lifecycle, all of them at the same time.
pub fn in_every_lifecycle(test: impl Fn(Shop) + Sync) {
    thread::scope(|scope| {
        for lifecycle in &LIFECYCLES {
            scope.spawn(|| test(Shop::open(lifecycle)));
        }
    });
}

impl Shop {
    fn open(lifecycle: &'static Lifecycle) -> Self {
        let mut stage = Stage::new().pipeline(lifecycle.name);
        let (maker, key) = (TokenMaker::new(), stage.folder.path().join("key.pem"));
        maker.write(&key);
        stage.set("accounts_signing_key_file", key.display());
        let server = stage.serve_with_accounts();
        let admin = server.bearer(&maker.token("admin", "ada", ALL_SCOPES));
        supply(&admin, "tea", 1299, 1_000);
        let mut shop = Self { lifecycle, _stage: stage, server, maker, order: String::new() };
        shop.order = shop.place();
        shop
    }

    pub fn admin(&self) -> Client {
        self.caller("admin", "ada", ALL_SCOPES)
    }

    /// Places another order of `ann`.
    pub fn place(&self) -> String {
        let ann = self.caller("customer", "ann", ALL_SCOPES);
        path_of(&ann.post("/orders", &self.new_order()).is(201))
    }

    fn new_order(&self) -> Value {
        match self.lifecycle.has_items {
            true => json!({ "lines": [{ "item": "Tea", "quantity": 1 }] }),
            false => order(&[("tea", 1)]),
        }
    }

    /// The name of a call in messages.
    pub fn call_of(&self, row: &Row) -> String {
        format!("{}: {} {}", self.lifecycle.name, row.method, row.path)
    }

    pub fn caller(&self, role: &str, subject: &str, scope: &str) -> Client {
        self.server.bearer(&self.maker.token(role, subject, scope))
    }

    /// Sends a request that is right in all but, perhaps, its caller.
    pub fn call(&self, row: &Row, order: &str, caller: &Client) -> Answer {
        let id = order.trim_start_matches("/orders/");
        let path = row.path.replace("/orders/user/{id}", "/orders/user/ann").replace("{sku}", "tea");
        let path = match path.as_str() {
            path if path.starts_with("/users") || path.starts_with("/clients") => {
                path.replace("{id}", "0190aaaa-0000-7000-8000-000000000001")
            }
            path => path.replace("{id}", id).replace("{order_id}", id),
        };
        let path = path.replace("{topic}/{partition}", "orders.commands/0");
        let body = match (row.method.as_str(), row.path.as_str()) {
            ("GET" | "DELETE", _) => return caller.send(&row.method, &path, b""),
            (_, "/orders/batch" | "/inventory/batch") | ("POST", "/products/batch") => {
                return caller.post_lines(&path, b"");
            }
            (_, "/auth/verify" | "/oauth/token") => {
                let form = caller.with("content-type", "application/x-www-form-urlencoded");
                return form.send("POST", &path, b"token=x");
            }
            (_, "/orders") => {
                let mut body = self.new_order();
                body["customer_id"] = json!("ann");
                body
            }
            (_, "/check-availability") => json!({ "lines": [{ "sku": "tea", "quantity": 1 }] }),
            (_, "/orders/{id}/status") => json!({ "status": self.lifecycle.next }),
            (_, "/orders/{id}/courier") => json!({ "client_id": null }),
            (_, "/orders/{id}/returns") => json!({ "lines": [{ "line": 1, "quantity": 1, "to": "stock" }] }),
            (_, "/shipments/{order_id}/events") => json!({ "status": "failed_attempt" }),
            (_, "/inventory/{sku}/receipts") => json!({ "quantity": 1 }),
            (_, "/inventory/{sku}/adjustments") => json!({ "delta": 1, "reason": "found" }),
            ("PUT", _) => json!({ "name": "Tea", "unit_price": 1299, "currency": "EUR" }),
            _ => json!({}),
        };
        caller.with("content-type", "application/json").send(&row.method, &path, body.to_string().as_bytes())
    }
}
