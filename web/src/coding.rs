//! Content codings of bodies, RFC 9110, section 8.4: gzip, zstd or none.

use std::io;

use async_compression::{
    Level,
    tokio::bufread::{GzipDecoder, GzipEncoder, ZstdDecoder, ZstdEncoder},
    zstd::DParameter,
};
use axum::body::Body;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::{Problem, headers, quality::weighted};

/// Bytes that are compressed or decompressed in one step.
const CHUNK_BYTES: usize = 64 << 10;
/// The largest window of a zstd frame, as a power of two of bytes: 8 MiB, the limit of RFC 9659 for HTTP.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The content coding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// No coding.
    Identity,
    /// RFC 1952: one or more members, one after the other.
    Gzip,
    /// RFC 8878: one or more frames, one after the other.
    Zstd,
}

impl Coding {
    /// The coding in `Content-Encoding`: 415 if it is unknown, 400 if several header lines name more than one coding.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let lines = headers::lines(headers, &header::CONTENT_ENCODING)?;
        let names = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
        let mut codings = names.filter(|name| !(name.is_empty() || name.eq_ignore_ascii_case("identity")));
        let Some(name) = codings.next() else { return Ok(Self::Identity) };
        match (Self::named(name), codings.next()) {
            (_, Some(_)) if lines.len() > 1 => Err(headers::invalid(
                &header::CONTENT_ENCODING,
                "is there more than once, with several codings",
            )),
            (Some(coding), None) => Ok(coding),
            _ => Err(unsupported()),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else if is("zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// The decoded body. It ends with an error if the encoded bytes are damaged, end too early, or are followed by
    /// other bytes. Everything that could be decompressed comes before the error.
    pub fn decode(self, body: Body) -> Body {
        if self == Self::Identity {
            return body;
        }
        let encoded = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
        if self == Self::Gzip {
            let mut decoder = GzipDecoder::new(encoded);
            decoder.multiple_members(true);
            return stream(decoder);
        }
        let params = [DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)];
        let mut decoder = ZstdDecoder::with_params(encoded, &params);
        decoder.multiple_members(true);
        stream(decoder)
    }
}

impl Coding {
    /// The coding that a client prefers for a response, by `Accept-Encoding`. Between codings of the same weight the
    /// server prefers zstd, then gzip. If the client excludes everything, it gets no coding.
    pub fn preferred(headers: &HeaderMap) -> Self {
        if !headers.contains_key(header::ACCEPT_ENCODING) {
            return Self::Identity;
        }
        // A coding that is not named is not accepted. No coding at all is, but less than any that is named.
        let (mut identity, mut gzip, mut zstd, mut rest) = (None, None, None, None);
        for (name, weight) in weighted(headers, &header::ACCEPT_ENCODING) {
            let named = match (Self::named(name), name) {
                (Some(Self::Gzip), _) => &mut gzip,
                (Some(Self::Zstd), _) => &mut zstd,
                (_, "*") => &mut rest,
                _ if name.eq_ignore_ascii_case("identity") => &mut identity,
                _ => continue,
            };
            *named = Some(weight);
        }
        let weighed = [
            (identity.or(rest).unwrap_or(0), Self::Identity),
            (gzip.or(rest).unwrap_or(0), Self::Gzip),
            (zstd.or(rest).unwrap_or(0), Self::Zstd),
        ];
        let best = weighed.into_iter().filter(|(weight, _)| *weight > 0).max_by_key(|(weight, _)| *weight);
        best.map_or(Self::Identity, |(_, coding)| coding)
    }

    /// The name in `Content-Encoding`; `None` if there is no coding.
    pub fn name(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Zstd => Some(HeaderValue::from_static("zstd")),
        }
    }

    /// The encoded body. Compression is fast rather than small, because it takes processor time from requests.
    pub fn encode(self, body: Body) -> Body {
        if self == Self::Identity {
            return body;
        }
        let plain = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
        match self {
            Self::Zstd => stream(ZstdEncoder::with_quality(plain, Level::Fastest)),
            _ => stream(GzipEncoder::with_quality(plain, Level::Fastest)),
        }
    }
}

fn stream(decoder: impl AsyncRead + Send + 'static) -> Body {
    Body::from_stream(ReaderStream::with_capacity(decoder, CHUNK_BYTES))
}

fn unsupported() -> Problem {
    let detail = "the body may be encoded with zstd or gzip, once, or not at all";
    let accepted = HeaderValue::from_static("zstd, gzip");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding", detail)
        .with_header(header::ACCEPT_ENCODING, accepted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&'static str]) -> Result<Coding, u16> {
        let pairs = lines.iter().map(|line| (header::CONTENT_ENCODING, HeaderValue::from_static(line)));
        Coding::of(&pairs.collect()).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn codings_have_no_case_and_identity_counts_for_nothing() {
        for (lines, wanted) in [
            (&[][..], Ok(Coding::Identity)),
            (&["identity"], Ok(Coding::Identity)),
            (&["GZIP"], Ok(Coding::Gzip)),
            (&["x-gzip"], Ok(Coding::Gzip)),
            (&[" Identity , Zstd,"], Ok(Coding::Zstd)),
            (&["identity", "gzip"], Ok(Coding::Gzip)),
            (&["br"], Err(415)),
            (&["gzip, zstd"], Err(415)),
            (&["gzip", "zstd"], Err(400)),
            (&["identity", "br"], Err(415)),
        ] {
            assert_eq!(of(lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn the_client_chooses_the_coding_and_the_server_among_equals() {
        for (accepted, wanted) in [
            (None, Coding::Identity),
            (Some(""), Coding::Identity),
            (Some("gzip"), Coding::Gzip),
            (Some("GZIP, deflate, br"), Coding::Gzip),
            (Some("gzip, deflate, br, zstd"), Coding::Zstd),
            (Some("gzip;q=1.0, zstd;q=0.5"), Coding::Gzip),
            (Some("gzip;q=0, zstd;q=0"), Coding::Identity),
            (Some("*"), Coding::Zstd),
            (Some("*;q=0.5, zstd;q=0"), Coding::Gzip),
            (Some("identity, gzip;q=0.5"), Coding::Identity),
            (Some("identity;q=0.2, gzip;q=0.5"), Coding::Gzip),
            (Some("identity;q=0, *;q=0"), Coding::Identity),
        ] {
            let pairs = accepted.map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
            assert_eq!(Coding::preferred(&pairs.into_iter().collect()), wanted, "{accepted:?}");
        }
    }

    #[tokio::test]
    async fn what_is_encoded_can_be_decoded() {
        let text = "orders ".repeat(50_000);
        for coding in [Coding::Gzip, Coding::Zstd] {
            let encoded =
                axum::body::to_bytes(coding.encode(Body::from(text.clone())), usize::MAX).await.unwrap();
            assert!(encoded.len() < text.len() / 10, "{coding:?}");
            let decoded = axum::body::to_bytes(coding.decode(Body::from(encoded)), usize::MAX).await.unwrap();
            assert_eq!(decoded, text);
        }
    }

    fn encode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        if coding == Coding::Gzip {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            return encoder.finish().unwrap();
        }
        zstd::encode_all(bytes, 1).unwrap()
    }

    /// Decodes a body that arrives in chunks of `size` bytes. Returns the decoded bytes and whether the body ended
    /// without an error.
    fn decode(coding: Coding, encoded: &[u8], size: usize) -> (Vec<u8>, bool) {
        let chunks: Vec<_> =
            encoded.chunks(size).map(|chunk| Ok::<_, io::Error>(Bytes::copy_from_slice(chunk))).collect();
        let mut decoded = coding.decode(Body::from_stream(stream::iter(chunks))).into_data_stream();
        let mut bytes = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            while let Some(chunk) = decoded.next().await {
                let Ok(chunk) = chunk else { return (bytes, false) };
                bytes.extend_from_slice(&chunk);
            }
            (bytes, true)
        })
    }

    proptest! {
        #[test]
        fn members_after_each_other_are_one_body_and_a_part_of_it_is_an_error(
            members in prop::collection::vec("[a-d]{0,2000}", 1..4),
            size in 1..300usize,
            cut: prop::sample::Index,
            behind in prop::collection::vec(any::<u8>(), 1..20),
            zstd: bool,
        ) {
            let coding = if zstd { Coding::Zstd } else { Coding::Gzip };
            let encoded: Vec<_> = members.iter().map(|member| encode(coding, member.as_bytes())).collect();
            let ends: Vec<_> = encoded.iter().scan(0, |end, member| { *end += member.len(); Some(*end) }).collect();
            let (encoded, whole) = (encoded.concat(), members.concat().into_bytes());
            prop_assert_eq!(decode(coding, &encoded, size), (whole.clone(), true));
            let cut = cut.index(encoded.len());
            let (part, ends_well) = decode(coding, &encoded[..cut], size);
            prop_assert!(whole.starts_with(&part));
            prop_assert_eq!(ends_well, ends.contains(&cut), "cut at {} of {:?}", cut, ends);
            if !behind.starts_with(b"\x1f") && !behind.starts_with(b"\x28") && behind[0] & 0xf0 != 0x50 {
                let (all, ends_well) = decode(coding, &[&encoded[..], &behind[..]].concat(), size);
                prop_assert_eq!((all, ends_well), (whole, false));
            }
        }
    }
}
