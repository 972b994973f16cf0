//! Tests of the screen on ratatui's terminal for tests.

use std::time::Duration;

use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::top::{
    sample::Sample,
    view::tests::{EARLIER, LATER, sample},
};

fn watch(samples: impl IntoIterator<Item = Sample>) -> Watch {
    let (url, caller) = ("http://10.0.0.1:8080".to_owned(), "role admin from headers".to_owned());
    let mut watch = Watch::new(url, caller, Duration::from_secs(1));
    for sample in samples {
        let at = sample.at;
        watch.take(Ok(sample), at);
    }
    watch
}

fn busy() -> Watch {
    watch([sample(2, EARLIER), sample(4, LATER)])
}

/// The text of the screen in this size.
fn screen(watch: &Watch, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(watch, frame.area(), frame.buffer_mut())).unwrap();
    lines(terminal.backend().buffer())
}

/// Panics unless there is a line that has these words in this order, with only spaces between.
#[track_caller]
fn has_line(screen: &str, words: &str) {
    let is_it = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ").contains(words);
    assert!(screen.lines().any(is_it), "`{words}` is not in\n{screen}");
}

const FIGURES: [&str; 17] = [
    "orderflow top http://10.0.0.1:8080 waiting version 0.1.0 rates of 2.0 s",
    "orders placed 150",
    "client commands 160",
    "HTTP requests 105",
    "4xx 5xx refused 5 0 2",
    "records, bytes 700 20.0k",
    "decision 100 0.80 7.69 9.88 >10",
    "log sync 0 – – – –",
    "orders.commands 2 150 140 12 9 30 active",
    "orders.events 2 150 680 records",
    "stock.commands 1 200 7 SKUs, 3 reserved",
    "dead.letters 1 0 3 records",
    "database 300 5 60",
    "database waiting log ready",
    "10.0.0.1:9090 orders.commands 0-1 sink database",
    "nobody stock.commands 0",
    "q quit p pause every 1s as role admin from headers",
];

#[test]
fn everything_fits_80_x_24() {
    let screen = screen(&busy(), 80, 24);
    for words in FIGURES {
        has_line(&screen, words);
    }
    assert!(!screen.contains('…'), "{screen}");
    assert_eq!(screen.lines().count(), 24);
}

#[test]
fn a_larger_terminal_shows_partitions_and_routes_too() {
    let screen = screen(&busy(), 120, 40);
    has_line(&screen, "orders 1 50 50 9 20 active 10.0.0.1:9090 POST /orders 80");
    has_line(&screen, "orders 0 100 100 3 10 active 10.0.0.1:9090");
    has_line(&screen, "stock 0 200 200 – 7 SKUs, 3 reserved –");
    has_line(&screen, "GET /orders 25");
    has_line(&screen, "dead.letters 1 0 3 records");
}

#[test]
fn the_partition_with_the_largest_lag_comes_first() {
    let screen = screen(&busy(), 80, 40);
    let at = |words| screen.find(words).unwrap_or_else(|| panic!("`{words}` is not in\n{screen}"));
    assert!(at("orders 1") < at("orders 0") && at("orders 0") < at("stock 0"), "{screen}");
}

#[test]
fn rows_that_do_not_fit_are_counted() {
    let mut view = View::of(None, &sample(4, LATER));
    let sink = view.sinks[0].clone();
    view.sinks = (0..20)
        .map(|number| crate::top::view::SinkRow { name: format!("sink-{number}"), ..sink.clone() })
        .collect();
    let mut watch = busy();
    watch.view = Some(view);
    let screen = screen(&watch, 80, 24);
    has_line(&screen, "… 19 more");
    for words in ["sink-0", "dead.letters", "database waiting", "10.0.0.1:9090", "q quit"] {
        has_line(&screen, words);
    }
}

#[test]
fn a_server_that_is_away_is_a_banner_above_the_old_figures() {
    let mut watch = busy();
    for now in [5, 17] {
        watch.take(Err("cannot connect to 10.0.0.1:8080".to_owned()), Duration::from_secs(now));
    }
    let screen = screen(&watch, 80, 24);
    has_line(&screen, "NO ANSWER for 12 s, the figures are old: cannot connect to 10.0.0.1:8080");
    has_line(&screen, "orders placed 150");
    assert!(!screen.contains("http://10.0.0.1:8080   waiting"), "{screen}");
}

#[test]
fn a_restart_has_a_banner_and_no_rates() {
    let screen = screen(&watch([sample(2, LATER), sample(4, EARLIER)]), 80, 24);
    has_line(&screen, "restarted: rates begin anew");
    has_line(&screen, "orders placed –");
}

#[test]
fn what_is_missing_is_named() {
    let mut sample = sample(4, LATER);
    sample.partitions = None;
    sample.notes =
        vec!["no topics: only the role admin may read them, with the scope topics:read".to_owned()];
    let screen = screen(&watch([sample]), 80, 24);
    has_line(&screen, "no topics: only the role admin may read them, with the scope topics:read");
    has_line(&screen, "orders.events – –");
}

#[test]
fn before_the_first_sample_the_screen_says_that_it_waits() {
    has_line(&screen(&watch([]), 80, 24), "Waiting for the first sample.");
    let mut away = watch([]);
    away.take(Err("cannot connect".to_owned()), Duration::ZERO);
    has_line(&screen(&away, 80, 24), "NO ANSWER for 0 s: cannot connect");
}

#[test]
fn a_terminal_that_is_too_small_is_told_the_size_that_it_needs() {
    for (columns, rows) in [(79, 24), (80, 23), (30, 5), (1, 1)] {
        let screen = screen(&busy(), columns, rows);
        assert!(columns < 30 || screen.contains("80 x 24"), "{screen}");
    }
}
