//! Numbers as the screen shows them: at most six characters, so that columns have fixed widths.

use super::histogram::Percentile;

/// What stands for a figure that is not known.
pub const UNKNOWN: &str = "–";

/// A number or a rate: `0`, `0.5`, `1234`, `12.3k`, `4.56M`.
pub fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 9.95 && value.fract() != 0.0 => format!("{value:.1}"),
        value if value < 9_999.5 => format!("{value:.0}"),
        value => scaled(value),
    }
}

/// A number of at least 1,000 with three digits and the letter of its scale.
fn scaled(mut value: f64) -> String {
    let mut scale = "";
    for larger in ["k", "M", "G", "T"] {
        if value < 999.5 {
            break;
        }
        (value, scale) = (value / 1_000.0, larger);
    }
    match value {
        value if value < 9.995 => format!("{value:.2}{scale}"),
        value if value < 99.95 => format!("{value:.1}{scale}"),
        value => format!("{value:.0}{scale}"),
    }
}

/// A number that may not be known.
pub fn known(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), number)
}

/// A percentile in milliseconds: `0.42`, `12.3`, `1234`, `>60000`.
pub fn milliseconds(percentile: Option<Percentile>) -> String {
    match percentile {
        None => UNKNOWN.to_owned(),
        Some(Percentile::Above(seconds)) => format!(">{:.0}", seconds * 1_000.0),
        Some(Percentile::About(seconds)) => match seconds * 1_000.0 {
            value if value < 9.995 => format!("{value:.2}"),
            value if value < 99.95 => format!("{value:.1}"),
            value => format!("{value:.0}"),
        },
    }
}

/// Numbers in order, with ranges: `0-3,7`.
pub fn ranges(numbers: &[u16]) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges.into_iter().map(range).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_at_most_six_characters() {
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (9.0, "9"),
            (9.97, "10"),
            (1_234.4, "1234"),
            (9_999.4, "9999"),
            (9_999.6, "10.0k"),
            (123_456.0, "123k"),
            (999_600.0, "1.00M"),
            (12_345_678.0, "12.3M"),
            (1.5e12, "1.50T"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
        assert_eq!(known(None), UNKNOWN);
    }

    #[test]
    fn durations_are_in_milliseconds() {
        for (seconds, text) in [(0.000_42, "0.42"), (0.012_34, "12.3"), (1.234, "1234"), (59.9, "59900")] {
            assert_eq!(milliseconds(Some(Percentile::About(seconds))), text);
        }
        assert_eq!(milliseconds(Some(Percentile::Above(60.0))), ">60000");
        assert_eq!(milliseconds(None), UNKNOWN);
    }

    #[test]
    fn neighbours_form_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
        assert_eq!(ranges(&[u16::MAX]), "65535");
        assert_eq!(ranges(&[]), "");
    }
}
