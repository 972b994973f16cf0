//! bring-up
#![allow(clippy::print_stdout)]
fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u64>().unwrap());
    let (from, count, steps) =
        (args.next().unwrap_or(1), args.next().unwrap_or(1), args.next().unwrap_or(3000));
    let loud = args.next().is_some();
    let begun = std::time::Instant::now();
    let mut bad = 0;
    for seed in from..from + count {
        let report = orderflow_simulator::simulate(seed, steps, loud);
        if report.broken.is_some() {
            bad += 1;
            println!("{}", report.broken.as_ref().unwrap().chars().take(300).collect::<String>());
            if count == 1 {
                println!("{report}");
            } else {
                println!("   seed {seed}");
            }
        } else if count < 6 {
            println!("{report}");
        }
    }
    println!("{count} seeds, {bad} bad, {:?}", begun.elapsed());
}
