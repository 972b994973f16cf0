//! Real orders are replayed: once, again, and with less stock than they need.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use orderflow_tests::{Baskets, Client, Server, Stage, levels, units, wait_until};
use serde_json::Value;

/// The sample, or the file in `ORDERFLOW_REPLAY_FILE` if `ORDERFLOW_FULL_REPLAY` is 1.
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

/// Orders and stock, read once they agree: the database shows them at slightly different times.
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

/// The units of each SKU that the reserved orders among these hold.
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
    // An order for more than was received cannot have been reserved.
    for basket in
        baskets.all.iter().filter(|basket| basket.units.iter().any(|(sku, units)| *units > received[sku]))
    {
        assert_eq!(orders[&basket.key]["status"], "FAILED");
    }
    server.stop();
    stage.verify_clean();
}

/// A failed order names SKUs in its lines, and each of these was short at that moment.
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
    assert!(ran.stderr.contains("line 10: invalid-request"), "{}", ran.stderr);
    assert_eq!(server.admin().get("/orders?page=1&limit=1").is(200).json()["total"], 50);
}

/// The lines are like those of real files: a byte order mark, blank lines, bad lines, and one that is far too long.
#[test]
fn a_file_with_bad_lines_is_replayed_to_its_end_and_what_came_of_each_is_said() {
    let stage = Stage::new();
    let server = stage.serve();
    let good: Vec<_> = Baskets::sample().all.iter().take(40).map(|basket| basket.line.clone()).collect();
    let mut lines = vec![good[0].clone(), String::new(), "{".to_owned()];
    lines.extend(good[1..].iter().cloned());
    lines.extend((0..3_000).map(|_| "{}".to_owned()));
    lines.push("x".repeat(2 << 20));
    lines.push(good[1].clone());
    let text = format!("\u{feff}{}", lines.join("\r\n"));
    let packed = stage.folder.path().join("no-extension");
    std::fs::write(&packed, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    let file = packed.to_str().unwrap();
    for (arguments, repeated) in [(&["--stock", "90"][..], 1), (&["--speed", "1e12"], 41)] {
        let url = server.url();
        let all = [&["replay", file, "--url", &url][..], arguments].concat();
        let ran = stage.run(&all).fails_naming(&["3002 lines were rejected"]);
        for wanted in [
            "41 orders accepted, 3002 rejected;".to_owned(),
            "rejected: 3002 (3000 invalid-request, 1 line-too-long, 1 malformed-json)".to_owned(),
            format!("repeated: {repeated}\n"),
        ] {
            assert!(ran.stdout.contains(&wanted), "{wanted} in {}", ran.stdout);
        }
        assert!(
            ran.stderr.contains("line 3: malformed-json") && ran.stderr.contains("line 43: "),
            "{}",
            ran.stderr
        );
        if repeated == 1 {
            let failed =
                server.admin().get("/orders?status=FAILED&page=1&limit=1").is(200).json()["total"].clone();
            assert!(failed.as_u64().unwrap() > 0);
            let wanted = format!("failed: {failed} ({failed} out-of-stock)\n");
            assert!(ran.stdout.contains(&wanted), "{wanted} in {}", ran.stdout);
        }
    }
    server.stop();
    stage.verify_clean();
}

#[test]
fn stock_is_received_for_each_content_once_whatever_its_name() {
    let stage = Stage::new();
    let server = stage.serve();
    let baskets = Baskets::sample();
    let received = || {
        let items = server.admin().list("/inventory", 1000);
        items.iter().map(|item| levels(item)[0]).sum::<u64>()
    };
    let mut sums = Vec::new();
    for (folder, from) in [("a", 0), ("b", 10), ("c", 0)] {
        let folder = stage.folder.path().join(folder);
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("orders.ndjson");
        let lines: Vec<_> = baskets.all[from..from + 10].iter().map(|basket| basket.line.clone()).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        stage.run(&["replay", file.to_str().unwrap(), "--stock", "100", "--url", &server.url()]).exits(0);
        server.admin().wait_decided();
        sums.push(received());
    }
    assert!(sums[0] > 0 && sums[1] > sums[0] && sums[2] == sums[1], "{sums:?}");
}

#[test]
fn what_the_server_refuses_is_not_tried_again() {
    let stage = Stage::new();
    let calls = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", calls.local_addr().unwrap());
    let counted = std::thread::spawn(move || {
        let mut posts = 0;
        for stream in calls.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n")
                && std::io::Read::read(&mut stream, &mut byte).unwrap_or(0) == 1
            {
                head.push(byte[0]);
            }
            posts += usize::from(head.starts_with(b"POST"));
            let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            std::io::Write::write_all(&mut stream, answer).unwrap();
            if head.starts_with(b"GET /topics") && posts > 0 {
                return posts;
            }
        }
        posts
    });
    let file = stage.folder.path().join("orders.ndjson");
    std::fs::write(&file, Baskets::sample().all[0].line.clone()).unwrap();
    let ran = stage
        .run(&["replay", file.to_str().unwrap(), "--url", &url])
        .fails_naming(&["404", "stopped at line 1"]);
    assert!(ran.stdout.contains("0 orders accepted"), "{}", ran.stdout);
    assert_eq!(counted.join().unwrap(), 1);
}
