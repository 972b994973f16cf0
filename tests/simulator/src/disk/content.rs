//! The bytes of one file: as processes see them, as they are on the platter, and the changes in between. Pure.

use std::{collections::BTreeMap, ops::Range};

use fastrand::Rng;

/// The unit that the platter writes completely or not at all, in bytes.
pub const SECTOR_BYTES: usize = 512;

type Sector = [u8; SECTOR_BYTES];

/// The probability that a power cut leaves a new version rather than the durable one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Luck(f64);

impl Luck {
    /// Draws the probability anew for each cut, so that everything, nothing, almost everything and almost nothing are
    /// often left.
    pub fn draw(rng: &mut Rng) -> Self {
        const OFTEN: [f64; 6] = [0.0, 0.1, 0.5, 0.5, 0.9, 1.0];
        Self(OFTEN[rng.usize(..OFTEN.len())])
    }

    /// Whether a change that is not durable is kept.
    pub fn keeps(self, rng: &mut Rng) -> bool {
        rng.f64() < self.0
    }

    /// The version that is left; `None` is the durable one.
    fn pick<'a, T>(self, rng: &mut Rng, versions: &'a [T]) -> Option<&'a T> {
        if !self.keeps(rng) {
            return None;
        }
        if rng.bool() { versions.last() } else { rng.choice(versions) }
    }
}

/// The content of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    cache: Vec<u8>,
    platter: Vec<u8>,
    /// The versions of each sector that writes since the last sync have made, oldest first. Bytes beyond the end are
    /// zero.
    dirty: BTreeMap<usize, Vec<Sector>>,
    /// The lengths of the file since the last sync, oldest first.
    lengths: Vec<usize>,
    /// The file before it was last cut short, while the cut is not durable. File systems cut a file completely or not
    /// at all, and never put later bytes at the place of the bytes that were cut off.
    uncut: Option<Box<Content>>,
}

impl Content {
    pub fn bytes(&self) -> &[u8] {
        &self.cache
    }

    pub fn durable(&self) -> &[u8] {
        self.uncut.as_ref().map_or(&self.platter, |uncut| uncut.durable())
    }

    pub fn write(&mut self, bytes: &[u8], position: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = position + bytes.len();
        let from = position.min(self.cache.len());
        if end > self.cache.len() {
            self.cache.resize(end, 0);
            self.lengths.push(end);
        }
        self.cache[position..end].copy_from_slice(bytes);
        self.changed(from..end);
    }

    /// Makes the file shorter, or longer with zeros.
    pub fn resize(&mut self, length: usize) {
        let old = self.cache.len();
        if length < old {
            self.uncut = Some(Box::new(self.clone()));
            self.cut(length);
        } else if length > old {
            self.cache.resize(length, 0);
            self.lengths.push(length);
            self.changed(old..length);
        }
    }

    fn cut(&mut self, length: usize) {
        self.cache.truncate(length);
        self.platter.truncate(length);
        self.lengths.iter_mut().for_each(|other| *other = length.min(*other));
        self.lengths.push(length);
        let end = length.div_ceil(SECTOR_BYTES);
        self.dirty.retain(|sector, _| *sector < end);
        if !length.is_multiple_of(SECTOR_BYTES)
            && let Some(versions) = self.dirty.get_mut(&(end - 1))
        {
            versions.iter_mut().for_each(|version| version[length % SECTOR_BYTES..].fill(0));
        }
    }

    /// Makes all changes durable.
    pub fn sync(&mut self) {
        self.uncut = None;
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let Some(version) = versions.last() {
                self.persist(sector, version);
            }
        }
        self.lengths.clear();
        self.platter.resize(self.cache.len(), 0);
    }

    /// Fails a sync: each change becomes durable or not, and no change stays pending.
    pub fn fail_sync(&mut self, luck: Luck, rng: &mut Rng) {
        if let Some(mut uncut) = self.uncut.take()
            && !luck.keeps(rng)
        {
            uncut.fail_sync(luck, rng);
            self.platter = uncut.platter;
            self.dirty.clear();
            self.lengths.clear();
            return;
        }
        let lengths = std::mem::take(&mut self.lengths);
        let length = luck.pick(rng, &lengths).copied().unwrap_or(self.platter.len());
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let Some(version) = luck.pick(rng, &versions) {
                self.persist(sector, version);
            }
        }
        self.platter.resize(length, 0);
    }

    /// Cuts the power: only durable bytes are left. Each sector that was changed by writes that were not durable is
    /// damaged with the probability `damage`.
    pub fn lose_power(&mut self, luck: Luck, damage: f64, rng: &mut Rng) {
        let durable = if damage > 0.0 { self.durable().to_vec() } else { Vec::new() };
        self.fail_sync(luck, rng);
        if damage > 0.0 {
            self.damage_what_differs(&durable, damage, rng);
        }
        self.cache.clone_from(&self.platter);
    }

    /// Flips one bit of each chosen sector, in a byte that differs from the durable one.
    fn damage_what_differs(&mut self, durable: &[u8], probability: f64, rng: &mut Rng) {
        for (sector, bytes) in self.platter.chunks_mut(SECTOR_BYTES).enumerate() {
            let before = sector_of(durable, sector);
            let new: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != before[*at]).collect();
            if !new.is_empty() && rng.f64() < probability {
                bytes[new[rng.usize(..new.len())]] ^= 1 << rng.u8(..8);
            }
        }
    }

    pub fn flip_bit(&mut self, byte: usize, bit: u8) {
        for bytes in [&mut self.cache, &mut self.platter] {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= 1 << (bit % 8);
            }
        }
        if let Some(uncut) = &mut self.uncut {
            uncut.flip_bit(byte, bit);
        }
    }

    /// Adds the current version of each sector in a range.
    fn changed(&mut self, range: Range<usize>) {
        for sector in range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES) {
            let now = sector_of(&self.cache, sector);
            let durable = sector_of(&self.platter, sector);
            let versions = self.dirty.entry(sector).or_default();
            if versions.last().unwrap_or(&durable) != &now {
                versions.push(now);
            }
            if versions.is_empty() {
                self.dirty.remove(&sector);
            }
        }
    }

    fn persist(&mut self, sector: usize, version: &Sector) {
        let start = sector * SECTOR_BYTES;
        if self.platter.len() < start + SECTOR_BYTES {
            self.platter.resize(start + SECTOR_BYTES, 0);
        }
        self.platter[start..start + SECTOR_BYTES].copy_from_slice(version);
    }
}

fn sector_of(bytes: &[u8], sector: usize) -> Sector {
    let mut copy = [0; SECTOR_BYTES];
    let start = (sector * SECTOR_BYTES).min(bytes.len());
    let bytes = &bytes[start..bytes.len().min(start + SECTOR_BYTES)];
    copy[..bytes.len()].copy_from_slice(bytes);
    copy
}
