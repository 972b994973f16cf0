//! The lines of an order as clients write them. The same rules apply to placing orders and to checking availability.

use std::collections::HashMap;

use compact_str::CompactString;
use foldhash::fast::RandomState;
use orderflow_schemas::{
    Amount, ItemLine, OrderLine, Sku,
    lifecycle::ItemLimits,
    limits::{LINES_MAX, QUANTITY_MAX},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Object, Problem,
    fields::{FieldErrors, PATTERN_OF_LINE, Whole},
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

/// A line of an order to place: a SKU, or an item by name. Which of the two, the lifecycle determines.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderLineRequest {
    /// The SKU ordered.
    #[schemars(with = "Option<Sku>")]
    pub sku: Option<CompactString>,
    /// The item ordered, by name, in a lifecycle whose orders are for items.
    #[schemars(with = "Option<String>", length(min = 1, max = 255), regex(pattern = PATTERN_OF_LINE))]
    pub item: Option<CompactString>,
    /// Units to reserve, or pieces of the item: 1 to 1,000,000, and to 100 in the approval lifecycle.
    #[schemars(range(min = 1, max = QUANTITY_MAX))]
    pub quantity: Whole,
    /// The price of one unit in minor units of the order's currency, 0 to 1,000,000,000,000. An admin or a service sets
    /// it; from any other role it is the expected price. Absent: the catalogue's price. Items have none.
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
fn lines(requests: Vec<Object<LineRequest>>, errors: &mut FieldErrors) -> Vec<OrderLine> {
    let line = |at, LineRequest { sku, quantity, unit_price }, errors: &mut FieldErrors| {
        sku_line(at, sku, quantity, unit_price, errors)
    };
    each(requests, errors, line)
}

/// The lines of an order for SKUs, as [`lines`] does. Lines of one SKU and price are merged.
pub fn of_skus(requests: Vec<Object<OrderLineRequest>>, errors: &mut FieldErrors) -> Vec<OrderLine> {
    let lines = each(requests, errors, |at, request: OrderLineRequest, errors| {
        if request.item.is_some() {
            errors.add(format!("/lines/{at}/item"), "is not taken: orders are for SKUs");
        }
        let Some(sku) = request.sku else {
            errors.add(format!("/lines/{at}/sku"), "is missing");
            return None;
        };
        sku_line(at, sku, request.quantity, request.unit_price, errors)
    });
    // Lines are merged only if none was left out, so that the indices in errors are those of the client's lines.
    if errors.is_empty() { merge(lines, errors) } else { lines }
}

/// The lines of an order for items by name.
pub fn of_items(
    requests: Vec<Object<OrderLineRequest>>,
    limits: ItemLimits,
    errors: &mut FieldErrors,
) -> Vec<ItemLine> {
    each(requests, errors, |at, request: OrderLineRequest, errors| {
        for (field, is_there) in
            [("sku", request.sku.is_some()), ("unit_price", request.unit_price.is_some())]
        {
            if is_there {
                errors.add(format!("/lines/{at}/{field}"), "is not taken: orders are for items by name");
            }
        }
        let Some(item) = request.item else {
            errors.add(format!("/lines/{at}/item"), "is missing");
            return None;
        };
        let pointer = format!("/lines/{at}/item");
        let item = errors.not_empty(&pointer, item);
        let item = errors.text(&pointer, item, limits.name_chars_max);
        let quantity = units(at, request.quantity, limits.quantity_max, errors);
        Some(ItemLine { item: item?, quantity: quantity? })
    })
}

/// What the requests for lines mean, without the invalid ones.
fn each<R, L>(
    requests: Vec<Object<R>>,
    errors: &mut FieldErrors,
    mut line: impl FnMut(usize, R, &mut FieldErrors) -> Option<L>,
) -> Vec<L> {
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

fn sku_line(
    at: usize,
    sku: CompactString,
    quantity: Whole,
    unit_price: Option<Whole>,
    errors: &mut FieldErrors,
) -> Option<OrderLine> {
    let sku = match Sku::new(sku) {
        Ok(sku) => Some(sku),
        Err(error) => {
            errors.add(format!("/lines/{at}/sku"), error);
            None
        }
    };
    let quantity = units(at, quantity, QUANTITY_MAX, errors);
    let price = |price| errors.price(|| format!("/lines/{at}/unit_price"), price);
    let unit_price = unit_price.and_then(price);
    Some(OrderLine { sku: sku?, quantity: quantity?, unit_price })
}

/// The quantity of a line.
pub fn units(at: usize, quantity: Whole, quantity_max: u32, errors: &mut FieldErrors) -> Option<u32> {
    let units = quantity.within(1..=quantity_max.into()).and_then(|units| u32::try_from(units).ok());
    if units.is_none() {
        let detail = format_args!("must be an integer from 1 to {quantity_max}");
        errors.add(format!("/lines/{at}/quantity"), detail);
    }
    units
}

/// Merges the lines that name the same SKU at the same price into the first of them, and adds up their units.
fn merge(lines: Vec<OrderLine>, errors: &mut FieldErrors) -> Vec<OrderLine> {
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
