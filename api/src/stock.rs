//! Stock levels, the catalogue, and whether an order could be filled.

use std::collections::BTreeMap;

use axum::Json;
use compact_str::CompactString;
use orderflow_ingest::{
    NoConditions, NoKey, WantedRequest,
    http::{self, Caller, Problem, Query},
    wanted,
};
use orderflow_schemas::{Amount, Currency, Levels, OrderLine, Sku};
use orderflow_sinks::database::{Catalogue, StockItem};
use serde::Serialize;

use crate::{
    lists::{List, ListId, Paging},
    orders::PagingQuery,
    paths::Id,
    store::{self, Store},
};

/// How many units of a SKU are where.
#[derive(Debug, Serialize)]
pub struct StockLevels {
    sku: Sku,
    #[serde(flatten)]
    levels: Levels,
}

impl From<StockItem> for StockLevels {
    fn from(item: StockItem) -> Self {
        Self { sku: item.sku, levels: item.levels }
    }
}

/// A SKU as the catalogue has it.
#[derive(Debug, Serialize)]
pub struct Product {
    sku: Sku,
    name: Option<CompactString>,
    unit_price: Option<Amount>,
    currency: Option<Currency>,
}

impl From<StockItem> for Product {
    fn from(StockItem { sku, name, unit_price, currency, .. }: StockItem) -> Self {
        Self { sku, name, unit_price, currency }
    }
}

/// `GET /inventory`
pub async fn list_levels(
    Query(query): Query<PagingQuery>,
    _: Caller,
    store: Store,
) -> Result<Json<List<StockLevels>>, Problem> {
    Ok(Json(list(Catalogue::All, &query, &store).await?.map(StockLevels::from)))
}

/// `GET /inventory/{sku}`
pub async fn show_levels(Id(sku): Id<Sku>, _: Caller, store: Store) -> Result<Json<StockLevels>, Problem> {
    find(&sku, &store).await?.map(|item| Json(item.into())).ok_or_else(|| unknown(&sku))
}

/// `GET /products`
pub async fn list_products(
    Query(query): Query<PagingQuery>,
    _: Caller,
    store: Store,
) -> Result<Json<List<Product>>, Problem> {
    Ok(Json(list(Catalogue::Products, &query, &store).await?.map(Product::from)))
}

/// `GET /products/{sku}`
pub async fn show_product(Id(sku): Id<Sku>, _: Caller, store: Store) -> Result<Json<Product>, Problem> {
    let item = find(&sku, &store).await?.filter(|item| item.unit_price.is_some());
    item.map(|item| Json(item.into())).ok_or_else(|| unknown(&sku))
}

/// Whether it could be had now. Nothing is reserved by asking.
#[derive(Debug, Serialize)]
pub struct Availability {
    available: bool,
    lines: Vec<LineAvailability>,
}

#[derive(Debug, Serialize)]
struct LineAvailability {
    sku: Sku,
    requested: u32,
    available: u64,
}

/// `POST /check-availability`
pub async fn check_availability(
    _: Caller,
    _: (NoKey, NoConditions),
    Store(store): Store,
    http::Json(request): http::Json<WantedRequest>,
) -> Result<Json<Availability>, Problem> {
    let wanted = wanted(request)?;
    let skus: Vec<Sku> = wanted.iter().map(|line| line.sku.clone()).collect();
    let stock = store.stock_of(&skus).await.map_err(store::failed)?;
    Ok(Json(availability(wanted, &stock)))
}

/// Lines of one SKU must be there together.
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

async fn find(sku: &Sku, Store(store): &Store) -> Result<Option<StockItem>, Problem> {
    store.stock(sku).await.map_err(store::failed)
}

fn unknown(sku: &Sku) -> Problem {
    Problem::not_found("unknown-sku", format!("there is no SKU {sku}"))
}

async fn list(
    which: Catalogue,
    query: &PagingQuery,
    Store(store): &Store,
) -> Result<List<StockItem>, Problem> {
    let id = match which {
        Catalogue::All => ListId::new::<&str, 0>("inventory", []),
        Catalogue::Products => ListId::new::<&str, 0>("products", []),
    };
    let paging = Paging::new(id, query.limit, query.cursor.as_deref(), query.page)?;
    let read = store.stocks(which, &paging.slice()).await;
    paging.answer(read, |item| item.sku.clone(), store.count_stocks(which)).await
}
