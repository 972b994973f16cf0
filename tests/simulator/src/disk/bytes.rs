//! The effect on the disk of each call about the bytes of a file. The caller holds the lock and has checked that the
//! file belongs to this generation.

use std::{io, sync::Arc};

use super::{
    content::Luck,
    history::Kind,
    names::FileId,
    state::{Course, Power, State},
};

/// The first bytes of a processor's snapshot.
const SNAPSHOT: &[u8] = b"ORDFSNAP";

impl State {
    pub fn read(&mut self, file: FileId, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let what = format_args!("read {} at {position} of {}", buffer.len(), file.0);
        self.history.note(Kind::Read, what, &[]);
        if self.happens(self.faults.read_error) {
            return Err(self.failure());
        }
        let bytes = self.content(file).bytes();
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        let end = position.saturating_add(buffer.len());
        buffer.copy_from_slice(bytes.get(position..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// Writes bytes. `noted` are the bytes that go into the digest of operations.
    pub fn write(&mut self, file: FileId, bytes: &[u8], position: u64, noted: &[u8]) -> io::Result<()> {
        let position = size(position)?;
        let end = position.checked_add(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        let what = format_args!("write {} at {position} of {}", bytes.len(), file.0);
        // Snapshots are equal in each run, except for the order of their hash maps.
        let noted = if noted.starts_with(SNAPSHOT) { &[] } else { noted };
        let course = self.change(Kind::Write, self.faults.write_error, what, noted);
        self.has_room(file, end)?;
        let done = match course {
            Course::Whole => bytes.len(),
            Course::Part => self.rng.usize(..=bytes.len()),
        };
        self.content_mut(file).write(&bytes[..done], position);
        self.ended(course)
    }

    /// Sets the length. The change is not durable.
    pub fn resize(&mut self, file: FileId, length: u64) -> io::Result<()> {
        let length = size(length)?;
        let what = format_args!("resize {} to {length}", file.0);
        let course = self.change(Kind::Write, self.faults.write_error, what, &[]);
        self.has_room(file, length)?;
        if course == Course::Whole || self.rng.bool() {
            self.content_mut(file).resize(length);
        }
        self.ended(course)
    }

    pub fn allocate(&mut self, file: FileId, length: u64) -> io::Result<()> {
        let length = size(length)?;
        let what = format_args!("allocate {length} for {}", file.0);
        let course = self.change(Kind::Write, self.faults.write_error, what, &[]);
        self.has_room(file, length)?;
        let whole = course == Course::Whole;
        if whole || self.rng.bool() {
            let length = length.max(self.content(file).bytes().len());
            self.content_mut(file).resize(length);
        }
        if whole && !self.faults.syncs_lie {
            self.content_mut(file).sync();
        }
        self.ended(course)
    }

    pub fn sync(&mut self, file: FileId) -> io::Result<()> {
        let what = format_args!("sync {}", file.0);
        let course = self.change(Kind::Sync, self.faults.sync_error, what, &[]);
        match (course, self.power) {
            _ if self.faults.syncs_lie => {}
            (Course::Whole, _) => self.content_mut(file).sync(),
            // If the power fails during a sync, either the sync was complete, or the power cut decides later what is
            // left.
            (Course::Part, Power::Off) => {
                if self.rng.bool() {
                    self.content_mut(file).sync();
                }
            }
            (Course::Part, _) => self.fail_sync(file),
        }
        self.ended(course)
    }

    fn fail_sync(&mut self, file: FileId) {
        let luck = Luck::draw(&mut self.rng);
        let content = self.files.get_mut(&file).expect("a file that is open is kept");
        Arc::make_mut(content).fail_sync(luck, &mut self.rng);
    }

    pub fn flip_bit(&mut self, file: FileId, byte: usize, bit: u8) {
        self.content_mut(file).flip_bit(byte, bit);
    }

    fn has_room(&self, file: FileId, length: usize) -> io::Result<()> {
        let growth = length.saturating_sub(self.content(file).bytes().len()) as u64;
        let used = || self.files.values().map(|content| content.bytes().len() as u64).sum::<u64>();
        let over = self.faults.bytes_max.is_some_and(|bytes_max| used() + growth > bytes_max);
        if growth > 0 && (self.faults.full || over) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn size(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge.into())
}
