//! The lines of a file or of standard input, decompressed. The first bytes tell the compression.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, stdin},
    path::Path,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use indicatif::ProgressBar;

use super::pace::Pace;

/// Lines in one request. The number is large enough that the cost of a request does not matter for a line. It is
/// small enough to show progress and to repeat a request cheaply after a lost response.
const LINES_PER_REQUEST: u64 = 4_000;
/// The approximate size of the body of one request.
const BYTES_PER_REQUEST: usize = 4 << 20;
/// Bytes that are kept of a line. No server accepts a line of this length, so the rest of the line does not matter.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// The largest accepted window of a zstd frame, as a power of two in bytes: what `zstd --long=31` writes.
const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// Reads the input line by line.
pub struct Lines {
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
}

/// The lines of one request.
pub struct Part {
    /// The lines as they are in the file.
    pub body: Bytes,
    /// The number of the first line in the file, counted from 1.
    pub first: u64,
}

impl Lines {
    /// Opens a file; `-` is standard input. The bar shows how many bytes of the file were read.
    pub fn open(path: &Path, bar: Option<&ProgressBar>) -> Result<Self> {
        let raw: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(stdin())
        } else {
            Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?)
        };
        let raw: Box<dyn Read + Send> = match bar {
            Some(bar) => Box::new(bar.wrap_read(raw)),
            None => raw,
        };
        Self::of(raw).with_context(|| format!("{} cannot be read", path.display()))
    }

    fn of(mut raw: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut first = Vec::new();
        raw.by_ref().take(4).read_to_end(&mut first)?;
        let packed = io::Cursor::new(first.clone()).chain(raw);
        let input: Box<dyn BufRead + Send> = match first.as_slice() {
            [0x1f, 0x8b, ..] => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(packed))),
            // A zstd frame or a skippable frame (RFC 8878).
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                let mut decoder = zstd::Decoder::new(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(BufReader::new(decoder))
            }
            _ => Box::new(BufReader::new(packed)),
        };
        Ok(Self { input, line: Vec::new(), number: 0 })
    }

    /// The next line with its line end, without a byte order mark. A line that is longer than any server accepts is
    /// cut.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let read = self.input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        let number = self.number + 1;
        let unreadable = || format!("the input cannot be read at line {number}");
        if read.with_context(unreadable)? == 0 {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') && self.line.len() as u64 == LINE_BYTES_MAX {
            self.input.skip_until(b'\n').with_context(unreadable)?;
            self.line.push(b'\n');
        }
        self.number = number;
        let line = self.line.as_slice();
        let mark = if number == 1 { b"\xef\xbb\xbf".as_slice() } else { b"" };
        Ok(Some(line.strip_prefix(mark).unwrap_or(line)))
    }

    /// The body of the next request. If reading fails, the complete lines before the failure come with the error.
    pub fn next_part(&mut self, pace: &mut Pace) -> (Option<Part>, Result<()>) {
        let (mut body, first, mut ended) = (Vec::new(), self.number + 1, Ok(()));
        while self.number + 1 < first + LINES_PER_REQUEST && body.len() < BYTES_PER_REQUEST {
            match self.next_line() {
                Ok(Some(line)) => {
                    body.extend_from_slice(line);
                    if pace.reached(line) {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
        }
        ((self.number >= first).then(|| Part { body: body.into(), first }), ended)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{super::Speed, *};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: Vec<u8>) -> (Vec<(String, u64)>, bool) {
        let mut lines = Lines::of(Box::new(io::Cursor::new(bytes))).unwrap();
        let (mut parts, mut pace) = (Vec::new(), Pace::new(Speed::Max));
        loop {
            let (part, ended) = lines.next_part(&mut pace);
            let more = part.is_some();
            parts.extend(part.map(|part| (String::from_utf8(part.body.to_vec()).unwrap(), part.first)));
            if ended.is_err() || !more {
                return (parts, ended.is_ok());
            }
        }
    }

    #[test]
    fn packed_input_is_recognised_and_several_members_are_one() {
        let wanted = (vec![("a\nb\n".to_owned(), 1)], true);
        let skipped = b"\x50\x2a\x4d\x18\x02\x00\x00\x00xx".as_slice();
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        for bytes in [
            b"a\nb\n".to_vec(),
            b"\xef\xbb\xbfa\nb\n".to_vec(),
            [gzip(b"a\n"), gzip(b"b\n")].concat(),
            [zstd(b"a\n"), zstd(b"b\n")].concat(),
            [skipped, &zstd(b"\xef\xbb\xbfa\nb\n")].concat(),
        ] {
            assert_eq!(read(bytes), wanted);
        }
        assert_eq!(read(Vec::new()), (vec![], true));
        assert_eq!(read(b"a".to_vec()), (vec![("a".to_owned(), 1)], true));
    }

    #[test]
    fn what_was_whole_before_the_input_broke_off_comes_first() {
        let text: String = (0..200_000).map(|n| format!("{n}\n")).collect();
        for mut packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
            packed.truncate(packed.len() / 2);
            let (parts, ended_well) = read(packed);
            assert!(!ended_well && !parts.is_empty());
            let read: String = parts.iter().map(|(body, _)| body.as_str()).collect();
            assert!(text.starts_with(&read));
        }
        let (parts, ended_well) = read(text.into_bytes());
        assert!(ended_well);
        let firsts: Vec<_> = parts.iter().map(|(_, first)| *first).collect();
        assert_eq!((firsts.len(), &firsts[..3]), (50, [1, 4_001, 8_001].as_slice()));
    }

    #[test]
    fn a_line_that_no_server_takes_is_not_kept_whole_and_counts_as_one() {
        let text = format!("{}\nb\n", "x".repeat(3 << 20));
        let mut lines = Lines::of(Box::new(io::Cursor::new(text))).unwrap();
        let long = lines.next_line().unwrap().unwrap().len() as u64;
        assert_eq!(long, LINE_BYTES_MAX + 1);
        assert_eq!(lines.next_line().unwrap(), Some(b"b\n".as_slice()));
        assert_eq!(lines.next_line().unwrap(), None);
        assert_eq!(lines.number, 2);
    }
}
