//! The routes of an ingest over an in-memory log, as a client calls them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{Extension, Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use orderflow_feed::Feed;
use orderflow_schemas::{Lifecycle, Order, OrderId, Position, Topic};
use orderflow_topics::{Batch, Topics, memory::MemoryTopics, partitions_of};
use orderflow_web::{AuthenticateLayer, BodyLimit, TrustedHeaders};
use serde_json::Value;
use tower::ServiceExt;

use super::processor::Processor;
use crate::{Ingest, IngestSettings, LookupError, OrderLookup, routes};

/// A store of at most one order. It cannot be read while the order has the version 0.
#[derive(Default)]
pub struct Store(pub Mutex<Option<Order>>);

#[async_trait]
impl OrderLookup for Store {
    async fn order(&self, id: OrderId, _: &Position) -> Result<Option<Order>, LookupError> {
        let order = self.0.lock().unwrap().clone();
        if order.as_ref().is_some_and(|order| order.version == 0) {
            return Err(LookupError("it is away".into()));
        }
        Ok(order.filter(|order| order.id == id))
    }
}

/// The response that a client gets.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The text of a header, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The status and the problem type.
    pub fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["type"].as_str().unwrap_or_default())
    }
}

pub struct Stage {
    pub topics: Arc<MemoryTopics>,
    pub store: Arc<Store>,
    pub ingest: Arc<Ingest>,
    router: Router,
}

impl Stage {
    pub fn new(settings: IngestSettings) -> Self {
        let stage = Self::undecided(settings);
        let processor = Mutex::new(Processor::default());
        let decide = move |commands: &Batch, first| processor.lock().unwrap().decide_all(commands, first);
        stage.topics.react(Box::new(decide));
        stage
    }

    /// A stage without a processor: no command is decided.
    pub fn undecided(settings: IngestSettings) -> Self {
        let (topics, store) = (MemoryTopics::with_partitions(3), Arc::new(Store::default()));
        let log: Arc<dyn Topics> = topics.clone();
        let lifecycle = Lifecycle::parse(include_str!("../../../pipelines/order-tracking.toml")).unwrap();
        let ingest = Arc::new(Ingest::start(
            orderflow_world::TokioWorld::new(),
            log.clone(),
            &Feed::new(&log, orderflow_feed::FeedSettings::default()),
            Arc::new(lifecycle),
            store.clone(),
            settings,
        ));
        let routes = routes(ingest.clone());
        let layer = AuthenticateLayer::new(Arc::new(TrustedHeaders), routes.declared());
        let (router, _) = routes.into_routers();
        let router = router.layer(layer).layer(Extension(BodyLimit(1_000)));
        Self { topics, store, ingest, router }
    }

    /// The number of records of a topic, over all its partitions.
    pub fn count(&self, topic: Topic) -> usize {
        partitions_of(&*self.topics, topic).map(|at| self.topics.records(at).len()).sum()
    }

    /// Sends a request. `call` is its method and path; the headers are names and values.
    pub async fn call(&self, call: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.raw(call, &headers, body).await
    }

    /// Sends a request with headers of any bytes.
    pub async fn raw(&self, call: &str, headers: &[(&str, &[u8])], body: impl Into<Body>) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request with a JSON body.
    pub async fn json(&self, call: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
        self.call(call, &headers, body).await
    }
}
