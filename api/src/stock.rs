//! Reading stock levels and the catalogue, and checking whether an order could be filled.

use std::collections::BTreeMap;

use axum::Json;
use orderflow_database::{Catalogue, StockItem};
use orderflow_schemas::{OrderLine, Sku};
use orderflow_web::{
    Caller, NoConditions, NoKey, Problem, Product, Query, StockLevels,
    order_lines::{WantedRequest, wanted},
};
use orderflow_web::{Id, List, ListId, Paging};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    caught_up::{self, CaughtUpReader},
    lists,
    orders::PagingQuery,
};

fn levels_of(StockItem { sku, levels, .. }: StockItem) -> StockLevels {
    StockLevels { sku, levels }
}

fn product_of(StockItem { sku, name, unit_price, currency, .. }: StockItem) -> Product {
    Product { sku, name, unit_price, currency }
}

/// `GET /inventory`
pub async fn list_levels(
    Query(query): Query<PagingQuery>,
    _: Caller,
    reader: CaughtUpReader,
) -> Result<Json<List<StockLevels>>, Problem> {
    Ok(Json(list(Catalogue::All, &query, &reader).await?.map(levels_of)))
}

/// `GET /inventory/{sku}`
pub async fn show_levels(
    _: Caller,
    Id(sku): Id<Sku>,
    reader: CaughtUpReader,
) -> Result<Json<StockLevels>, Problem> {
    find(&sku, &reader).await?.map(|item| Json(levels_of(item))).ok_or_else(|| unknown(&sku))
}

/// `GET /products`
pub async fn list_products(
    Query(query): Query<PagingQuery>,
    _: Caller,
    reader: CaughtUpReader,
) -> Result<Json<List<Product>>, Problem> {
    Ok(Json(list(Catalogue::Products, &query, &reader).await?.map(product_of)))
}

/// `GET /products/{sku}`
pub async fn show_product(
    _: Caller,
    Id(sku): Id<Sku>,
    reader: CaughtUpReader,
) -> Result<Json<Product>, Problem> {
    let item = find(&sku, &reader).await?.filter(|item| item.unit_price.is_some());
    item.map(|item| Json(product_of(item))).ok_or_else(|| unknown(&sku))
}

/// Whether all lines are available now. Asking reserves nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Availability {
    /// Whether all lines together are available.
    available: bool,
    /// The lines, in the order of the request.
    lines: Vec<LineAvailability>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LineAvailability {
    /// The SKU.
    sku: Sku,
    /// Units that the line asks for.
    requested: u32,
    /// Units that can be reserved now, for all lines of the SKU together.
    available: u64,
}

/// `POST /check-availability`
pub async fn check_availability(
    _: Caller,
    _: (NoKey, NoConditions),
    CaughtUpReader(reader): CaughtUpReader,
    orderflow_web::Json(request): orderflow_web::Json<WantedRequest>,
) -> Result<Json<Availability>, Problem> {
    let wanted = wanted(request)?;
    let skus: Vec<Sku> = wanted.iter().map(|line| line.sku.clone()).collect();
    let stock = reader.stock_of(&skus).await.map_err(caught_up::failed)?;
    Ok(Json(availability(wanted, &stock)))
}

/// Compares the lines with the stock. The lines of one SKU are added up first.
fn availability(wanted: Vec<OrderLine>, stock: &[StockItem]) -> Availability {
    let levels: BTreeMap<&Sku, u64> = stock.iter().map(|item| (&item.sku, item.levels.available)).collect();
    let of = |sku: &Sku| levels.get(sku).copied().unwrap_or(0);
    let mut sums: BTreeMap<&Sku, u64> = BTreeMap::new();
    for line in &wanted {
        *sums.entry(&line.sku).or_default() += u64::from(line.quantity);
    }
    let available = sums.iter().all(|(sku, sum)| *sum <= of(sku));
    let line = |line: OrderLine| LineAvailability {
        available: of(&line.sku),
        sku: line.sku,
        requested: line.quantity,
    };
    Availability { available, lines: wanted.into_iter().map(line).collect() }
}

async fn find(sku: &Sku, CaughtUpReader(reader): &CaughtUpReader) -> Result<Option<StockItem>, Problem> {
    reader.stock(sku).await.map_err(caught_up::failed)
}

fn unknown(sku: &Sku) -> Problem {
    Problem::not_found("unknown-sku", format!("there is no SKU {sku}"))
}

async fn list(
    which: Catalogue,
    query: &PagingQuery,
    CaughtUpReader(reader): &CaughtUpReader,
) -> Result<List<StockItem>, Problem> {
    let id = match which {
        Catalogue::All => ListId::new::<&str, 0>("inventory", []),
        Catalogue::Products => ListId::new::<&str, 0>("products", []),
    };
    let paging = Paging::new(id, query.limit, query.cursor.as_deref(), query.page)?;
    let read = reader.stocks(which, &paging.slice()).await;
    lists::answer(&paging, read, |item| item.sku.clone(), reader.count_stocks(which)).await
}
