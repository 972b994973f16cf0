//! Fixed-width little-endian fields of frames and index files, and their checksum.
//!
//! Bytes read from a disk never cause a panic here: a missing field is `None`.

/// CRC-32C (Castagnoli), which the CPUs that the program runs on compute in hardware.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    u32::try_from(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes)).unwrap_or(u32::MAX)
}

/// Converts a length that is known to fit 32 bits, as all lengths within one append do.
pub(super) fn as_u32(length: usize) -> u32 {
    u32::try_from(length).expect("lengths within a segment fit 32 bits")
}

/// Converts a 32-bit length; lossless on the 64-bit machines that the program runs on.
pub(super) const fn as_usize(length: u32) -> usize {
    length as usize
}

/// Takes fields from the front of a byte slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    taken: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, taken: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The number of bytes taken so far.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.taken += length;
        Some(bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        self.taken += N;
        Some(*bytes)
    }
}
