//! bring-up
#![allow(clippy::print_stdout)]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let n = |i: usize, d: u64| args.get(i).map_or(d, |a| a.parse().unwrap());
    let (from, count, steps) = (n(0, 1), n(1, 1), n(2, 2000));
    let loud = args.len() > 3;
    let begun = std::time::Instant::now();
    let mut bad = 0;
    for seed in from..from + count {
        let report = orderflow_simulator::simulate(seed, steps, loud);
        println!(
            "{seed} {:016x} {}",
            report.digest,
            report.broken.as_deref().unwrap_or("").chars().take(300).collect::<String>()
        );
        if report.broken.is_some() {
            bad += 1;
            if count == 1 {
                println!("{report}");
            }
        }
    }
    println!("{count} seeds, {bad} bad, {:?}", begun.elapsed());
}
