//! A simulated market: a seller stocks the shelves, customers place, cancel and repeat orders, couriers deliver them
//! and report on the way, and some of it comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use crate::remote::{Answer, Client, Target};

const PRODUCTS: [(&str, u64); 8] = [
    ("coffee", 899),
    ("tea", 549),
    ("bread", 320),
    ("butter", 289),
    ("apples", 249),
    ("cheese", 1249),
    ("wine", 1599),
    ("chocolate", 199),
];
/// Connections that customers share.
const CUSTOMERS_AT_ONCE: usize = 16;
const CUSTOMERS: u64 = 500;
const COURIERS: u8 = 3;
/// Where parcels pass on their way.
const PLACES: [&str; 4] = ["warehouse", "Leipzig", "Berlin", "front door"];
/// The least units that one receipt brings of a product that is not scarce. The number is small enough that shelves
/// run empty now and then.
const RESTOCK_UNITS: u64 = 400;
const RESTOCK_EVERY: Duration = Duration::from_secs(1);

/// A market that sends its requests to one server.
pub(super) struct Market {
    target: Target,
    rate: f64,
    run: String,
    counts: Arc<Counts>,
    next: AtomicU64,
    started: Instant,
}

impl Market {
    /// A market that places `rate` orders a second.
    pub(super) fn new(target: Target, rate: f64, counts: Arc<Counts>) -> Self {
        let run = format!("{:08x}", fastrand::u32(..));
        Self { target, rate, run, counts, next: AtomicU64::new(0), started: Instant::now() }
    }

    /// Trades until `stop`. Orders that were begun are finished first.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<()> {
        self.open_shop().await?;
        let market = Arc::new(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(market.clone().restock(stop.clone()));
        for _ in 0..CUSTOMERS_AT_ONCE {
            tasks.spawn(market.clone().customers(stop.clone()));
        }
        while let Some(task) = tasks.join_next().await {
            task?;
        }
        Ok(())
    }

    async fn open_shop(&self) -> Result<()> {
        let mut seller = Client::new(&self.target, "admin", "seller");
        for (name, unit_price) in PRODUCTS {
            let product = json!({ "name": name, "unit_price": unit_price, "currency": "EUR" });
            seller.send_json(Method::PUT, &format!("/products/{name}"), &product).await?.success()?;
        }
        self.receive(&mut seller).await
    }

    /// Receives about as much of each product as customers want until the next receipt, and half of that of the last
    /// one.
    async fn receive(&self, seller: &mut Client) -> Result<()> {
        let wanted = (self.rate * RESTOCK_EVERY.as_secs_f64() * 0.8).ceil() as u64;
        for (name, _) in PRODUCTS {
            let quantity = if name == "chocolate" { wanted / 2 + 1 } else { wanted.max(RESTOCK_UNITS) };
            let path = format!("/inventory/{name}/receipts");
            seller.send_json(Method::POST, &path, &json!({ "quantity": quantity })).await?.success()?;
        }
        Ok(())
    }

    async fn restock(self: Arc<Self>, stop: CancellationToken) {
        let mut seller = Client::new(&self.target, "service", "warehouse");
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RESTOCK_EVERY) => {}
            }
            let received = self.receive(&mut seller).await;
            self.note(received);
        }
    }

    fn note(&self, result: Result<()>) {
        if let Err(error) = result {
            tracing::warn!(%error, "a request of the market failed");
            self.counts.errors.fetch_add(1, Relaxed);
        }
    }

    async fn customers(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            let due = self.started + Duration::from_secs_f64(number as f64 / self.rate);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(due.into()) => {}
            }
            let traded = self.trade(number).await;
            self.note(traded);
        }
    }

    /// One order from its placing to its delivery, refusal or cancellation.
    async fn trade(&self, number: u64) -> Result<()> {
        let name = format!("customer-{}", fastrand::u64(..CUSTOMERS));
        let mut customer = Client::new(&self.target, "customer", &name);
        let (body, key) = (basket(), format!("demo-{}-{number}", self.run));
        let started = Instant::now();
        let answer = place(&mut customer, &body, &key).await?;
        self.counts.answered(started.elapsed());
        self.counts.placed.fetch_add(1, Relaxed);
        if answer.status == StatusCode::CONFLICT {
            self.counts.out_of_stock.fetch_add(1, Relaxed);
            return Ok(());
        }
        let order = answer.success()?.json()?;
        if fastrand::u8(..50) == 0 {
            place(&mut customer, &body, &key).await?.success()?;
            self.counts.repeated.fetch_add(1, Relaxed);
        }
        let id = order["id"].as_str().unwrap_or_default();
        if fastrand::u8(..10) == 0 {
            customer.send_json(Method::POST, &format!("/orders/{id}/cancel"), &json!({})).await?.success()?;
            self.counts.canceled.fetch_add(1, Relaxed);
            return Ok(());
        }
        self.deliver(id).await
    }

    /// A courier takes the parcel of an order to the customer. Some reports come twice, and some come late.
    async fn deliver(&self, id: &str) -> Result<()> {
        let name = format!("courier-{}", fastrand::u8(1..=COURIERS));
        let mut courier = Client::new(&self.target, "courier", &name);
        let path = format!("/shipments/{id}/events");
        let mut reports = vec!["picked_up", "in_transit", "out_for_delivery", "delivered"];
        if fastrand::u8(..20) == 0 {
            reports.extend(["in_transit", "delivered"]);
        }
        for (nth, status) in reports.into_iter().enumerate() {
            let place = PLACES[nth % PLACES.len()];
            let report = json!({
                "status": status,
                "carrier": name,
                "tracking_number": format!("T-{id}"),
                "location": place,
                "event_id": format!("{id}-{nth}"),
            });
            courier.send_json(Method::POST, &path, &report).await?.success()?;
        }
        self.counts.delivered.fetch_add(1, Relaxed);
        if fastrand::u8(..8) == 0 { self.bring_back(id).await } else { Ok(()) }
    }

    /// The customer sends a part back, and now and then the courier the rest.
    async fn bring_back(&self, id: &str) -> Result<()> {
        let mut warehouse = Client::new(&self.target, "service", "warehouse");
        let to = if fastrand::u8(..4) == 0 { "written_off" } else { "stock" };
        let back = json!({ "lines": [{ "line": 1, "quantity": 1, "to": to }], "reason": "does not fit" });
        warehouse.send_json(Method::POST, &format!("/orders/{id}/returns"), &back).await?.success()?;
        if fastrand::bool() {
            let mut courier = Client::new(&self.target, "courier", "courier-1");
            let report = json!({ "status": "returned", "location": PLACES[0] });
            courier.send_json(Method::POST, &format!("/shipments/{id}/events"), &report).await?.success()?;
        }
        self.counts.returned.fetch_add(1, Relaxed);
        Ok(())
    }
}

async fn place(customer: &mut Client, body: &Value, key: &str) -> Result<Answer> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    customer.send(Method::POST, "/orders", &headers, body.to_string()).await
}

fn basket() -> Value {
    let count = fastrand::usize(1..=4);
    let products = fastrand::choose_multiple(PRODUCTS.iter(), count);
    let lines: Vec<Value> = products
        .into_iter()
        .map(|(name, price)| json!({ "sku": name, "quantity": fastrand::u32(1..=3), "unit_price": price }))
        .collect();
    json!({ "currency": "EUR", "lines": lines, "channel": "demo" })
}
