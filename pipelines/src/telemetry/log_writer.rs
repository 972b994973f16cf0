//! Writes log lines to standard error in a thread of its own.
//!
//! Lines are collected in memory and written together, at the latest a tenth of a second after the first of them. A
//! warning or error is written at once.
//! Writing each line of the access log separately would cost a request several percent.
//! *Bound*: one megabyte. If standard error is read too slowly, lines that do not fit are dropped and counted.
//! Logging never waits.
//! *Loss*: a kill loses the lines collected last. Dropping the guard writes all lines.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::metrics::LOG_LINES_DROPPED;

const BYTES_MAX: usize = 1 << 20;
/// The number of collected bytes that are written without waiting longer.
const BYTES_FULL: usize = 64 << 10;
const GATHER: Duration = Duration::from_millis(100);

/// The lines of this process, once it logs.
static PROCESS: OnceLock<Arc<Shared>> = OnceLock::new();

/// The writer that a `tracing` subscriber sends its lines to.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

/// Ends the writing thread when it is dropped, after all collected lines are written.
pub struct LogGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Lines>,
    wake: Condvar,
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    dropped: u64,
    is_urgent: bool,
    is_closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        // A panic under the lock leaves no half line.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there are lines to write, and exchanges them for an empty buffer. Returns how many were dropped;
    /// `None` once the writer is closed and everything is written.
    fn take(&self, buffer: &mut Vec<u8>) -> Option<u64> {
        let is_idle = |lines: &mut Lines| !lines.is_closed && lines.bytes.is_empty() && lines.dropped == 0;
        let lines = self.wake.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let is_gathering =
            |lines: &mut Lines| !lines.is_closed && !lines.is_urgent && lines.bytes.len() < BYTES_FULL;
        let waited = self.wake.wait_timeout_while(lines, GATHER, is_gathering);
        let (mut lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        lines.is_urgent = false;
        let is_over = lines.is_closed && lines.bytes.is_empty() && lines.dropped == 0;
        mem::swap(&mut lines.bytes, buffer);
        (!is_over).then(|| mem::take(&mut lines.dropped))
    }

    fn write_all(&self, mut output: impl Write) {
        let mut bytes = Vec::new();
        while let Some(dropped) = self.take(&mut bytes) {
            // If standard error fails, nobody can be told.
            let _ = output.write_all(&bytes);
            bytes.clear();
            if dropped > 0 {
                let _ = writeln!(
                    output,
                    "{dropped} lines of the log were dropped: standard error is not read fast enough"
                );
                metrics::counter!(LOG_LINES_DROPPED.name).increment(dropped);
            }
        }
    }
}

/// Starts the thread that writes the lines.
pub fn start() -> io::Result<(LogWriter, LogGuard)> {
    let (writer, guard) = start_on(io::stderr())?;
    // A second start in one process would only lose the order of `write_line`.
    let _ = PROCESS.set(writer.0.clone());
    Ok((writer, guard))
}

/// Writes a line for people at once, after all that was logged before.
pub fn write_line(line: &str) {
    match PROCESS.get() {
        Some(shared) => {
            let mut writer = LineWriter { shared, is_urgent: true };
            writer.write_all(format!("{line}\n").as_bytes()).expect("memory takes all bytes");
        }
        None => eprintln!("{line}"),
    }
}

fn start_on(output: impl Write + Send + 'static) -> io::Result<(LogWriter, LogGuard)> {
    let shared = Arc::new(Shared::default());
    let writing = shared.clone();
    let thread =
        std::thread::Builder::new().name("log lines".into()).spawn(move || writing.write_all(output))?;
    Ok((LogWriter(shared.clone()), LogGuard { shared, thread: Some(thread) }))
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, there is nothing left to write.
            let _ = thread.join();
        }
    }
}

/// Collects the bytes of one log line.
pub struct LineWriter<'a> {
    shared: &'a Shared,
    is_urgent: bool,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.shared.lock();
        if lines.bytes.len() + line.len() > BYTES_MAX {
            lines.dropped += 1;
            return Ok(line.len());
        }
        let before = lines.bytes.len();
        lines.bytes.extend_from_slice(line);
        let is_first = before == 0;
        let is_full = before < BYTES_FULL && lines.bytes.len() >= BYTES_FULL;
        lines.is_urgent |= self.is_urgent;
        // Each of these wakes the thread once: waking it is a system call, whether it sleeps or not.
        if is_first || is_full || self.is_urgent {
            self.shared.wake.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { shared: &self.0, is_urgent: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> LineWriter<'a> {
        LineWriter { shared: &self.0, is_urgent: *metadata.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output whose first write blocks until a message arrives.
    struct Slow(mpsc::Receiver<()>, Output);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_written_in_order_before_the_guard_is_gone() {
        let output = Output::default();
        let (writer, guard) = start_on(output.clone()).unwrap();
        let lines: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        for line in lines.lines() {
            writer.make_writer().write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        drop(guard);
        assert_eq!(String::from_utf8(output.0.lock().unwrap().clone()).unwrap(), lines);
    }

    #[test]
    fn what_a_slow_reader_leaves_no_room_for_is_dropped_and_said() {
        let (go_on, wait) = mpsc::channel();
        let output = Output::default();
        let (writer, guard) = start_on(Slow(wait, output.clone())).unwrap();
        let line = [b'x'; 1 << 10];
        for _ in 0..3_000 {
            writer.make_writer().write_all(&line).unwrap();
        }
        drop(go_on);
        drop(guard);
        let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        assert!(text.len() <= 2 * BYTES_MAX + BYTES_FULL + line.len() + 100, "{}", text.len());
        assert!(text.contains(" lines of the log were dropped"), "the loss is said");
    }
}
