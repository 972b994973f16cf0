//! Entity tags and the conditions on them, RFC 9110, sections 8.8.3 and 13.1.
//!
//! The tag of an order is its version in quotes. It is strong: responses with the same version are equal, byte for
//! byte.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{Problem, headers};

/// The most tags of one header.
const TAGS_MAX: usize = 100;

/// The tags that a condition compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any version of an existing object.
    Any,
    /// One of these tags.
    Of(Vec<Tag>),
}

/// A tag that a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    is_weak: bool,
    /// The version that the tag stands for; `None` if it is not the tag of any version.
    version: Option<u64>,
}

impl Tags {
    /// The condition `If-Match`; `None` if the header is absent.
    pub fn if_match(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        Self::of(headers, &header::IF_MATCH, "invalid-if-match")
    }

    /// The condition `If-None-Match`; `None` if the header is absent.
    pub fn if_none_match(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        Self::of(headers, &header::IF_NONE_MATCH, "invalid-if-none-match")
    }

    /// The versions that match by strong comparison; `None` if every version matches.
    pub fn strong(self) -> Option<Vec<u64>> {
        match self {
            Self::Any => None,
            Self::Of(tags) => {
                Some(tags.into_iter().filter(|tag| !tag.is_weak).filter_map(|tag| tag.version).collect())
            }
        }
    }

    /// Whether this version matches by weak comparison, which only reads may use.
    pub fn matches_weakly(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Of(tags) => tags.iter().any(|tag| tag.version == Some(version)),
        }
    }

    fn of(headers: &HeaderMap, name: &HeaderName, slug: &'static str) -> Result<Option<Self>, Problem> {
        let lines = headers::lines(headers, name)?;
        if lines.is_empty() {
            return Ok(None);
        }
        let tags = parse(&lines.join(","));
        tags.map(Some).ok_or_else(|| {
            let detail = format!("{name} is `*` or a list of ETags such as \"2\", at most {TAGS_MAX}");
            Problem::bad_request(slug, detail)
        })
    }
}

/// The tag of an order with this version.
pub fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits are ASCII")
}

/// Parses `"*" / #entity-tag`; `None` if the text is neither.
fn parse(text: &str) -> Option<Tags> {
    if text.trim() == "*" {
        return Some(Tags::Any);
    }
    let (mut tags, mut rest) = (Vec::new(), text);
    loop {
        // Empty elements of a list are ignored, according to section 5.6.1.2.
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(Tags::Of(tags)).filter(|_| !text.trim_matches([' ', '\t', ',']).is_empty());
        }
        let opaque = rest.strip_prefix("W/");
        let (is_weak, quoted) = (opaque.is_some(), opaque.unwrap_or(rest).strip_prefix('"')?);
        let (opaque, after) = quoted.split_once('"')?;
        rest = after.trim_start_matches([' ', '\t']);
        if !opaque.chars().all(|c| c == '!' || ('#'..='~').contains(&c) || !c.is_ascii()) {
            return None;
        }
        if !(rest.is_empty() || rest.starts_with(',')) || tags.len() == TAGS_MAX {
            return None;
        }
        let version = opaque.parse().ok().filter(|version: &u64| version.to_string() == opaque);
        tags.push(Tag { is_weak, version });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&'static str]) -> Result<Option<Tags>, Problem> {
        let pairs = lines.iter().map(|line| (header::IF_MATCH, HeaderValue::from_static(line)));
        Tags::if_match(&pairs.collect())
    }

    #[test]
    fn lists_of_tags_compare_strongly_for_writes_and_weakly_for_reads() {
        for (lines, strong, weak) in [
            (&["\"2\""][..], Some(vec![2]), true),
            (&["W/\"2\""], Some(vec![]), true),
            (&["\"1\", W/\"2\" ,\"17\""], Some(vec![1, 17]), true),
            (&["\"1\"", "\"2\""], Some(vec![1, 2]), true),
            (&[",, \"2\",\t"], Some(vec![2]), true),
            (&["\"02\", \"\", \"2,\", \"+2\", \"x\""], Some(vec![]), false),
            (&["\"99999999999999999999999\""], Some(vec![]), false),
            (&[" * "], None, true),
        ] {
            let tags = read(lines).unwrap().unwrap();
            assert_eq!((tags.matches_weakly(2), tags.strong()), (weak, strong), "{lines:?}");
        }
        assert_eq!(read(&[]).unwrap(), None);
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for wrong in [
            "2",
            "",
            ",",
            "\"1\" \"2\"",
            "\"1",
            "w/\"1\"",
            "*, \"1\"",
            "\"1\", *",
            "\"a b\"",
            "W/",
            "W/ \"1\"",
        ] {
            assert_eq!(read(&[wrong]).unwrap_err().slug(), "invalid-if-match", "{wrong}");
        }
        assert_eq!(read(&["*", "*"]).unwrap_err().slug(), "invalid-if-match");
        let many = vec!["\"1\""; TAGS_MAX + 1];
        assert!(read(&many[1..]).is_ok() && read(&many).is_err());
    }
}
