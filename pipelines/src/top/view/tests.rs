//! Tests of views, and the samples that tests of the screen use too.

use std::time::Duration;

use orderflow_schemas::Topic;

use super::*;
use crate::top::{
    exposition::Exposition,
    histogram::Percentile,
    sample::{Offsets, Process},
};

/// The metrics of an earlier sample.
pub const EARLIER: &str = include_str!("tests/earlier.txt");
/// The metrics of a later sample of the same process.
pub const LATER: &str = include_str!("tests/later.txt");

/// A sample of a server with two partitions of orders and one of stock.
pub fn sample(at: u64, metrics: &str) -> Sample {
    let metrics = Exposition::parse(metrics).unwrap();
    let offsets = |end| Offsets { start: 10, durable_end: end };
    let partitions = [
        ((Topic::OrdersCommands, 0), offsets(100 * at)),
        ((Topic::OrdersCommands, 1), offsets(100 + 50 * at)),
        ((Topic::OrdersEvents, 0), offsets(100 * at)),
        ((Topic::OrdersEvents, 1), offsets(100 + 50 * at)),
        ((Topic::StockCommands, 0), offsets(200 * at)),
        ((Topic::StockEvents, 0), offsets(200 * at)),
        ((Topic::DeadLetters, 0), offsets(13)),
    ];
    let parts = [("database", "waiting"), ("log", "ready")];
    Sample {
        at: Duration::from_secs(at),
        health: Health {
            status: "waiting".to_owned(),
            parts: parts.map(|(name, status)| (name.to_owned(), status.to_owned())).into(),
        },
        metrics: Some(Process { name: "10.0.0.1:9090".to_owned(), metrics }),
        partitions: Some(partitions.into()),
        notes: Vec::new(),
    }
}

fn view() -> View {
    View::of(Some(&sample(2, EARLIER)), &sample(4, LATER))
}

#[test]
fn rates_are_increases_a_second() {
    let rates = view().rates;
    assert_eq!((rates.orders_placed, rates.client_commands), (Some(150.0), Some(160.0)));
    assert_eq!(
        (rates.requests, rates.client_errors, rates.server_errors),
        (Some(105.0), Some(5.0), Some(0.0))
    );
    assert_eq!((rates.refused, rates.records, rates.bytes), (Some(2.0), Some(700.0), Some(20_000.0)));
}

#[test]
fn latencies_are_those_of_the_interval_without_the_requests_of_the_screen() {
    let view = view();
    let [decision, http, sync, reads] = &*view.latencies else { panic!("{:?}", view.latencies) };
    assert_eq!((decision.name, decision.latency.per_second), ("decision", Some(100.0)));
    let Some(Percentile::About(median)) = decision.latency.p50 else { panic!("{decision:?}") };
    assert!((median - 0.000_8).abs() < 1e-9, "{median}");
    assert_eq!(decision.latency.p999, Some(Percentile::Above(0.01)));
    assert_eq!((http.name, http.latency.per_second), ("HTTP", Some(105.0)));
    assert_eq!((sync.latency.per_second, sync.latency.p99), (Some(0.0), None));
    assert_eq!((reads.latency.per_second, reads.latency.p99), (Some(0.0), None));
    let routes: Vec<_> = view.routes.iter().map(|route| (route.route.as_str(), route.errors)).collect();
    assert_eq!(routes, [("POST /orders", Some(5.0)), ("GET /orders", Some(0.0))]);
}

#[test]
fn topics_have_rates_and_lags_and_what_their_processors_keep() {
    let view = view();
    let [commands, events, stock, _, dead] = &*view.topics else { panic!("{:?}", view.topics) };
    assert_eq!(
        (commands.partitions, commands.appended, commands.decided),
        (Some(2), Some(150.0), Some(140.0))
    );
    assert_eq!(commands.lag.map(|lag| (lag.total, lag.largest)), Some((12.0, 9.0)));
    assert_eq!(commands.kept, [("active", 30.0)]);
    assert_eq!((events.appended, events.decided, events.lag), (Some(150.0), None, None));
    assert_eq!(stock.kept, [("SKUs", 7.0), ("reserved", 3.0)]);
    assert_eq!((dead.records, dead.appended), (Some(3), Some(0.0)));
}

#[test]
fn sinks_have_rates_lags_and_counts() {
    let [sink] = &*view().sinks else { panic!() };
    assert_eq!((sink.name.as_str(), sink.lag, sink.applied), ("database", 5.0, Some(300.0)));
    assert_eq!((sink.batch_records, sink.retries, sink.dead_letters), (Some(60.0), 4.0, 1.0));
}

#[test]
fn an_owner_has_the_partitions_that_its_metrics_report_and_nobody_the_others() {
    let mut now = sample(4, LATER);
    let view = View::of(None, &now);
    let [owner] = &*view.owners else { panic!("{:?}", view.owners) };
    assert_eq!(
        (owner.name.as_str(), owner.sinks.as_slice()),
        ("10.0.0.1:9090", &["database".to_owned()][..])
    );
    assert_eq!(owner.partitions, [(Topic::OrdersCommands, vec![0, 1])]);
    assert_eq!(view.not_owned, [(Topic::StockCommands, vec![0])]);
    let owned: Vec<_> = view.partitions.iter().map(|row| (row.of, row.number, row.owner.is_some())).collect();
    assert_eq!(owned, [("orders", 0, true), ("orders", 1, true), ("stock", 0, false)]);
    now.metrics = None;
    let view = View::of(None, &now);
    assert!(view.owners.is_empty() && view.not_owned.is_empty());
}

#[test]
fn what_needs_topics_is_unknown_without_them_and_the_rest_is_shown() {
    let (mut before, mut now) = (sample(2, EARLIER), sample(4, LATER));
    (before.partitions, now.partitions) = (None, None);
    let view = View::of(Some(&before), &now);
    let [commands, events, ..] = &*view.topics else { panic!() };
    assert_eq!((commands.partitions, commands.appended, commands.decided), (Some(2), None, Some(140.0)));
    assert_eq!(commands.lag.map(|lag| lag.total), Some(12.0));
    assert_eq!((events.partitions, events.appended, events.records), (None, None, None));
    assert_eq!(view.rates.orders_placed, Some(150.0));
    assert_eq!(view.partitions.len(), 2);
}

#[test]
fn one_sample_has_no_rates() {
    let view = View::of(None, &sample(4, LATER));
    assert_eq!((view.interval, view.rates, view.routes.len()), (None, Rates::default(), 0));
    assert_eq!(view.version.as_deref(), Some("0.1.0"));
    assert_eq!(view.topics[0].lag.map(|lag| lag.total), Some(12.0));
}
