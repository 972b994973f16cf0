//! The values of headers, exactly as they were sent and never as a similar text.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Problem;

/// The value of a header that a request has at most once. Several lines are accepted if they are equal. The 400 names
/// the header if they differ, or if the value is not UTF-8.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut lines = headers.get_all(name).iter();
    let Some(first) = lines.next() else { return Ok(None) };
    if lines.any(|other| other != first) {
        return Err(invalid(name, "is there more than once, with different values"));
    }
    text(name, first).map(Some)
}

/// The lines of a header that holds a list, in their order. The 400 names the header if a line is not UTF-8.
pub fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Vec<&'a str>, Problem> {
    headers.get_all(name).iter().map(|value| text(name, value)).collect()
}

/// 400 `invalid-header`: explains what is wrong with this header.
pub fn invalid(name: &HeaderName, detail: &str) -> Problem {
    let name = title(name);
    Problem::bad_request("invalid-header", format!("the header {name} {detail}")).with_member("header", name)
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Problem> {
    str::from_utf8(value.as_bytes()).map_err(|_| invalid(name, "is not UTF-8"))
}

/// The name of the header as people write it: `Idempotency-Key`.
pub(crate) fn title(name: &HeaderName) -> String {
    if *name == http::header::ETAG {
        return "ETag".to_owned();
    }
    let mut title = name.as_str().to_owned();
    let starts: Vec<_> =
        [0].into_iter().chain(name.as_str().match_indices('-').map(|(at, _)| at + 1)).collect();
    for start in starts {
        if let Some(letter) = title.get_mut(start..=start) {
            letter.make_ascii_uppercase();
        }
    }
    title
}

#[cfg(test)]
mod tests {
    use http::header::HOST;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (HOST, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn a_header_has_one_value_and_it_is_text() {
        assert_eq!(single(&headers(&[]), &HOST).unwrap(), None);
        assert_eq!(single(&headers(&["café".as_bytes()]), &HOST).unwrap(), Some("café"));
        assert_eq!(single(&headers(&[b"a", b"a"]), &HOST).unwrap(), Some("a"));
        for wrong in [&[b"a".as_slice(), b"b"][..], &[b"caf\xe9"], &[b"\xff"], &[b"a", b"\xff"]] {
            let problem = single(&headers(wrong), &HOST).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.slug()), (400, "invalid-header"));
            assert!(problem.detail().contains("the header Host"), "{problem}");
        }
    }

    #[test]
    fn names_are_shown_as_people_write_them() {
        assert_eq!(title(&HeaderName::from_static("idempotency-key")), "Idempotency-Key");
        assert_eq!(title(&HeaderName::from_static("x--y-")), "X--Y-");
    }
}
