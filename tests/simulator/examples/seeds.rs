//! Runs seeds until one breaks a promise: `seeds --seeds 1..100 --steps 2000`, without the end of the range. With
//! `--trade parcels`, only those whose clients deal in that.
//!
//! Prints `clean`, or `broken SEED: WORDS` and exits with 1. The test of mutations runs this program.

use std::{
    io::{self, Write},
    ops::Range,
    process::ExitCode,
};

use orderflow_simulator::Plan;

/// The parsed command line.
struct Asked {
    seeds: Range<u64>,
    steps: u64,
    trade: Option<String>,
}

fn parse(arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked { seeds: 1..101, steps: 2_000, trade: None };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--seeds" => {
                let (from, to) = value.split_once("..")?;
                asked.seeds = from.parse().ok()?..to.parse().ok()?;
            }
            "--steps" => asked.steps = value.parse().ok()?,
            "--trade" => asked.trade = Some(value),
            _ => return None,
        }
    }
    Some(asked)
}

fn main() -> io::Result<ExitCode> {
    let Some(Asked { seeds, steps, trade }) = parse(std::env::args().skip(1)) else {
        writeln!(io::stderr(), "usage: seeds [--seeds FROM..TO] [--steps N] [--trade NAME]")?;
        return Ok(ExitCode::from(2));
    };
    let is_wanted =
        |seed: &u64| trade.as_ref().is_none_or(|trade| *trade == Plan::of_seed(*seed).trade.as_str());
    let broken = seeds.filter(is_wanted).find_map(|seed| {
        let report = orderflow_simulator::simulate(seed, steps, false);
        report.broken.map(|words| (seed, words))
    });
    match broken {
        Some((seed, words)) => {
            writeln!(io::stdout(), "broken {seed}: {words}")?;
            Ok(ExitCode::FAILURE)
        }
        None => {
            writeln!(io::stdout(), "clean")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
