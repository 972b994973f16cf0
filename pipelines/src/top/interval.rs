//! The time between two samples of the same process, and what happened in it.
//!
//! Invariant: nothing is computed over a restart. A counter that went back, or is gone, is a restart.

use std::time::Duration;

use orderflow_schemas::Topic;

use super::{
    exposition::{Exposition, Series},
    histogram::Histogram,
    sample::{Process, Sample},
};

/// Two samples of the same process, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Interval<'a> {
    before: &'a Sample,
    after: &'a Sample,
}

impl<'a> Interval<'a> {
    /// The time between two samples; `None` if the process was restarted in between or no time has passed.
    pub fn between(before: &'a Sample, after: &'a Sample) -> Option<Self> {
        let is_later = after.at > before.at;
        (is_later && !is_restart(before, after)).then_some(Self { before, after })
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.after.at - self.before.at
    }

    fn metrics(&self) -> Option<(&'a Exposition, &'a Exposition)> {
        Some((&self.before.metrics.as_ref()?.metrics, &self.after.metrics.as_ref()?.metrics))
    }

    /// The newest series of a metric.
    pub fn series(&self, name: &str) -> &'a [Series] {
        self.after.metrics.as_ref().map_or(&[], |process| process.metrics.named(name))
    }

    /// How much all selected series of a counter increased a second; `None` without metrics. A counter appears with its
    /// first value, so one that is not there is 0.
    pub fn rate(&self, name: &str, is_selected: impl Fn(&Series) -> bool) -> Option<f64> {
        let (before, after) = self.metrics()?;
        let sum = |metrics: &Exposition| -> f64 {
            let series = metrics.named(name).iter().filter(|series| is_selected(series));
            series.map(|series| series.value).sum()
        };
        Some((sum(after) - sum(before)) / self.duration().as_secs_f64())
    }

    /// The durations of a histogram that were measured; `None` without metrics.
    pub fn histogram(&self, name: &str, is_selected: impl Fn(&Series) -> bool) -> Option<Histogram> {
        let (before, after) = self.metrics()?;
        let earlier = Histogram::of(before, name, &is_selected);
        Some(Histogram::of(after, name, &is_selected).since(&earlier))
    }

    /// The records a second that became durable in the selected partitions of a topic; `None` if the log is not
    /// visible.
    pub fn records(&self, topic: Topic, is_selected: impl Fn(u16) -> bool) -> Option<f64> {
        let sum = |sample: &Sample| {
            let partitions = sample.partitions.as_ref()?.iter();
            let of_topic = partitions.filter(|((of, number), _)| *of == topic && is_selected(*number));
            Some(of_topic.map(|(_, offsets)| offsets.durable_end).sum::<u64>() as f64)
        };
        Some((sum(self.after)? - sum(self.before)?) / self.duration().as_secs_f64())
    }
}

/// Whether the second sample shows a younger process or another log than the first.
fn is_restart(before: &Sample, after: &Sample) -> bool {
    let counters_went_back = match (&before.metrics, &after.metrics) {
        (Some(before), Some(after)) => went_back(before, after),
        _ => false,
    };
    let ends_went_back = match (&before.partitions, &after.partitions) {
        (Some(before), Some(after)) => before
            .iter()
            .any(|(partition, old)| after.get(partition).is_none_or(|new| new.durable_end < old.durable_end)),
        _ => false,
    };
    counters_went_back || ends_went_back
}

fn went_back(before: &Process, after: &Process) -> bool {
    before.metrics.counters().any(|(name, old)| {
        let same = after.metrics.named(name).iter().find(|new| new.has_labels_of(old));
        same.is_none_or(|new| new.value < old.value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::sample::Offsets;

    fn sample(at: u64, metrics: &str, end: u64) -> Sample {
        let metrics = Exposition::parse(metrics).unwrap();
        let partitions = [((Topic::OrdersEvents, 0), Offsets { start: 0, durable_end: end })];
        Sample {
            at: Duration::from_secs(at),
            metrics: Some(Process { name: "host:1".to_owned(), metrics }),
            partitions: Some(partitions.into()),
            ..Sample::default()
        }
    }

    #[test]
    fn rates_are_increases_over_the_seconds_between() {
        let before = sample(10, "a_total{x=\"1\"} 100\n", 50);
        let after = sample(12, "a_total{x=\"1\"} 110\na_total{x=\"2\"} 4\n", 60);
        let interval = Interval::between(&before, &after).unwrap();
        assert_eq!(interval.duration(), Duration::from_secs(2));
        assert_eq!(interval.rate("a_total", |_| true), Some(7.0));
        assert_eq!(interval.rate("a_total", |series| series.label("x") == Some("1")), Some(5.0));
        assert_eq!(interval.rate("b_total", |_| true), Some(0.0));
        assert_eq!(interval.records(Topic::OrdersEvents, |_| true), Some(5.0));
        assert_eq!(interval.records(Topic::OrdersEvents, |number| number == 1), Some(0.0));
    }

    #[test]
    fn nothing_is_computed_over_a_restart() {
        let before = sample(10, "a_total 100\nb_count 5\n", 50);
        for after in [
            sample(11, "a_total 99\nb_count 6\n", 50),
            sample(11, "a_total 200\nb_count 4\n", 50),
            sample(11, "a_total 200\n", 50),
            sample(11, "a_total 200\nb_count 6\n", 49),
            sample(10, "a_total 200\nb_count 6\n", 51),
        ] {
            assert!(Interval::between(&before, &after).is_none(), "{after:?}");
        }
        let gauge_fell = sample(11, "a_total 100\nb_count 5\nlag 3\n", 50);
        assert!(Interval::between(&sample(10, "a_total 1\nlag 9\n", 50), &gauge_fell).is_some());
    }

    #[test]
    fn what_a_sample_lacks_has_no_rate() {
        let (before, mut after) = (sample(10, "a_total 1\n", 50), sample(11, "a_total 2\n", 51));
        (after.metrics, after.partitions) = (None, None);
        let interval = Interval::between(&before, &after).unwrap();
        assert_eq!(interval.rate("a_total", |_| true), None);
        assert_eq!(interval.histogram("a", |_| true), None);
        assert_eq!(interval.records(Topic::OrdersEvents, |_| true), None);
    }
}
