//! Checks the promises of the design by seeds. `orderflow simulate` runs this program. It is a separate program so
//! that the server contains no code of the simulator.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use orderflow_simulator::{Counts, Report, simulate, simulate_many};

/// Try the promises: the real loops, log and sink on a simulated disk, clock and network, as a seed decides
#[derive(Parser, Debug)]
#[command(name = "orderflow simulate", version)]
struct Simulate {
    /// The seed, which decides everything [default: a fresh one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Steps before everything is healed and must come to rest
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    steps: u64,
    /// How many seeds, from the first on
    #[arg(long, default_value_t = 1, value_name = "N", conflicts_with = "duration")]
    count: u64,
    /// Run further seeds until this much time has passed
    #[arg(long = "for", value_parser = humantime::parse_duration, value_name = "DURATION")]
    duration: Option<Duration>,
    /// Print every step of the seed to standard error
    #[arg(long, conflicts_with_all = ["count", "duration"])]
    trace: bool,
}

/// The sums of the results of all seeds of a command.
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

/// Runs the requested seeds. The inner result describes the broken promise, if a seed broke one.
fn run(args: &Simulate) -> io::Result<Result<(), String>> {
    let first = args.seed.unwrap_or_else(|| fastrand::u64(..=u64::from(u32::MAX)));
    if args.trace {
        let report = simulate(first, args.steps, true);
        writeln!(io::stdout(), "{report}")?;
        let broken = report.broken.map(|_| format!("seed {first} broke a promise"));
        return Ok(broken.map_or(Ok(()), Err));
    }
    let (begun, mut total) = (Instant::now(), Total::default());
    let count = if args.duration.is_some() { u64::MAX } else { args.count };
    simulate_many((0..count).map(|n| first.wrapping_add(n)), args.steps, |report| {
        total.add(&report);
        // The reader may have closed the output; the exit code is then the result.
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
    Ok(if broken == 0 { Ok(()) } else { Err(format!("{broken} of {seeds} seeds broke a promise")) })
}

fn main() -> ExitCode {
    match run(&Simulate::parse()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(broken)) => fail(&broken),
        // The reader has closed the output, which is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

/// Prints one sentence and returns exit code 1.
fn fail(message: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "orderflow simulate: {message}");
    ExitCode::FAILURE
}
