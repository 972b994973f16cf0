//! Real orders, replayed: once, again, and with less stock than they need.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use orderflow_tests::{Baskets, Client, Server, Stage, levels, units, wait_until};
use serde_json::Value;

/// The sample; or, when `ORDERFLOW_FULL_REPLAY` is 1, the file that `ORDERFLOW_REPLAY_FILE` names.
fn baskets() -> Baskets {
    if std::env::var("ORDERFLOW_FULL_REPLAY").is_ok_and(|full| full == "1") {
        let file = std::env::var_os("ORDERFLOW_REPLAY_FILE").expect("ORDERFLOW_REPLAY_FILE names the file");
        return Baskets::read(PathBuf::from(file));
    }
    Baskets::sample()
}

fn replay(stage: &Stage, server: &Server, baskets: &Baskets, percent: &str) {
    let file = baskets.path.to_str().unwrap();
    let ran = stage.run(&["replay", file, "--stock", percent, "--url", &server.url()]).exits(0);
    let accepted = format!("{} orders accepted, 0 rejected", baskets.all.len());
    assert!(ran.stdout.contains(&accepted), "{}", ran.stdout);
    server.admin().wait_decided();
}

fn orders_by_key(admin: &Client) -> BTreeMap<String, Value> {
    let mut orders = BTreeMap::new();
    for order in admin.list("/orders", 1000) {
        let key = order["idempotency_key"].as_str().unwrap().to_owned();
        assert!(orders.insert(key, order).is_none(), "a key has two orders");
    }
    orders
}

fn stock(admin: &Client) -> BTreeMap<String, [u64; 5]> {
    let items = admin.list("/inventory", 1000);
    items.iter().map(|item| (item["sku"].as_str().unwrap().to_owned(), levels(item))).collect()
}

/// Orders and stock, once the one agrees with the other: the database shows them a moment apart.
fn shown(admin: &Client) -> (BTreeMap<String, Value>, BTreeMap<String, [u64; 5]>) {
    wait_until("stock has reserved what orders hold", || {
        let (orders, stock) = (orders_by_key(admin), stock(admin));
        let reserved: BTreeMap<_, _> = stock
            .iter()
            .filter(|(_, levels)| levels[2] > 0)
            .map(|(sku, levels)| (sku.clone(), levels[2]))
            .collect();
        (reserved == held(orders.values())).then_some((orders, stock))
    })
}

/// How many units of each SKU the reserved ones of these orders hold.
fn held<'a>(orders: impl Iterator<Item = &'a Value>) -> BTreeMap<String, u64> {
    let mut held = BTreeMap::new();
    for (sku, units) in orders.filter(|order| order["status"] == "RESERVED").flat_map(units) {
        *held.entry(sku).or_default() += units;
    }
    held
}

#[test]
fn with_enough_stock_every_order_is_reserved_and_a_second_replay_changes_nothing() {
    let baskets = baskets();
    let stage = Stage::new();
    let server = stage.serve();
    replay(&stage, &server, &baskets, "100");
    let (orders, stock) = shown(&server.admin());
    assert_eq!(orders.len(), baskets.all.len());
    for basket in &baskets.all {
        let order = &orders[&basket.key];
        assert_eq!((&order["status"], &order["version"]), (&"RESERVED".into(), &2.into()), "{order}");
        assert_eq!(units(order), basket.units);
    }
    let demand = baskets.demand();
    let wanted: BTreeMap<_, _> =
        demand.into_iter().map(|(sku, units)| (sku, [units, 0, units, 0, 0])).collect();
    assert!(stock == wanted, "stock is not what the file orders");

    replay(&stage, &server, &baskets, "100");
    let again = shown(&server.admin());
    assert!(again == (orders, stock), "the second replay changed something");
    server.stop();
    let verified = stage.verify_clean();
    assert!(verified.contains(&format!(" {} orders", baskets.all.len())), "{verified}");
}

#[test]
fn with_less_stock_orders_fail_and_none_is_reserved_that_is_not_there() {
    let baskets = baskets();
    let stage = Stage::new();
    let server = stage.serve();
    replay(&stage, &server, &baskets, "90");
    let (orders, stock) = shown(&server.admin());
    let received: BTreeMap<_, _> =
        baskets.demand().into_iter().map(|(sku, units)| (sku, units * 90 / 100)).collect();
    for (sku, [there, available, reserved, shipped, written_off]) in &stock {
        assert_eq!(*there, received[sku], "{sku}");
        assert_eq!((available + reserved, *shipped, *written_off), (*there, 0, 0), "{sku}");
    }
    let supplied: BTreeSet<_> =
        received.iter().filter(|(_, units)| **units > 0).map(|(sku, _)| sku).collect();
    assert_eq!(stock.keys().collect::<BTreeSet<_>>(), supplied);
    let mut failed = 0;
    for basket in &baskets.all {
        let order = &orders[&basket.key];
        assert_eq!((&order["version"], units(order)), (&2.into(), basket.units.clone()));
        match order["status"].as_str() {
            Some("RESERVED") => assert_eq!(order["failures"], Value::Array(Vec::new())),
            Some("FAILED") => {
                failed += 1;
                failed_for_a_reason(order, &basket.units, &received);
            }
            _ => panic!("undecided: {order}"),
        }
    }
    assert!(failed > 0 && failed < baskets.all.len(), "{failed} of {} failed", baskets.all.len());
    // What no order could have, nobody got.
    for basket in
        baskets.all.iter().filter(|basket| basket.units.iter().any(|(sku, units)| *units > received[sku]))
    {
        assert_eq!(orders[&basket.key]["status"], "FAILED");
    }
    server.stop();
    stage.verify_clean();
}

/// A failed order names SKUs of its own, each of which was short at that moment.
fn failed_for_a_reason(order: &Value, wanted: &BTreeMap<String, u64>, received: &BTreeMap<String, u64>) {
    assert_eq!(order["fail_reason"], "out-of-stock", "{order}");
    let failures = order["failures"].as_array().unwrap();
    assert!(!failures.is_empty(), "{order}");
    let mut named = BTreeSet::new();
    for failure in failures {
        let sku = failure["sku"].as_str().unwrap();
        let (requested, available) =
            (failure["requested"].as_u64().unwrap(), failure["available"].as_u64().unwrap());
        assert_eq!((&failure["problem"], requested), (&"out-of-stock".into(), wanted[sku]), "{order}");
        assert!(requested > available && available <= received[sku], "{order}");
        assert!(named.insert(sku), "{sku} is named twice: {order}");
    }
    for (sku, units) in wanted.iter().filter(|(sku, units)| **units > received[*sku]) {
        assert!(
            named.contains(sku.as_str()),
            "{units} of {sku} never were there, yet it is not named: {order}"
        );
    }
}

#[test]
fn plain_and_gzip_files_are_replayed_too_and_bad_lines_are_counted() {
    let stage = Stage::new();
    let server = stage.serve();
    let lines: Vec<_> =
        Baskets::sample().all.iter().take(50).map(|basket| basket.line.clone() + "\n").collect();
    let plain = stage.folder.path().join("plain.ndjson");
    std::fs::write(&plain, lines.concat()).unwrap();
    let packed = stage.folder.path().join("packed.ndjson.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, lines.concat().as_bytes()).unwrap();
    encoder.finish().unwrap();
    for file in [&plain, &packed] {
        let ran = stage.run(&["replay", file.to_str().unwrap(), "--url", &server.url()]).exits(0);
        assert!(ran.stdout.contains("50 orders accepted, 0 rejected"), "{}", ran.stdout);
    }
    let broken = stage.folder.path().join("broken.ndjson");
    std::fs::write(&broken, lines[..9].concat() + "{}\n" + &lines[9..].concat()).unwrap();
    let ran = stage.run(&["replay", broken.to_str().unwrap(), "--url", &server.url()]);
    let ran = ran.fails_naming(&["1 lines were rejected"]);
    assert!(ran.stdout.contains("50 orders accepted, 1 rejected"), "{}", ran.stdout);
    assert_eq!(server.admin().get("/orders?page=1&limit=1").is(200).json()["total"], 50);
}
