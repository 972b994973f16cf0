//! What the keeper of the shop does: units come in, are counted again, and get a price.

use orderflow_schemas::{
    Amount, RoutingHash, Sku, StockCommand, Topic, TopicPartition,
    commands::{AdjustStock, ReceiveStock, SetProduct},
};

use super::{Clients, Request, SKUS, admin, eur, sku};
use crate::ingest::Command;

impl Clients {
    /// The first requests of a run: a price and enough units of each SKU, since what is short is never shipped.
    pub(super) fn open_shop(&mut self) -> Option<Request> {
        let n = usize::try_from(self.requests).ok().filter(|n| *n < 2 * SKUS)?;
        let sku = sku(n / 2);
        let command = if n % 2 == 0 {
            let (name, unit_price, currency) = ("thing".into(), Amount(100), eur());
            let by = admin();
            StockCommand::SetProduct(SetProduct {
                sku: sku.clone(),
                name,
                unit_price,
                currency,
                idempotency: None,
                by,
            })
        } else {
            let (quantity, by) = (self.rng.u32(20..100), admin());
            StockCommand::Receive(ReceiveStock { sku: sku.clone(), quantity, idempotency: None, by })
        };
        Some(self.stock(sku, command))
    }

    pub(super) fn receive(&mut self) -> Request {
        let sku = self.any_sku();
        let quantity = self.rng.u32(1..30);
        let idempotency = self.change_key("POST /inventory/{sku}/receipts", 40, quantity.into());
        let receive = ReceiveStock { sku, quantity, idempotency, by: admin() };
        self.stock(receive.sku.clone(), StockCommand::Receive(receive))
    }

    pub(super) fn adjust(&mut self) -> Request {
        let sku = self.any_sku();
        let delta = self.rng.i64(-8..8);
        let delta = if delta == 0 { 1 } else { delta };
        let body = u128::from(delta.unsigned_abs()) * 2 + u128::from(delta < 0);
        let idempotency = self.change_key("POST /inventory/{sku}/adjustments", 10, body);
        let adjust = AdjustStock { sku, delta, reason: "counted".into(), idempotency, by: admin() };
        self.stock(adjust.sku.clone(), StockCommand::Adjust(adjust))
    }

    pub(super) fn price(&mut self) -> Request {
        let (sku, price) = (self.any_sku(), self.rng.u64(1..5_000));
        let idempotency = self.change_key("PUT /products/{sku}", 10, price.into());
        let (name, unit_price, currency) = ("thing".into(), Amount(price), eur());
        let product = SetProduct { sku, name, unit_price, currency, idempotency, by: admin() };
        self.stock(product.sku.clone(), StockCommand::SetProduct(product))
    }

    fn stock(&self, sku: Sku, command: StockCommand) -> Request {
        let partition = RoutingHash::of(sku.as_str()).partition(self.stock_partitions);
        Request {
            topic_partition: TopicPartition { topic: Topic::StockCommands, partition },
            command: Command::Stock(command),
        }
    }

    fn any_sku(&mut self) -> Sku {
        sku(self.rng.usize(..SKUS))
    }
}
