//! Compares the rows of stock in the database with the ledger.

use anyhow::Result;
use orderflow_database::{DatabaseAudit, StockItem};

use crate::{Report, ledger::Rows, reach::Reach};

/// Compares the rows of SKUs.
pub(crate) async fn compare_stock(
    audit: &dyn DatabaseAudit,
    mut rows: Rows,
    reach: &Reach,
    report: &mut Report,
) -> Result<()> {
    let mut visit = |item: StockItem| {
        let sku = item.sku.clone();
        let (trimmed, ahead) = (reach.is_trimmed_for(&sku), reach.is_ahead_for(&sku));
        match rows.remove(&sku) {
            None if trimmed || ahead => report.unchecked += 1,
            None => report.differences.add(|| format!("the database has SKU {sku}, the log has not")),
            Some(should) if should == item => {}
            Some(should) if trimmed && should == without_product(&item) => report.unchecked += 1,
            Some(should) if ahead && item.version > should.version => report.unchecked += 1,
            Some(should) => report
                .differences
                .add(|| format!("SKU {sku}: the database has {item:?}, the log gives {should:?}")),
        }
    };
    audit.for_each_stock(&mut visit).await?;
    for sku in rows.keys() {
        report.differences.add(|| format!("the database lacks SKU {sku}"));
    }
    Ok(())
}

/// The row without name, price and currency, for a log that no longer has the events about the SKU's product.
fn without_product(item: &StockItem) -> StockItem {
    StockItem { name: None, unit_price: None, currency: None, ..item.clone() }
}
