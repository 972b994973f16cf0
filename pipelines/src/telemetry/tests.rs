//! Tests of the list of metrics against the sources, the processors and `infra/`.

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use orderflow_processors::{OrderProcessor, Processor, StockProcessor, stock::RESOLVED_MAX};
use orderflow_runner::metrics::PROCESSOR_PREFIX;
use orderflow_schemas::Partition;
use orderflow_world::metric::Kind;

use super::metrics;
use crate::{reference::compare, settings::PipelineFile};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder of the workspace whose names have this ending.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// The words of a text that begin like a metric of this program.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split(move |character| !is_name(character)).filter(|word| word.starts_with("orderflow_"))
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    let names: BTreeSet<_> = metrics::all().map(|metric| metric.name).collect();
    assert_eq!(names.len(), metrics::all().count(), "each name is there once");
    for metric in metrics::all() {
        assert!(metric.name.starts_with("orderflow_") && !metric.help.is_empty(), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        if let Kind::Histogram(buckets) = metric.kind {
            assert!(buckets.is_sorted() && !buckets.is_empty(), "{}", metric.name);
        }
    }
}

#[test]
fn every_metric_that_is_measured_is_in_the_list() {
    let known: BTreeSet<_> = metrics::all().map(|metric| metric.name).collect();
    let mut sources = Vec::new();
    files(&root(), ".rs", &mut sources);
    let mut seen = BTreeSet::new();
    let is_test =
        |path: &Path| path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
    for path in sources.iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(path).unwrap();
        for call in ["counter!(", "gauge!(", "histogram!("] {
            let inside = |(at, _): (usize, _)| text[at + call.len()..].trim_start().starts_with('"');
            assert!(!text.match_indices(call).any(inside), "{} names a metric itself", path.display());
        }
        for kind in ["Metric::counter(", "Metric::gauge(", "Metric::histogram("] {
            let defined = text.split(kind).skip(1).filter_map(|rest| {
                let name = rest.trim_start().strip_prefix('"')?;
                name.split('"').next()
            });
            for name in defined {
                assert!(known.contains(name), "{} defines {name}, which is not in the list", path.display());
                seen.insert(name.to_owned());
            }
        }
    }
    assert_eq!(seen.len(), known.len(), "every metric of the list is defined somewhere");
    let lifecycle = PipelineFile::read(None).unwrap().lifecycle;
    let orders = OrderProcessor { lifecycle, stock_partitions: 1, keys_max: 1, change_keys_max: 1 };
    let (partition, order_partitions) = (Partition(0), 1);
    let stock =
        StockProcessor { partition, order_partitions, change_keys_max: 1, resolved_max: RESOLVED_MAX };
    let gauges = [orders.gauges(&Default::default()), stock.gauges(&Default::default())].concat();
    for (name, _) in gauges {
        assert!(known.contains(&*format!("{PROCESSOR_PREFIX}{name}")), "{name} is not in the list");
    }
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let mut known: BTreeSet<String> = metrics::all().map(|metric| metric.name.to_owned()).collect();
    for metric in metrics::all().filter(|metric| matches!(metric.kind, Kind::Histogram(_))) {
        known.remove(metric.name);
        known.extend(["_bucket", "_sum", "_count"].map(|ending| format!("{}{ending}", metric.name)));
    }
    for file in ["infra/grafana/dashboards/orderflow.json", "infra/prometheus/alerts.yaml"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(names_in(&text).count() > 5, "{file} names metrics");
        for name in names_in(&text) {
            assert!(known.contains(name), "{file} names {name}, which is not measured");
        }
    }
}

#[test]
fn the_documents_have_every_metric() {
    let mut table = "\n| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    let mut all: Vec<_> = metrics::all().collect();
    all.sort_by_key(|metric| metric.name);
    for metric in all {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(table, "| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help).unwrap();
    }
    compare("infra/README.md", "metrics", &(table + "\n"));
}
