//! Lists of preferences in a request's headers, RFC 9110, section 12.4.2: names with weights from 0 to 1.

use http::{HeaderMap, HeaderName};

/// The largest weight, in thousandths.
pub(crate) const WEIGHT_MAX: u16 = 1000;

/// The members of all lines of a header, each with its weight in thousandths. Parameters besides the weight are left
/// out. A line that is not text, and a weight that is malformed, are ignored: they only express a preference.
pub(crate) fn weighted<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'a str, u16)> + use<'a> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let members = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|member| !member.is_empty());
    members.map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        (name, weight.and_then(thousandths).unwrap_or(WEIGHT_MAX))
    })
}

/// A weight with at most three decimals.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let are_digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{decimals:0<3}").parse::<u16>().ok().filter(|_| are_digits)?;
    match whole {
        "0" => Some(thousandths),
        "1" => Some(WEIGHT_MAX),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    #[test]
    fn members_have_their_weight_and_malformed_weights_count_as_none() {
        let lines = ["a;q=0.5, b ; level=1; q=0 ,,c", "d;q=1.000, e;q=0.12, f;q=2, g;q=x, h;q=0.1234"];
        let headers: HeaderMap = lines.iter().map(|line| (ACCEPT, HeaderValue::from_static(line))).collect();
        let expected = [
            ("a", 500),
            ("b", 0),
            ("c", 1000),
            ("d", 1000),
            ("e", 120),
            ("f", 1000),
            ("g", 1000),
            ("h", 1000),
        ];
        assert_eq!(weighted(&headers, &ACCEPT).collect::<Vec<_>>(), expected);
    }
}
