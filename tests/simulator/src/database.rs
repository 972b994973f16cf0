//! bring-up
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use orderflow_runner::World;
use orderflow_schemas::{Order, OrderId, Sku};
use orderflow_sinks::{
    Checkpoint, EventBatch, Sink, SinkError,
    database::{DatabaseError, HistoryEntry, Rows, StockItem},
};

use crate::{
    check::{Checked, StoredRows},
    disk::{Mount, SimDisk},
    world::SimWorld,
};

#[derive(Default)]
struct Mem {
    checkpoint: Checkpoint,
    orders: BTreeMap<OrderId, Order>,
    history: BTreeMap<(OrderId, u64), HistoryEntry>,
    stock: BTreeMap<Sku, StockItem>,
}

pub struct Database {
    world: SimWorld,
    slow: f64,
    seed: u64,
    mem: Arc<Mutex<Mem>>,
    applied: Arc<AtomicU64>,
}

struct MemSink {
    mem: Arc<Mutex<Mem>>,
    applied: Arc<AtomicU64>,
    world: SimWorld,
    rng: fastrand::Rng,
    slow: f64,
}

#[async_trait]
impl Sink for MemSink {
    fn name(&self) -> &'static str {
        "database"
    }
    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        Ok(self.mem.lock().unwrap_or_else(PoisonError::into_inner).checkpoint.clone())
    }
    async fn apply(&mut self, batch: &EventBatch, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        if self.rng.f64() < self.slow {
            self.world.sleep(Duration::from_millis(500)).await;
        }
        let rows = Rows::of(batch)?;
        let mut mem = self.mem.lock().unwrap_or_else(PoisonError::into_inner);
        for order in rows.orders {
            mem.orders.insert(order.id, (*order).clone());
        }
        for h in rows.history {
            mem.history.insert((h.order_id, h.version), h);
        }
        for mut s in rows.stock {
            if s.name.is_none()
                && let Some(old) = mem.stock.get(&s.sku)
            {
                s.name = old.name.clone();
                s.unit_price = old.unit_price;
                s.currency = old.currency;
            }
            mem.stock.insert(s.sku.clone(), s);
        }
        mem.checkpoint = checkpoint.clone();
        self.applied.fetch_add(1, SeqCst);
        Ok(())
    }
}

impl Database {
    pub fn new(world: &SimWorld, slow: f64, seed: u64) -> Self {
        Self { world: world.clone(), slow, seed, mem: Arc::default(), applied: Arc::default() }
    }
    pub fn open(&mut self, _: &SimDisk, _: &Mount) -> Result<Box<dyn Sink>, DatabaseError> {
        self.seed += 1;
        Ok(Box::new(MemSink {
            mem: self.mem.clone(),
            applied: self.applied.clone(),
            world: self.world.clone(),
            rng: fastrand::Rng::with_seed(self.seed),
            slow: self.slow,
        }))
    }
    pub fn close(&mut self) {}
    pub fn applied(&self) -> u64 {
        self.applied.load(SeqCst)
    }
    pub fn rows(&self, _: &SimDisk) -> Checked<StoredRows> {
        let mem = self.mem.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(StoredRows {
            checkpoint: mem.checkpoint.clone(),
            orders: mem.orders.values().cloned().collect(),
            history: mem.history.values().cloned().collect(),
            stock: mem.stock.values().cloned().collect(),
        })
    }
}
