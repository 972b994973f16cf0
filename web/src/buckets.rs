//! Token buckets, one for each key: a key may spend its burst at once, and then as much as its rate gives back.
//!
//! *Bound*: a fixed number of keys is remembered. When the table is full, full buckets go first, because a full bucket
//! holds nothing; then those that are soonest full. A key whose bucket is empty is never forgotten, so nobody gets a
//! new burst by filling the table with other keys. If every bucket is empty, new keys are refused.
//!
//! The keyed limiter of `governor` has one rate for all keys and a table without a bound, so only its bucket is used.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock, Reference},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

/// How many requests a key may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance(Quota);

impl Allowance {
    /// This many requests a second, and `burst` at once.
    pub fn per_second(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self(Quota::per_second(rate).allow_burst(burst))
    }

    /// This many requests a minute, which may come at once.
    pub fn per_minute(rate: NonZeroU32) -> Self {
        Self(Quota::per_minute(rate))
    }

    /// The requests that may come at once.
    pub fn burst(self) -> u32 {
        self.0.burst_size().get()
    }

    /// The time in which an empty bucket becomes full.
    pub fn window(self) -> Duration {
        self.0.burst_size_replenished_in()
    }

    /// The time in which a bucket gets one request back.
    pub fn interval(self) -> Duration {
        self.0.replenish_interval()
    }
}

/// Why a request of a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The bucket of the key is empty.
    Empty {
        /// When it has a request again.
        retry_after: Duration,
    },
    /// The table is full of keys whose buckets are empty.
    Full,
}

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>;

struct Bucket<C: Clock> {
    limiter: Limiter<C>,
    allowance: Allowance,
    /// When the bucket is full again, at the latest.
    full_at: C::Instant,
}

impl<C: Clock + Clone> Bucket<C> {
    fn new(allowance: Allowance, clock: &C) -> Self {
        let limiter = RateLimiter::direct_with_clock(allowance.0, clock.clone()).with_middleware();
        Self { limiter, allowance, full_at: clock.now() }
    }

    /// Takes one request and returns how many are left at once.
    fn take(&mut self, now: C::Instant) -> Result<u32, Duration> {
        let taken = self.limiter.check();
        let left = taken.as_ref().map_or(0, |state| state.remaining_burst_capacity());
        if taken.is_ok() {
            let spent = self.allowance.burst().saturating_sub(left);
            self.full_at = now + Nanos::from(self.allowance.interval() * spent);
        }
        taken.map(|_| left).map_err(|refused| refused.wait_time_from(now))
    }

    fn is_full(&self, now: C::Instant) -> bool {
        self.full_at <= now
    }

    /// Whether the bucket may have no request left.
    fn is_empty(&self, now: C::Instant) -> bool {
        let to_full: Duration = self.full_at.duration_since(now).into();
        to_full > self.allowance.window().saturating_sub(self.allowance.interval())
    }
}

/// The buckets of all keys.
pub struct Buckets<K, C: Clock = MonotonicClock> {
    table: Mutex<HashMap<K, Bucket<C>>>,
    keys_max: usize,
    clock: C,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Full buckets for at most this many keys.
    pub fn new(keys_max: usize) -> Self {
        Self::with_clock(keys_max, MonotonicClock)
    }
}

impl<K: Hash + Eq, C: Clock + Clone> Buckets<K, C> {
    fn with_clock(keys_max: usize, clock: C) -> Self {
        Self { table: Mutex::default(), keys_max, clock }
    }

    /// Takes a request from the bucket of a key. Returns how many are left at once. A key whose allowance has changed
    /// gets a new bucket: only an admin changes it.
    pub fn take(&self, key: K, allowance: Allowance) -> Result<u32, Refused> {
        // A panic leaves at most a bucket that has lost a request.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if table.len() >= self.keys_max && !table.contains_key(&key) && !self.make_room(&mut table, now) {
            return Err(Refused::Full);
        }
        let bucket = table.entry(key).or_insert_with(|| Bucket::new(allowance, &self.clock));
        if bucket.allowance != allowance {
            *bucket = Bucket::new(allowance, &self.clock);
        }
        bucket.take(now).map_err(|retry_after| Refused::Empty { retry_after })
    }

    /// Forgets full buckets, and then others until a tenth of the table is free, but none that is empty. Returns
    /// whether there is room for a key.
    fn make_room(&self, table: &mut HashMap<K, Bucket<C>>, now: C::Instant) -> bool {
        table.retain(|_, bucket| !bucket.is_full(now));
        let excess = table.len().saturating_sub(self.keys_max - self.keys_max.div_ceil(10));
        if excess > 0 {
            let mut soonest: Vec<_> =
                table.values().filter(|bucket| !bucket.is_empty(now)).map(|bucket| bucket.full_at).collect();
            soonest.sort_unstable();
            if let Some(last) = soonest.get(excess.min(soonest.len()).wrapping_sub(1)) {
                table.retain(|_, bucket| bucket.is_empty(now) || bucket.full_at > *last);
            }
        }
        table.len() < self.keys_max
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn allowance(rate: u32, burst: u32) -> Allowance {
        Allowance::per_second(NonZeroU32::new(rate).unwrap(), NonZeroU32::new(burst).unwrap())
    }

    fn buckets(keys_max: usize) -> (Buckets<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Buckets::with_clock(keys_max, clock.clone()), clock)
    }

    fn is_refused(taken: Result<u32, Refused>) -> bool {
        matches!(taken, Err(Refused::Empty { .. }))
    }

    #[test]
    fn a_key_spends_its_burst_and_then_its_rate_and_others_are_not_concerned() {
        let (buckets, clock) = buckets(10);
        let four = allowance(2, 4);
        for left in [3, 2, 1, 0] {
            assert_eq!(buckets.take(1, four), Ok(left));
        }
        assert_eq!(buckets.take(1, four), Err(Refused::Empty { retry_after: SECOND / 2 }));
        assert_eq!(buckets.take(2, four), Ok(3));
        clock.advance(SECOND / 2);
        assert_eq!(buckets.take(1, four), Ok(0));
        assert!(is_refused(buckets.take(1, four)));
        clock.advance(SECOND * 100);
        assert_eq!(buckets.take(1, four), Ok(3), "no more than the burst is saved");
    }

    #[test]
    fn another_allowance_applies_at_once() {
        let (buckets, _) = buckets(10);
        assert_eq!(buckets.take(1, allowance(1, 1)), Ok(0));
        assert_eq!(buckets.take(1, allowance(5, 5)), Ok(4));
        assert_eq!(buckets.take(1, allowance(2, 2)), Ok(1));
    }

    #[test]
    fn a_full_table_forgets_full_buckets_first_and_empty_ones_never() {
        let (buckets, clock) = buckets(20);
        let three = allowance(1, 3);
        for key in 0..10 {
            buckets.take(key, three).unwrap();
        }
        clock.advance(SECOND);
        for key in 10..15 {
            assert_eq!([(); 3].map(|()| buckets.take(key, three)), [Ok(2), Ok(1), Ok(0)]);
        }
        for key in 15..20 {
            buckets.take(key, three).unwrap();
        }
        // The first ten are full again, so the others stay.
        buckets.take(100, three).unwrap();
        assert_eq!(buckets.table.lock().unwrap().len(), 11);
        for key in 101..1_000 {
            buckets.take(key, three).unwrap();
        }
        assert!(buckets.table.lock().unwrap().len() <= 20);
        for key in 10..15 {
            assert!(is_refused(buckets.take(key, three)), "{key} has got a new burst");
        }
    }

    #[test]
    fn a_table_of_empty_buckets_refuses_new_keys() {
        let (buckets, clock) = buckets(5);
        let one = allowance(1, 1);
        for key in 0..5 {
            buckets.take(key, one).unwrap();
        }
        assert_eq!(buckets.take(5, one), Err(Refused::Full));
        assert!(is_refused(buckets.take(0, one)));
        clock.advance(SECOND);
        assert_eq!(buckets.take(5, one), Ok(0));
    }

    proptest! {
        /// However keys take turns: within its bound the table is never larger, and no key gets more than its burst
        /// and its rate, unless its bucket was forgotten while it had requests left.
        #[test]
        fn no_empty_bucket_starts_anew(
            steps in proptest::collection::vec((0_u32..30, 0_u64..700), 1..300),
            keys_max in 1_usize..12,
        ) {
            let (buckets, clock) = buckets(keys_max);
            let two = allowance(1, 2);
            let mut empty_until: HashMap<u32, Duration> = HashMap::new();
            let mut time = Duration::ZERO;
            for (key, pause) in steps {
                let pause = Duration::from_millis(pause);
                clock.advance(pause);
                time += pause;
                let taken = buckets.take(key, two);
                if let Some(until) = empty_until.get(&key) {
                    prop_assert!(is_refused(taken) || time >= *until, "{} at {:?}", key, time);
                }
                match taken {
                    Err(Refused::Empty { retry_after }) => {
                        prop_assert!(retry_after > Duration::ZERO);
                        empty_until.insert(key, time + retry_after);
                    }
                    _ => drop(empty_until.remove(&key)),
                }
                prop_assert!(buckets.table.lock().unwrap().len() <= keys_max);
            }
        }
    }
}
