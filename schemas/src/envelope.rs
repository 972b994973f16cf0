//! The envelope of every record: a JSON object whose header says where the record comes from.
//!
//! `{"v":1,"type":"order.place","source":"ingest-…","number":7,"time":"…","cause":{…},"sent":{…},"traceparent":"…",
//! "data":{…}}`
//!
//! The envelope is inside the value because not every log has headers. The header can be decoded alone: `data` is then
//! skipped, not parsed. The envelope is written by hand around the payload's own JSON, in this order, so that equal
//! records have equal bytes.

use std::{borrow::Cow, io::Write};

use bytes::{BufMut, Bytes, BytesMut};
use compact_str::CompactString;
use serde::{Deserialize, Serialize, de};
use serde_json::value::RawValue;

use crate::{
    hex::write_hex,
    time::Timestamp,
    topic::{Offset, Partition},
};

/// The version of the envelope that this program writes, and the newest that it reads.
pub const ENVELOPE_VERSION: u16 = 1;

/// The content of a record: it has a kind and a form in JSON.
pub trait Payload: Sized + Serialize {
    /// The stable name of the payload's kind.
    fn kind(&self) -> &'static str;

    /// Decodes the JSON of a payload of this kind.
    fn decode(kind: &str, data: &str) -> Result<Self, DecodeError>;
}

/// The writer that numbered a record: an ingest process, under a name that is new at each start, or a processor, named
/// after its input partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Source(CompactString);

impl Source {
    /// The most bytes of a source's name.
    pub const BYTES_MAX: usize = 64;

    /// The source of this name. A name has 1 to 64 ASCII letters, digits, `.`, `-` and `/`.
    pub fn new(name: impl Into<CompactString>) -> Result<Self, InvalidSource> {
        let name = name.into();
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'/');
        if name.is_empty() || name.len() > Self::BYTES_MAX || !name.bytes().all(fine) {
            return Err(InvalidSource);
        }
        Ok(Self(name))
    }

    /// The source of the processor that reads this partition.
    pub fn processor(input: crate::topic::TopicPartition) -> Self {
        Self(compact_str::format_compact!("{input}"))
    }

    /// The name of the source.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the source ends with its process, so that readers may forget it after a long silence.
    pub fn is_transient(&self) -> bool {
        !self.0.contains('/')
    }
}

/// The text is not a valid name of a source.
#[derive(Debug, thiserror::Error)]
#[error("a source is 1 to 64 ASCII letters, digits, dots, dashes and slashes")]
pub struct InvalidSource;

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(CompactString::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The command that an event results from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The command's offset in the processor's input partition.
    pub offset: Offset,
    /// The source that numbered the command.
    #[schemars(with = "String")]
    pub source: Source,
    /// The number that its source gave the command.
    pub number: u64,
}

/// The part of the envelope that describes the record: everything except the payload and its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The source that numbered the record.
    pub source: Source,
    /// The record's number: 1, 2, 3 … for this source and this partition.
    pub number: u64,
    /// When the command behind the record was accepted. A processor's output has the time of its input.
    pub time: Timestamp,
    /// The command that the record results from; events only.
    pub cause: Option<Cause>,
    /// For each partition of the processor's message topic that this command sent messages to: the number of the last
    /// message. Only on the last event of a command. With it, recovery continues the numbering without deciding again.
    pub sent: Vec<(Partition, u64)>,
    /// The W3C trace context of the request behind the record.
    pub traceparent: Option<TraceParent>,
}

/// A W3C `traceparent` of version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent(CompactString);

impl TraceParent {
    /// Parses a well-formed text. The W3C recommendation says to treat any other as absent.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let dashes = [2, 35, 52];
        let hex = |(at, byte): (usize, &u8)| {
            if dashes.contains(&at) { *byte == b'-' } else { matches!(byte, b'0'..=b'9' | b'a'..=b'f') }
        };
        let well_formed = bytes.len() == 55 && text.starts_with("00-") && bytes.iter().enumerate().all(hex);
        well_formed.then(|| Self(text.into()))
    }

    /// The context of this span in this trace.
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Self {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], trace_id);
        write_hex(&mut text[36..52], span_id.into());
        text[54] += u8::from(is_sampled);
        Self(str::from_utf8(&text).expect("only ASCII was written").into())
    }

    /// The text of the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the trace.
    pub fn trace_id(&self) -> u128 {
        u128::from_str_radix(&self.0[3..35], 16).expect("checked when it was parsed")
    }

    /// The id of the parent span: the one that caused the work this context is attached to.
    pub fn span_id(&self) -> u64 {
        u64::from_str_radix(&self.0[36..52], 16).expect("checked when it was parsed")
    }

    /// Whether the system that began the trace records it.
    pub fn is_sampled(&self) -> bool {
        // The lowest bit of the flags.
        matches!(self.0.as_bytes()[54], b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f')
    }
}

/// A decoded record: its header and its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<T> {
    /// Where the record comes from.
    pub header: RecordHeader,
    /// The decoded payload.
    pub data: T,
}

/// Why bytes cannot be decoded as a record.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not the JSON of the envelope, or the payload is not the JSON of its kind.
    #[error("not the JSON of this kind of record: {0}")]
    Json(#[from] serde_json::Error),
    /// A newer program wrote the record, with this version of the envelope.
    #[error("record of envelope version {0}; this program reads up to {ENVELOPE_VERSION}")]
    Version(u16),
    /// The topic has no records of this kind.
    #[error("unknown kind of record `{0}`")]
    UnknownKind(CompactString),
}

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    v: u16,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    source: Source,
    number: u64,
    time: Timestamp,
    #[serde(default)]
    cause: Option<Cause>,
    #[serde(default)]
    sent: std::collections::BTreeMap<Partition, u64>,
    #[serde(default, borrow)]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A record whose header is decoded and whose payload is still JSON.
#[derive(Clone, Debug)]
pub struct RawRecord<'a> {
    /// Where the record comes from.
    pub header: RecordHeader,
    /// The kind of the payload, such as `order.place`.
    pub kind: Cow<'a, str>,
    /// The payload's JSON, which is known to be well-formed.
    pub data: &'a str,
}

impl<'a> RawRecord<'a> {
    /// Decodes the header and skips the payload.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let raw: RawEnvelope<'a> = serde_json::from_slice(bytes)?;
        if raw.v > ENVELOPE_VERSION {
            return Err(DecodeError::Version(raw.v));
        }
        let header = RecordHeader {
            source: raw.source,
            number: raw.number,
            time: raw.time,
            cause: raw.cause,
            sent: raw.sent.into_iter().collect(),
            traceparent: raw.traceparent.as_deref().and_then(TraceParent::parse),
        };
        Ok(Self { header, kind: raw.kind, data: raw.data.get() })
    }

    /// Decodes the payload too.
    pub fn into_record<T: Payload>(self) -> Result<Record<T>, DecodeError> {
        let data = T::decode(&self.kind, self.data)?;
        Ok(Record { header: self.header, data })
    }
}

impl<T: Payload> Record<T> {
    /// Decodes the header and the payload.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        RawRecord::decode(bytes)?.into_record()
    }

    /// The record as bytes. Equal records have equal bytes.
    pub fn encode(&self) -> Bytes {
        let mut buffer = BytesMut::with_capacity(512);
        encode(&mut buffer, &self.header, &self.data);
        buffer.freeze()
    }
}

/// Appends the bytes of a record to `buffer`.
pub fn encode<T: Payload>(buffer: &mut BytesMut, header: &RecordHeader, data: &T) {
    encode_header(buffer, header, data.kind());
    serde_json::to_writer(buffer.writer(), data)
        .expect("payloads have string keys and memory takes all bytes");
    buffer.put_u8(b'}');
}

/// Appends the bytes of a record to `buffer`. The payload `data` is JSON already, of the given kind.
pub fn encode_raw(buffer: &mut BytesMut, header: &RecordHeader, kind: &str, data: &[u8]) {
    encode_header(buffer, header, kind);
    buffer.put_slice(data);
    buffer.put_u8(b'}');
}

/// Appends everything up to the payload. Nothing written here needs escaping: the types allow no character that does.
fn encode_header(buffer: &mut BytesMut, header: &RecordHeader, kind: &str) {
    let mut out = buffer.writer();
    let RecordHeader { source, number, time, .. } = header;
    let written = write!(
        out,
        r#"{{"v":{ENVELOPE_VERSION},"type":"{kind}","source":"{}","number":{number},"time":"{time}""#,
        source.as_str(),
    );
    written.expect("memory takes all bytes");
    if let Some(Cause { offset, source, number }) = &header.cause {
        let source = source.as_str();
        let written = write!(out, r#","cause":{{"offset":{offset},"source":"{source}","number":{number}}}"#);
        written.expect("memory takes all bytes");
    }
    if !header.sent.is_empty() {
        for (at, (partition, number)) in header.sent.iter().enumerate() {
            let before = if at == 0 { r#","sent":{"# } else { "," };
            write!(out, r#"{before}"{partition}":{number}"#).expect("memory takes all bytes");
        }
        out.write_all(b"}").expect("memory takes all bytes");
    }
    if let Some(traceparent) = &header.traceparent {
        write!(out, r#","traceparent":"{}""#, traceparent.as_str()).expect("memory takes all bytes");
    }
    out.write_all(br#","data":"#).expect("memory takes all bytes");
}
