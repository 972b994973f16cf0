//! The lines of an order as clients write them. The same rules apply to placing orders and to checking availability.

use std::collections::HashMap;

use compact_str::CompactString;
use foldhash::fast::RandomState;
use orderflow_schemas::{
    Amount, OrderLine, Sku,
    limits::{LINES_MAX, QUANTITY_MAX},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Object, Problem,
    fields::{FieldErrors, Whole},
};

/// A line of an order to place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineRequest {
    /// The SKU ordered.
    #[schemars(with = "Sku")]
    pub sku: CompactString,
    /// Units to reserve, 1 to 1,000,000.
    #[schemars(range(min = 1, max = QUANTITY_MAX))]
    pub quantity: Whole,
    /// The price of one unit in minor units of the order's currency, 0 to 1,000,000,000,000. An admin or a service sets
    /// it; from any other role it is the expected price. Absent: the catalogue's price.
    #[schemars(range(min = 0, max = Amount::PRICE_MAX.0))]
    pub unit_price: Option<Whole>,
}

/// The body of `POST /check-availability`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedRequest {
    /// The lines of the order that the caller considers placing.
    #[schemars(length(min = 1, max = LINES_MAX))]
    pub lines: Vec<Object<LineRequest>>,
}

/// The lines of an order that the caller considers placing, as they were sent. They are refused if the order would be
/// refused.
pub fn wanted(request: WantedRequest) -> Result<Vec<OrderLine>, Problem> {
    let mut errors = FieldErrors::default();
    let lines = lines(request.lines, &mut errors);
    if errors.is_empty() {
        merge(lines.clone(), &mut errors);
    }
    if !errors.is_empty() {
        return Err(errors.into_problem());
    }
    check_total(&lines)?;
    Ok(lines)
}

/// The lines that were sent, without the invalid ones. The errors of the invalid ones are added to `errors`.
pub fn lines(requests: Vec<Object<LineRequest>>, errors: &mut FieldErrors) -> Vec<OrderLine> {
    if !(1..=LINES_MAX).contains(&requests.len()) {
        errors.add("/lines", format_args!("must have from 1 to {LINES_MAX} lines, not {}", requests.len()));
        return Vec::new();
    }
    let mut lines = Vec::with_capacity(requests.len());
    for (at, Object(request)) in requests.into_iter().enumerate() {
        lines.extend(line(at, request, errors));
    }
    lines
}

fn line(at: usize, request: LineRequest, errors: &mut FieldErrors) -> Option<OrderLine> {
    let sku = match Sku::new(request.sku) {
        Ok(sku) => Some(sku),
        Err(error) => {
            errors.add(format!("/lines/{at}/sku"), error);
            None
        }
    };
    let quantity =
        request.quantity.within(1..=QUANTITY_MAX.into()).and_then(|units| u32::try_from(units).ok());
    if quantity.is_none() {
        let detail = format_args!("must be an integer from 1 to {QUANTITY_MAX}");
        errors.add(format!("/lines/{at}/quantity"), detail);
    }
    let price = |price| errors.price(|| format!("/lines/{at}/unit_price"), price);
    let unit_price = request.unit_price.and_then(price);
    Some(OrderLine { sku: sku?, quantity: quantity?, unit_price })
}

/// Merges the lines that name the same SKU at the same price into the first of them, and adds up their units.
pub fn merge(lines: Vec<OrderLine>, errors: &mut FieldErrors) -> Vec<OrderLine> {
    if lines.len() == 1 {
        return lines;
    }
    let mut places = HashMap::with_capacity_and_hasher(lines.len(), RandomState::default());
    let mut merged: Vec<OrderLine> = Vec::with_capacity(lines.len());
    for (at, line) in lines.into_iter().enumerate() {
        let place = *places.entry((line.sku.clone(), line.unit_price)).or_insert(merged.len());
        let Some(first) = merged.get_mut(place) else {
            merged.push(line);
            continue;
        };
        first.quantity = first.quantity.saturating_add(line.quantity);
        if first.quantity > QUANTITY_MAX {
            let detail = format_args!("the lines of this SKU together must not be more than {QUANTITY_MAX}");
            errors.add(format!("/lines/{at}/quantity"), detail);
        }
    }
    merged
}

/// 400 unless the sum of the stated prices is at most [`Amount::TOTAL_MAX`].
pub fn check_total(lines: &[OrderLine]) -> Result<(), Problem> {
    let mut total = Some(Amount(0));
    for line in lines {
        let Some(price) = line.unit_price else { continue };
        total = total.and_then(|total| total.plus(price.times(line.quantity)?));
    }
    if total.is_some() {
        return Ok(());
    }
    let detail = format!("the lines together must not cost more than {}", Amount::TOTAL_MAX);
    Err(Problem::bad_request("total-too-large", detail.clone()).with_error("/lines", detail))
}
