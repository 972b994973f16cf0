//! Reserving: all lines of an order that this partition counts, or none, at the prices of this moment.

use orderflow_schemas::{
    Amount, Currency, Levels, OrderCommand, OrderLine, StockEvent,
    commands::{Prices, ReservationOutcome, Reserve, StockReply},
    events::{CatalogueEntry, Movement, RejectionCode, StockRefused, StockReserved},
    order::{Failure, FailureCode},
};

use super::{Decided, Stock, StockProcessor, reservation_rejected, state::Item};
use crate::Decision;

impl StockProcessor {
    pub(super) fn reserve(&self, state: &Stock, reserve: &Reserve) -> Decided {
        let order_id = reserve.order_id;
        if state.reservations.contains_key(&order_id) {
            let detail = "the order already has a reservation in this partition";
            let refusal =
                reservation_rejected("stock.reserve", order_id, RejectionCode::ReservationExists, detail);
            return Decision::event(refusal);
        }
        let (event, outcome) = match check_lines(state, reserve) {
            Ok((lines, unit_prices)) => {
                let outcome = ReservationOutcome::Held(unit_prices.clone());
                (StockEvent::Reserved(StockReserved { order_id, lines, unit_prices }), outcome)
            }
            Err(failures) => {
                let outcome = ReservationOutcome::Refused(failures.clone());
                (StockEvent::Refused(StockRefused { order_id, failures }), outcome)
            }
        };
        let reply = StockReply { order_id, partition: self.partition, outcome };
        let to = order_id.partition(self.order_partitions);
        Decision::sending(event, vec![(to, OrderCommand::StockReply(reply))])
    }
}

type Movements = (Vec<Movement>, Vec<Amount>);

/// The movements and the unit prices of all lines, or a failure for each SKU that cannot be reserved.
fn check_lines(state: &Stock, reserve: &Reserve) -> Result<Movements, Vec<Failure>> {
    let mut movements: Vec<Movement> = Vec::with_capacity(reserve.lines.len());
    let mut prices = Vec::with_capacity(reserve.lines.len());
    let mut failures = Vec::new();
    // Lines of one SKU are adjacent, and their sum must be available.
    for lines in reserve.lines.chunk_by(|a, b| a.sku == b.sku) {
        let item = state.items.get(&lines[0].sku);
        let mut levels = item.map(|item| item.levels).unwrap_or_default();
        if let Err(problem) = check_sku(item, levels, lines, reserve, &mut prices) {
            failures.push(failure(item, lines, problem));
            continue;
        }
        for line in lines {
            levels = hold(levels, line.quantity);
            movements.push(Movement { sku: line.sku.clone(), quantity: line.quantity, levels });
        }
    }
    if failures.is_empty() { Ok((movements, prices)) } else { Err(failures) }
}

/// Appends the prices of the lines of one SKU to `prices` if all of them can be held.
fn check_sku(
    item: Option<&Item>,
    levels: Levels,
    lines: &[OrderLine],
    reserve: &Reserve,
    prices: &mut Vec<Amount>,
) -> Result<(), FailureCode> {
    if units(lines) > levels.available {
        return Err(FailureCode::OutOfStock);
    }
    for line in lines {
        prices.push(price(item, line, reserve.currency, reserve.prices)?);
    }
    Ok(())
}

fn units(lines: &[OrderLine]) -> u64 {
    lines.iter().map(|line| u64::from(line.quantity)).sum()
}

fn hold(before: Levels, quantity: u32) -> Levels {
    let units = u64::from(quantity);
    Levels { available: before.available - units, reserved: before.reserved + units, ..before }
}

/// The price of a line. A price that a customer expects is compared with the catalogue's and never used itself.
fn price(
    item: Option<&Item>,
    line: &OrderLine,
    currency: Currency,
    prices: Prices,
) -> Result<Amount, FailureCode> {
    if let (Prices::Set, Some(price)) = (prices, line.unit_price) {
        return Ok(price);
    }
    let Some(CatalogueEntry { unit_price, currency: listed, .. }) =
        item.and_then(|item| item.product.as_ref())
    else {
        return Err(FailureCode::PriceUnknown);
    };
    if *listed != currency {
        return Err(FailureCode::CurrencyMismatch);
    }
    match line.unit_price {
        Some(expected) if expected != *unit_price => Err(FailureCode::PriceChanged),
        _ => Ok(*unit_price),
    }
}

/// The failure that reports this problem with the lines of one SKU.
fn failure(item: Option<&Item>, lines: &[OrderLine], problem: FailureCode) -> Failure {
    let product = item.and_then(|item| item.product.as_ref());
    let product = product.filter(|_| problem != FailureCode::OutOfStock);
    Failure {
        sku: lines[0].sku.clone(),
        problem,
        requested: u32::try_from(units(lines)).unwrap_or(u32::MAX),
        available: item.map_or(0, |item| item.levels.available),
        unit_price: product.map(|product| product.unit_price),
        currency: product.map(|product| product.currency),
    }
}
