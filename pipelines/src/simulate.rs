//! `orderflow simulate`: the promises of the design, tried by seeds.

use std::{
    io::{self, Write},
    time::Instant,
};

use anyhow::{Result, bail};
use orderflow_simulator::{Counts, Report, simulate, simulate_many};

use crate::cli::Simulate;

/// What all seeds of a command came to.
#[derive(Default)]
struct Total {
    seeds: u64,
    broken: u64,
    steps: u64,
    records: u64,
    acknowledged: u64,
    power_cuts: u64,
}

impl Total {
    fn add(&mut self, report: &Report) {
        let Counts { steps, records, acknowledged, power_cuts, .. } = report.counts;
        self.seeds += 1;
        self.broken += u64::from(report.broken.is_some());
        self.steps += steps;
        self.records += records as u64;
        self.acknowledged += acknowledged as u64;
        self.power_cuts += power_cuts;
    }
}

/// Runs the seeds that are asked for; an error if one breaks a promise.
pub fn run(args: &Simulate) -> Result<()> {
    let first = args.seed.unwrap_or_else(|| fastrand::u64(..=u64::from(u32::MAX)));
    if args.trace {
        let report = simulate(first, args.steps, true);
        writeln!(io::stdout(), "{report}")?;
        return if report.broken.is_none() { Ok(()) } else { bail!("seed {first} broke a promise") };
    }
    let (begun, mut total) = (Instant::now(), Total::default());
    let count = if args.duration.is_some() { u64::MAX } else { args.count };
    simulate_many((0..count).map(|n| first.wrapping_add(n)), args.steps, |report| {
        total.add(&report);
        // Whoever reads the output may have seen enough; the exit code says the rest.
        if report.broken.is_some() || count == 1 {
            let _ = writeln!(io::stdout(), "{report}");
        }
        args.duration.is_none_or(|duration| begun.elapsed() < duration)
    });
    let Total { seeds, broken, steps, records, acknowledged, power_cuts } = total;
    writeln!(
        io::stdout(),
        "{seeds} seeds from {first}, {steps} steps, {records} durable records, {acknowledged} commands acknowledged, \
         {power_cuts} power cuts in {:.1} s: {broken} broke a promise",
        begun.elapsed().as_secs_f64()
    )?;
    if broken == 0 { Ok(()) } else { bail!("{broken} of {seeds} seeds broke a promise") }
}
