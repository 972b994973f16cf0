//! What is known of a watched server between two samples. Pure: samples and times are arguments.
//!
//! Rates begin anew after the server was away, even if its counters have not gone back: a restart may be in between.

use std::time::Duration;

use super::{sample::Sample, view::View};

/// A watched server.
#[derive(Debug)]
pub struct Watch {
    /// The URL of the server.
    pub url: String,
    /// Who asks, and how the server learns it.
    pub caller: String,
    /// The time between two samples.
    pub every: Duration,
    /// The newest figures.
    pub view: Option<View>,
    /// What is wrong, if the figures are old or begin anew.
    pub trouble: Option<Trouble>,
    /// Whether the figures stay as they are.
    pub is_paused: bool,
    last: Option<Sample>,
}

/// Why there are no current figures.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The server does not answer.
    Away {
        /// When that was first seen.
        since: Duration,
        /// For how long it has been so.
        lasts: Duration,
        /// Why, in one sentence.
        reason: String,
    },
    /// The server was restarted: rates follow with the next sample.
    Restarted,
}

impl Watch {
    /// A server that is not sampled yet.
    pub fn new(url: String, caller: String, every: Duration) -> Self {
        Self { url, caller, every, view: None, trouble: None, is_paused: false, last: None }
    }

    /// Takes a sample into account, or the reason why there is none. `now` is on the clock of the samples.
    pub fn take(&mut self, sample: Result<Sample, String>, now: Duration) {
        match sample {
            Ok(sample) => self.answered(sample),
            Err(reason) => self.missed(reason, now),
        }
    }

    fn answered(&mut self, sample: Sample) {
        let view = View::of(self.last.as_ref(), &sample);
        let is_first = self.last.is_none() && self.trouble.is_none();
        self.trouble = (view.interval.is_none() && !is_first).then_some(Trouble::Restarted);
        self.last = Some(sample);
        if !self.is_paused {
            self.view = Some(view);
        }
    }

    fn missed(&mut self, reason: String, now: Duration) {
        self.last = None;
        let since = match self.trouble {
            Some(Trouble::Away { since, .. }) => since,
            _ => now,
        };
        self.trouble = Some(Trouble::Away { since, lasts: now.saturating_sub(since), reason });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::view::tests::{EARLIER, LATER, sample};

    fn watch() -> Watch {
        Watch::new("http://host:1".to_owned(), "role admin from headers".to_owned(), Duration::from_secs(1))
    }

    fn interval(watch: &Watch) -> Option<Duration> {
        watch.view.as_ref().and_then(|view| view.interval)
    }

    #[test]
    fn rates_come_with_the_second_sample() {
        let mut watch = watch();
        watch.take(Ok(sample(1, EARLIER)), Duration::from_secs(1));
        assert_eq!((interval(&watch), &watch.trouble), (None, &None));
        watch.take(Ok(sample(3, LATER)), Duration::from_secs(3));
        assert_eq!((interval(&watch), &watch.trouble), (Some(Duration::from_secs(2)), &None));
    }

    #[test]
    fn counters_that_go_back_are_a_restart_and_the_next_sample_has_rates() {
        let mut watch = watch();
        for (at, metrics, has_rates) in [(1, LATER, false), (2, EARLIER, false), (3, LATER, true)] {
            watch.take(Ok(sample(at, metrics)), Duration::from_secs(at));
            assert_eq!(interval(&watch).is_some(), has_rates, "{at}");
            assert_eq!(watch.trouble == Some(Trouble::Restarted), at == 2, "{at}");
        }
    }

    #[test]
    fn a_server_that_is_away_keeps_its_figures_and_has_no_rates_over_the_gap() {
        let mut watch = watch();
        watch.take(Ok(sample(1, EARLIER)), Duration::from_secs(1));
        for now in [2, 5] {
            watch.take(Err("cannot connect".to_owned()), Duration::from_secs(now));
        }
        let (since, lasts) = (Duration::from_secs(2), Duration::from_secs(3));
        assert_eq!(watch.trouble, Some(Trouble::Away { since, lasts, reason: "cannot connect".to_owned() }));
        assert!(watch.view.is_some());
        watch.take(Ok(sample(6, LATER)), Duration::from_secs(6));
        assert_eq!((interval(&watch), &watch.trouble), (None, &Some(Trouble::Restarted)));
        watch.take(Ok(sample(7, LATER)), Duration::from_secs(7));
        assert_eq!((interval(&watch), &watch.trouble), (Some(Duration::from_secs(1)), &None));
    }

    #[test]
    fn a_pause_keeps_the_figures_and_rates_after_it_are_of_one_interval() {
        let mut watch = watch();
        watch.take(Ok(sample(1, EARLIER)), Duration::from_secs(1));
        watch.is_paused = true;
        watch.take(Ok(sample(2, EARLIER)), Duration::from_secs(2));
        assert_eq!(interval(&watch), None);
        watch.is_paused = false;
        watch.take(Ok(sample(3, LATER)), Duration::from_secs(3));
        assert_eq!(interval(&watch), Some(Duration::from_secs(1)));
    }
}
