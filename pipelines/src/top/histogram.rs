//! Percentiles of the durations between two scrapes, from the buckets of a histogram.

use super::exposition::{Exposition, Series};

/// A duration below which a share of all durations is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Percentile {
    /// About so many seconds: linear within its bucket.
    About(f64),
    /// Longer than the largest bound of a bucket, in seconds.
    Above(f64),
}

/// How many durations are at most each bound; the bounds increase, and the last one is infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    buckets: Vec<(f64, f64)>,
}

impl Histogram {
    /// The sum of all series of a metric that are selected.
    pub fn of(metrics: &Exposition, name: &str, is_selected: impl Fn(&Series) -> bool) -> Self {
        let mut histogram = Self::default();
        for series in metrics.named(&format!("{name}_bucket")).iter().filter(|series| is_selected(series)) {
            if let Some(bound) = series.label("le").and_then(|bound| bound.parse().ok()) {
                histogram.add(bound, series.value);
            }
        }
        histogram
    }

    fn add(&mut self, bound: f64, count: f64) {
        match self.buckets.binary_search_by(|(known, _)| known.total_cmp(&bound)) {
            Ok(index) => self.buckets[index].1 += count,
            Err(index) => self.buckets.insert(index, (bound, count)),
        }
    }

    /// What was measured after `earlier`, of which the same process is the source.
    pub fn since(mut self, earlier: &Self) -> Self {
        for (bound, count) in &earlier.buckets {
            self.add(*bound, -count);
        }
        self
    }

    /// The number of durations.
    pub fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// The percentile for `share`, from 0 to 1; `None` if nothing was measured.
    pub fn percentile(&self, share: f64) -> Option<Percentile> {
        let rank = share * self.count();
        if self.count() <= 0.0 {
            return None;
        }
        let mut lower = (0.0, 0.0);
        for &(bound, count) in &self.buckets {
            if bound.is_infinite() {
                break;
            }
            if count >= rank && count > lower.1 {
                let within = (rank - lower.1) / (count - lower.1);
                return Some(Percentile::About(lower.0 + (bound - lower.0) * within));
            }
            lower = (bound, count);
        }
        Some(Percentile::Above(lower.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(text: &str) -> Histogram {
        Histogram::of(&Exposition::parse(text).unwrap(), "h", |series| {
            series.label("route") != Some("/topics")
        })
    }

    const BEFORE: &str = "h_bucket{route=\"/a\",le=\"0.001\"} 100\nh_bucket{route=\"/a\",le=\"0.01\"} 100\n\
                          h_bucket{route=\"/a\",le=\"+Inf\"} 100\n";
    const AFTER: &str = "h_bucket{route=\"/a\",le=\"0.001\"} 150\nh_bucket{route=\"/a\",le=\"0.01\"} 180\n\
                         h_bucket{route=\"/a\",le=\"+Inf\"} 180\n\
                         h_bucket{route=\"/b\",le=\"0.001\"} 0\nh_bucket{route=\"/b\",le=\"0.01\"} 19\n\
                         h_bucket{route=\"/b\",le=\"+Inf\"} 20\n\
                         h_bucket{route=\"/topics\",le=\"0.001\"} 900\nh_bucket{route=\"/topics\",le=\"+Inf\"} 900\n";

    #[test]
    fn percentiles_are_those_of_the_difference_of_the_selected_series() {
        let measured = histogram(AFTER).since(&histogram(BEFORE));
        assert_eq!(measured.count(), 100.0);
        let Some(Percentile::About(median)) = measured.percentile(0.25) else { panic!() };
        assert!((median - 0.0005).abs() < 1e-9, "{median}");
        let Some(Percentile::About(late)) = measured.percentile(0.745) else { panic!() };
        assert!((late - 0.0055).abs() < 1e-9, "{late}");
        assert_eq!(measured.percentile(0.995), Some(Percentile::Above(0.01)));
    }

    #[test]
    fn nothing_measured_has_no_percentile() {
        assert_eq!(histogram(AFTER).since(&histogram(AFTER)).percentile(0.5), None);
        assert_eq!(histogram("").percentile(0.5), None);
    }
}
