//! Frames: the units that are written, checked and recovered as a whole.
//!
//! *Layout* (little endian): magic u32 · CRC-32C u32 of everything that follows · payload length u32 · kind u32 · LSN
//! u64 · synced u64 · time u64 (ms since 1970), then the payload. A frame starts at a multiple of 8 and lies in one
//! segment. A payload of records is a sequence of sections: topic u16 · partition u16 · base offset u64 · count u32 ·
//! body length u32 · body. A body is a sequence of records: length u32 · bytes.
//! *Recovery*: the LSN is the frame's own position in the log, so bytes from another place are invalid here. `synced`
//! is the LSN up to which the log was known to be durable when the frame was written. An invalid frame below the
//! `synced` of a later valid frame is damage; one that no later frame vouches for is the torn tail of a crash.

use bytes::Bytes;
use orderflow_schemas::{Topic, TopicPartition};

use super::codec::{Fields, as_u32, as_usize, checksum};

/// The size of a frame's header in bytes.
pub(super) const HEADER_BYTES: usize = 40;
/// The size of a section's header in bytes.
pub(super) const SECTION_BYTES: usize = 20;
/// Frames start at multiples of this.
pub(super) const ALIGNMENT: usize = 8;
/// `OFL1`, the first bytes of every frame.
pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"OFL1");

/// What the payload of a frame contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Sections of records.
    Records = 1,
    /// The next offset of each partition at the start of a segment; the first frame of every segment.
    Heads = 2,
    /// No payload: the frame vouches for everything before it when the log is closed.
    Close = 3,
}

/// The header of a frame, without magic number and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) kind: FrameKind,
    /// The length of the payload in bytes.
    pub(super) length: u32,
    /// The LSN of the frame's first byte.
    pub(super) lsn: u64,
    /// The log was durable up to this LSN when the frame was written.
    pub(super) synced: u64,
    /// When the frame was written, in milliseconds since 1970.
    pub(super) time_ms: u64,
}

impl FrameHeader {
    /// The LSN after the frame and its padding, where the next frame starts.
    pub(super) fn end(&self) -> u64 {
        end_of(self.lsn, as_usize(self.length))
    }

    /// Reads the header of a frame at `lsn`. `None` if no frame starts there. Does not verify the checksum.
    pub(super) fn read(bytes: &[u8], lsn: u64) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        if fields.u32()? != MAGIC {
            return None;
        }
        let _checksum = fields.u32()?;
        let length = fields.u32()?;
        let kind = match fields.u32()? {
            1 => FrameKind::Records,
            2 => FrameKind::Heads,
            3 => FrameKind::Close,
            _ => return None,
        };
        let header = Self { kind, length, lsn: fields.u64()?, synced: fields.u64()?, time_ms: fields.u64()? };
        (header.lsn == lsn && header.synced <= lsn).then_some(header)
    }
}

/// The LSN after a frame that starts at `lsn` and has `payload_bytes` bytes of payload, padding included.
pub(super) fn end_of(lsn: u64, payload_bytes: usize) -> u64 {
    (lsn + (HEADER_BYTES + payload_bytes) as u64).next_multiple_of(ALIGNMENT as u64)
}

/// Appends a frame to `buffer`, padded with zeros; `payload` must write exactly `header.length` bytes.
pub(super) fn write(buffer: &mut Vec<u8>, header: &FrameHeader, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&MAGIC.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&header.length.to_le_bytes());
    buffer.extend_from_slice(&(header.kind as u32).to_le_bytes());
    for field in [header.lsn, header.synced, header.time_ms] {
        buffer.extend_from_slice(&field.to_le_bytes());
    }
    payload(buffer);
    assert_eq!(buffer.len() - start, HEADER_BYTES + as_usize(header.length), "a frame is as long as it says");
    let sum = checksum(&buffer[start + 8..]);
    buffer[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    let padded = (buffer.len() - start).next_multiple_of(ALIGNMENT);
    buffer.resize(start + padded, 0);
}

/// Whether the checksum of header and payload is right. `frame` must not include the padding.
pub(super) fn is_intact(frame: &[u8]) -> bool {
    let Some((sum, rest)) = frame.get(4..).and_then(|bytes| bytes.split_first_chunk::<4>()) else {
        return false;
    };
    checksum(rest) == u32::from_le_bytes(*sum)
}

/// A run of records of one partition within a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) topic_partition: TopicPartition,
    /// The offset of the first record.
    pub(super) base: u64,
    pub(super) count: u32,
    /// The range of the body within the payload.
    pub(super) body: std::ops::Range<usize>,
}

impl Section {
    /// The offset after the last record.
    pub(super) fn end(&self) -> u64 {
        self.base + u64::from(self.count)
    }
}

/// Appends a section to a frame's payload.
pub(super) fn write_section(
    buffer: &mut Vec<u8>,
    topic_partition: TopicPartition,
    base: u64,
    count: u32,
    body: &[u8],
) {
    buffer.extend_from_slice(&topic_partition.topic.id().to_le_bytes());
    buffer.extend_from_slice(&topic_partition.partition.0.to_le_bytes());
    buffer.extend_from_slice(&base.to_le_bytes());
    buffer.extend_from_slice(&count.to_le_bytes());
    buffer.extend_from_slice(&as_u32(body.len()).to_le_bytes());
    buffer.extend_from_slice(body);
}

/// The sections of a payload, in order. If the payload is malformed, the last item is `None`.
pub(super) fn sections(payload: &[u8]) -> impl Iterator<Item = Option<Section>> {
    let mut fields = Fields::new(payload);
    let mut broken = false;
    std::iter::from_fn(move || {
        if broken || fields.is_empty() {
            return None;
        }
        let section = read_section(&mut fields);
        broken = section.is_none();
        Some(section)
    })
}

fn read_section(fields: &mut Fields<'_>) -> Option<Section> {
    let topic_partition = read_partition(fields)?;
    let base = fields.u64()?;
    let count = fields.u32()?;
    let length = as_usize(fields.u32()?);
    let start = fields.taken();
    fields.bytes(length)?;
    base.checked_add(u64::from(count))?;
    Some(Section { topic_partition, base, count, body: start..start + length })
}

/// Reads a topic id and a partition number. `None` if bytes are missing or this version does not know the topic.
pub(super) fn read_partition(fields: &mut Fields<'_>) -> Option<TopicPartition> {
    let topic = Topic::from_id(fields.u16()?)?;
    Some(TopicPartition::new(topic, fields.u16()?))
}

/// Appends the encoded records to a body.
pub(super) fn write_records(body: &mut Vec<u8>, records: &[Bytes]) {
    for record in records {
        body.extend_from_slice(&as_u32(record.len()).to_le_bytes());
        body.extend_from_slice(record);
    }
}

/// Takes records out of a body, sharing its memory. Skips the first `skip` records, then takes records until `take`,
/// called with the next record's length, returns false. `None` if the body is malformed.
pub(super) fn read_records(
    body: &Bytes,
    skip: u64,
    mut take: impl FnMut(usize) -> bool,
    records: &mut Vec<Bytes>,
) -> Option<()> {
    let mut fields = Fields::new(body);
    for _ in 0..skip {
        let length = as_usize(fields.u32()?);
        fields.bytes(length)?;
    }
    while !fields.is_empty() {
        let length = as_usize(fields.u32()?);
        let start = fields.taken();
        fields.bytes(length)?;
        if !take(length) {
            break;
        }
        records.push(body.slice(start..start + length));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(lsn: u64, batches: &[(u16, u64, Vec<Bytes>)]) -> Vec<u8> {
        let mut payload = Vec::new();
        for (partition, base, records) in batches {
            let mut body = Vec::new();
            write_records(&mut body, records);
            let topic_partition = TopicPartition::new(Topic::StockEvents, *partition);
            write_section(&mut payload, topic_partition, *base, as_u32(records.len()), &body);
        }
        let header = FrameHeader {
            kind: FrameKind::Records,
            length: as_u32(payload.len()),
            lsn,
            synced: lsn / 2,
            time_ms: 7,
        };
        let mut frame = Vec::new();
        write(&mut frame, &header, |buffer| buffer.extend_from_slice(&payload));
        assert_eq!(FrameHeader::read(&frame, lsn), Some(header));
        assert_eq!(frame.len() as u64, header.end() - lsn);
        frame
    }

    fn record() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 1..40).prop_map(Bytes::from)
    }

    fn batches() -> impl Strategy<Value = Vec<(u16, u64, Vec<Bytes>)>> {
        let batch = (any::<u16>(), 0..u64::MAX / 2, prop::collection::vec(record(), 0..8));
        prop::collection::vec(batch, 0..6)
    }

    proptest! {
        #[test]
        fn a_frame_gives_back_what_was_put_into_it(lsn in (0..1u64 << 50).prop_map(|n| n * 8), batches in batches()) {
            let frame = frame(lsn, &batches);
            let header = FrameHeader::read(&frame, lsn).unwrap();
            let end = HEADER_BYTES + as_usize(header.length);
            prop_assert!(is_intact(&frame[..end]));
            let payload = Bytes::from(frame).slice(HEADER_BYTES..end);
            let mut read = Vec::new();
            for section in sections(&payload) {
                let section = section.unwrap();
                let mut records = Vec::new();
                read_records(&payload.slice(section.body.clone()), 0, |_| true, &mut records).unwrap();
                prop_assert_eq!(section.end(), section.base + records.len() as u64);
                read.push((section.topic_partition.partition.0, section.base, records));
            }
            prop_assert_eq!(read, batches);
        }

        #[test]
        fn a_changed_bit_is_noticed(batches in batches(), place in any::<prop::sample::Index>(), bit in 0..8u8) {
            let mut frame = frame(64, &batches);
            let length = HEADER_BYTES + as_usize(FrameHeader::read(&frame, 64).unwrap().length);
            frame[place.index(length)] ^= 1 << bit;
            let noticed = match FrameHeader::read(&frame, 64) {
                None => true,
                Some(header) => {
                    frame.get(..HEADER_BYTES + as_usize(header.length)).is_none_or(|frame| !is_intact(frame))
                }
            };
            prop_assert!(noticed);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = FrameHeader::read(&bytes, 0);
            let _ = is_intact(&bytes);
            let _ = sections(&bytes).count();
            let mut records = Vec::new();
            let _ = read_records(&Bytes::from(bytes), 1, |_| true, &mut records);
        }
    }
}
