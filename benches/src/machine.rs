//! A description of the machine that the numbers were measured on.

use std::fs::read_to_string;

/// The machine and its current load, in one line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|total| gibibytes(&total));
    let memory = memory.map_or_else(String::new, |gibibytes| format!(", {gibibytes} GiB of memory"));
    let loads = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = loads.split(' ').next().unwrap_or_default();
    format!("{cores} cores of {processor}{memory}; load average {load} before it began")
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gibibytes(kibibytes: &str) -> Option<u64> {
    let number: u64 = kibibytes.split(' ').next()?.parse().ok()?;
    Some(number.div_ceil(1 << 20))
}
