//! Receives the stock that a file of orders needs.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Result, ensure};
use orderflow_schemas::{
    Sku,
    limits::{QUANTITY_MAX, RECEIPT_MAX},
};
use serde::Deserialize;

use super::{input::Lines, post};
use crate::remote::Client;

/// Receipts in one request.
const RECEIPTS_PER_REQUEST: usize = 10_000;

#[derive(Deserialize)]
struct Ordered {
    lines: Vec<OrderedLine>,
}

#[derive(Deserialize)]
struct OrderedLine {
    sku: Sku,
    quantity: u32,
}

/// What the orders of a file need.
struct Demand {
    /// Ordered units of each SKU.
    units: BTreeMap<Sku, u64>,
    /// The digest of the file's whole content.
    digest: blake3::Hash,
}

impl Demand {
    /// Adds up the orders of a file. Lines that are not valid orders are skipped, since the server will reject them.
    fn of(file: &Path) -> Result<Self> {
        let (mut units, mut hasher) = (BTreeMap::<Sku, u64>::new(), blake3::Hasher::new());
        let mut lines = Lines::open(file, None)?;
        while let Some(line) = lines.next_line()? {
            hasher.update(line);
            let order = serde_json::from_slice::<Ordered>(line).ok();
            let order = order.filter(|order| order.lines.iter().all(|line| line.quantity <= QUANTITY_MAX));
            for line in order.into_iter().flat_map(|order| order.lines) {
                let sum = units.entry(line.sku).or_default();
                *sum = sum.saturating_add(line.quantity.into());
            }
        }
        Ok(Self { units, digest: hasher.finalize() })
    }
}

/// Receives, for each SKU of the file, the given percentage of the units that the file orders, rounded down. The key
/// of the receipts is derived from the file's content and the percentage. The same file therefore receives only once,
/// and another file receives separately.
pub async fn receive(file: &Path, percent: u32, client: &mut Client) -> Result<()> {
    ensure!(file != Path::new("-"), "--stock reads the file twice, which standard input cannot be");
    let Demand { units, digest } = Demand::of(file)?;
    let key = format!("replay-{}-{percent}", &digest.to_hex()[..32]);
    let mut receipts = Vec::new();
    for (sku, units) in units {
        let quantity = u128::from(units) * u128::from(percent) / 100;
        ensure!(
            quantity <= u128::from(RECEIPT_MAX),
            "{percent} % of {units} units of {sku} is more than a receipt takes"
        );
        if quantity > 0 {
            let receipt =
                serde_json::json!({ "sku": sku, "quantity": quantity as u64, "idempotency_key": key });
            receipts.push(receipt.to_string());
        }
    }
    for part in receipts.chunks(RECEIPTS_PER_REQUEST) {
        let answer = post(client, "/inventory/batch", part.join("\n").into()).await?;
        ensure!(answer["rejected"].as_array().is_none_or(Vec::is_empty), "receipts were rejected: {answer}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_is_that_of_the_orders_and_the_digest_that_of_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            let path = folder.path().join("orders.ndjson");
            std::fs::write(&path, text).unwrap();
            Demand::of(&path).unwrap()
        };
        let order = r#"{"lines":[{"sku":"a","quantity":2},{"sku":"b","quantity":1}]}"#;
        let text =
            format!("\u{feff}{order}\n\n{{\n{order}\n{{\"lines\":[{{\"sku\":\"a b\",\"quantity\":1}}]}}\n");
        let demand = of(&text);
        let units: Vec<_> = demand.units.iter().map(|(sku, units)| (sku.as_str(), *units)).collect();
        assert_eq!(units, [("a", 4), ("b", 2)]);
        assert_eq!(of(&text).digest, demand.digest);
        assert_ne!(of(&format!("{text}\n")).digest, demand.digest);
    }
}
