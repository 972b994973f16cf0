//! Cuts a stream of bytes into lines. A line is borrowed from the chunk it is in; it is copied only if it began in an
//! earlier chunk.

/// One line of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The bytes of the line, without the line ending.
    Whole(&'a [u8]),
    /// The line is longer than the limit. Its bytes were not kept.
    TooLong,
}

/// The cutter of one stream. It keeps the beginning of the line that has not ended yet.
#[derive(Debug)]
pub struct Lines {
    bytes_max: usize,
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Cuts lines of at most `bytes_max` bytes, line endings not counted.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, begun: Vec::new(), too_long: false }
    }

    /// Calls `each` with every line that ends within `chunk`, and keeps the rest.
    pub fn feed(&mut self, mut chunk: &[u8], mut each: impl FnMut(Line<'_>)) {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = chunk.split_at(end);
            chunk = &rest[1..];
            if self.begun.is_empty() && !self.too_long {
                each(self.check(line));
                continue;
            }
            self.keep(line);
            each(self.last());
            self.begun.clear();
            self.too_long = false;
        }
        self.keep(chunk);
    }

    /// Calls `each` with the last line of the stream if it has no line ending.
    pub fn finish(&mut self, each: impl FnOnce(Line<'_>)) {
        if self.too_long || !self.begun.is_empty() {
            each(self.last());
        }
        self.begun.clear();
        self.too_long = false;
    }

    fn keep(&mut self, bytes: &[u8]) {
        // One byte more than a line may have is kept: it can be the `\r` of the line ending.
        if self.too_long || self.begun.len() + bytes.len() > self.bytes_max + 1 {
            self.too_long = true;
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn last(&self) -> Line<'_> {
        if self.too_long { Line::TooLong } else { self.check(&self.begun) }
    }

    fn check<'a>(&self, line: &'a [u8]) -> Line<'a> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.bytes_max { Line::TooLong } else { Line::Whole(line) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(chunks: &[&[u8]], bytes_max: usize) -> Vec<Option<Vec<u8>>> {
        let (mut lines, mut cut) = (Lines::new(bytes_max), Vec::new());
        let mut keep = |line: Line<'_>| {
            cut.push(match line {
                Line::Whole(line) => Some(line.to_vec()),
                Line::TooLong => None,
            });
        };
        for chunk in chunks {
            lines.feed(chunk, &mut keep);
        }
        lines.finish(&mut keep);
        cut
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_where_chunks_end(
            text in "([a-c]{0,6}\r?\n?){0,12}", size in 1..20usize, bytes_max in 1..8usize,
        ) {
            let chunks: Vec<_> = text.as_bytes().chunks(size).collect();
            let line = |line: &str| {
                let line = line.strip_suffix('\r').unwrap_or(line);
                Some(line.as_bytes().to_vec()).filter(|line| line.len() <= bytes_max)
            };
            let mut wanted: Vec<_> = text.split('\n').map(line).collect();
            if text.is_empty() || text.ends_with('\n') {
                wanted.pop();
            }
            prop_assert_eq!(cut(&chunks, bytes_max), wanted);
        }
    }

    #[test]
    fn too_long_lines_are_counted_and_not_kept() {
        assert_eq!(
            cut(&[b"123456\nab\r\n1234", b"56\ncd"], 4),
            [None, Some(b"ab".to_vec()), None, Some(b"cd".to_vec())]
        );
    }
}
