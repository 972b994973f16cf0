//! Counters of the simulated market, and the live summary line.

use std::{
    io::IsTerminal,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio_util::sync::CancellationToken;

/// What the customers of a market did, in counters, and the latency of their orders.
pub(super) struct Counts {
    pub(super) placed: AtomicU64,
    pub(super) out_of_stock: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) canceled: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) returned: AtomicU64,
    pub(super) errors: AtomicU64,
    latency_us: Mutex<Histogram<u64>>,
}

impl Default for Counts {
    fn default() -> Self {
        let zero = AtomicU64::default;
        let histogram = Histogram::new(3).expect("three digits are allowed");
        Self {
            placed: zero(),
            out_of_stock: zero(),
            repeated: zero(),
            canceled: zero(),
            delivered: zero(),
            returned: zero(),
            errors: zero(),
            latency_us: Mutex::new(histogram),
        }
    }
}

impl Counts {
    /// Records the time from sending an order to its response.
    pub(super) fn answered(&self, within: Duration) {
        let micros = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
        let recorded = self.latency_us.lock().expect("no holder panics").record(micros);
        debug_assert!(recorded.is_ok(), "the histogram grows as needed");
    }

    /// Prints the summary every second until `stop`, and once more at the end.
    pub(super) async fn show(self: Arc<Self>, stop: CancellationToken) {
        let (started, terminal) = (Instant::now(), std::io::stderr().is_terminal());
        let mut every = tokio::time::interval(Duration::from_secs(1));
        every.tick().await;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => true,
                _ = every.tick() => false,
            };
            let line = self.line(started.elapsed());
            if terminal {
                eprint!("\r\x1b[2K{line}")
            } else {
                eprintln!("{line}")
            }
            if ended {
                if terminal {
                    eprintln!();
                }
                return;
            }
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let placed = self.placed.load(Relaxed);
        let rate = placed as f64 / elapsed.as_secs_f64();
        let histogram = self.latency_us.lock().expect("no holder panics");
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        format!(
            "{:>4.0} s  {placed} orders ({rate:.0}/s)  {} out of stock  {} repeated  {} canceled  {} delivered  {} \
             returned  {} errors  p50 {:.1} ms  p99 {:.1} ms",
            elapsed.as_secs_f64(),
            self.out_of_stock.load(Relaxed),
            self.repeated.load(Relaxed),
            self.canceled.load(Relaxed),
            self.delivered.load(Relaxed),
            self.returned.load(Relaxed),
            self.errors.load(Relaxed),
            ms(0.5),
            ms(0.99),
        )
    }
}
