//! The check of the header `Accept`, RFC 9110, section 12.5.1. It comes before a request is carried out, so that a
//! request whose response the client would not read has no effect.

use http::{HeaderMap, StatusCode, header};

use crate::{Problem, quality::weighted};

/// The media types that paths send besides JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherMediaTypes(Vec<(&'static str, &'static [&'static str])>);

impl OtherMediaTypes {
    /// Notes that this path, with its variable parts in braces, sends these media types too.
    pub fn add(&mut self, path: &'static str, media_types: &'static [&'static str]) {
        self.0.push((path, media_types));
    }

    /// Adds all entries of another list.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The media types that this path sends besides JSON.
    pub fn of(&self, path: &str) -> &'static [&'static str] {
        self.0.iter().find(|(known, _)| matches(known, path)).map_or(&[], |(_, media_types)| media_types)
    }
}

/// Whether a path is one of a route.
fn matches(route: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let is_same = |known: &str| {
        let part = parts.next();
        part.is_some_and(|part| if known.starts_with('{') { !part.is_empty() } else { part == known })
    };
    route.split('/').all(is_same) && parts.next().is_none()
}

/// 406 unless the client accepts `usual` or one of the `others`, which are only asked for if they matter. A request
/// without the header accepts everything.
pub fn require_acceptable(
    headers: &HeaderMap,
    usual: &str,
    others: impl FnOnce() -> &'static [&'static str],
) -> Result<(), Problem> {
    if !headers.contains_key(header::ACCEPT) || accepts(headers, usual) {
        return Ok(());
    }
    let others = others();
    if others.iter().any(|other| accepts(headers, other)) {
        return Ok(());
    }
    let offered = [&[usual], others].concat();
    let detail = format!("the header Accept excludes what is sent here: {}", offered.join(", "));
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", detail))
}

/// Whether the most specific range that covers this media type has a weight above 0. A header without any range
/// accepts everything.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut best = None;
    let mut is_empty = true;
    for (range, weight) in weighted(headers, &header::ACCEPT) {
        is_empty = false;
        if let Some(specificity) = specificity(range, media_type) {
            best = best.max(Some((specificity, weight)));
        }
    }
    is_empty || best.is_some_and(|(_, weight)| weight > 0)
}

/// How specific a range is that covers this media type; `None` if it does not cover it.
fn specificity(range: &str, media_type: &str) -> Option<u8> {
    if range == "*/*" || range == "*" {
        return Some(0);
    }
    if range.eq_ignore_ascii_case(media_type) {
        return Some(2);
    }
    let kind = range.strip_suffix("/*")?;
    let (own, _) = media_type.split_once('/')?;
    kind.eq_ignore_ascii_case(own).then_some(1)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(accept: Option<&'static str>) -> Result<(), Problem> {
        let pairs = accept.map(|value| (header::ACCEPT, HeaderValue::from_static(value)));
        require_acceptable(&pairs.into_iter().collect(), "application/json", || &["text/csv"])
    }

    #[test]
    fn what_is_not_excluded_is_accepted() {
        for fine in [
            None,
            Some(""),
            Some("*/*"),
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
            Some("application/*;q=0.1"),
            Some("text/html, */*;q=0.8"),
            Some("text/csv"),
            Some("text/*"),
            Some("*/*;q=0, application/json"),
        ] {
            assert!(check(fine).is_ok(), "{fine:?}");
        }
        for wrong in ["text/html", "application/xml, image/*", "application/json;q=0, text/csv;q=0, */*"] {
            let problem = check(Some(wrong)).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.slug()), (406, "not-acceptable"), "{wrong}");
            assert!(problem.detail().contains("application/json, text/csv"), "{problem}");
        }
    }

    #[test]
    fn each_path_has_its_own_other_media_types() {
        let mut others = OtherMediaTypes::default();
        others.add("/metrics", &["text/plain"]);
        assert_eq!(others.of("/metrics"), ["text/plain"]);
        assert!(others.of("/orders").is_empty());
    }
}
