//! Points in time: microseconds since the Unix epoch in memory, RFC 3339 in JSON, written in UTC.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time},
    tz::Offset,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds since 1970-01-01T00:00:00Z, negative before it. Nothing in this crate reads a clock to make one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 time, or the time is outside the years 0001 to 9999 in UTC.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 time, such as 2026-01-31T12:00:00Z, in the years 0001 to 9999 of UTC")]
pub struct InvalidTimestamp;

/// The microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl Timestamp {
    /// The earliest time: 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// The latest time: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The time this many microseconds after the Unix epoch, clamped to [`Self::MIN`] and [`Self::MAX`].
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// This time plus `duration`, at most [`Self::MAX`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This time minus `duration`, at least [`Self::MIN`].
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// The date and the time of day in UTC.
    fn civil(self) -> DateTime {
        let utc =
            |micros| jiff::Timestamp::from_microsecond(micros).map(|time| Offset::UTC.to_datetime(time));
        // jiff's own timestamps end 26 hours before the end of the year 9999, so that every offset can show them.
        utc(self.0)
            .or_else(|_| utc(self.0 - 2 * DAY)?.checked_add(SignedDuration::from_hours(48)))
            .expect("a timestamp is within the years 0001 to 9999")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text::of(*self).as_str().fmt(f)
    }
}

/// A time in RFC 3339, on the stack. Records and log lines are full of times, and jiff's own text takes ten times as long.
struct Text {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Text {
    const BYTES_MAX: usize = "0000-00-00T00:00:00.000000Z".len();

    /// The text of a time, without zeros at the end of the fraction, and without an empty fraction.
    fn of(time: Timestamp) -> Self {
        let civil = time.civil();
        let small = |number: i8| u32::from(number.unsigned_abs());
        let mut text = Self { bytes: [0; Self::BYTES_MAX], length: 0 };
        text.push_number(u32::from(civil.year().unsigned_abs()), 4);
        for (separator, number) in [
            (b'-', civil.month()),
            (b'-', civil.day()),
            (b'T', civil.hour()),
            (b':', civil.minute()),
            (b':', civil.second()),
        ] {
            text.push(separator);
            text.push_number(small(number), 2);
        }
        let micros = civil.subsec_nanosecond().unsigned_abs() / 1_000;
        if micros > 0 {
            text.push(b'.');
            text.push_number(micros, 6);
            while text.bytes[text.length - 1] == b'0' {
                text.length -= 1;
            }
        }
        text.push(b'Z');
        text
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn push_number(&mut self, mut number: u32, digits: usize) {
        for place in self.bytes[self.length..self.length + digits].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.length += digits;
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).expect("only ASCII was pushed")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Parses a `date-time` of RFC 3339, section 5.6, and no other form of ISO 8601. Digits beyond microseconds are cut
    /// off. There are no leap seconds: second 60 is refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.as_bytes()).filter(|time| (Self::MIN..=Self::MAX).contains(time)).ok_or(InvalidTimestamp)
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let (date_and_time, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let mut at = 0;
    let mut next = |digits: usize, after: &[u8]| {
        let value = number(&date_and_time[at..at + digits]);
        let ends_well = after.is_empty() || after.contains(&date_and_time[at + digits]);
        at += digits + 1;
        value.filter(|_| ends_well)
    };
    let (year, month, day) = (next(4, b"-")?, next(2, b"-")?, next(2, b"Tt")?);
    let (hour, minute, second) = (next(2, b":")?, next(2, b":")?, next(2, b"")?);
    let (fraction, offset) = fraction(rest)?;
    let small = |number: i16| i8::try_from(number).ok();
    let date = Date::new(year, small(month)?, small(day)?).ok()?;
    let time = Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    let since = DateTime::from_parts(date, time).duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    Some(Timestamp((since.as_secs() - offset_seconds(offset)?) * 1_000_000 + fraction))
}

fn number(digits: &[u8]) -> Option<i16> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0')))
}

/// The microseconds of the `time-secfrac`, 0 if there is none, and the text after it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(length);
    let micros =
        (0..6).fold(0, |micros, at| micros * 10 + i64::from(digits.get(at).map_or(0, |digit| digit - b'0')));
    (length > 0).then_some((micros, rest))
}

/// The seconds that a `time-offset` puts local time ahead of UTC; negative if behind.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, hour, minute) = match *text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, [h1, h2], [m1, m2]),
        [b'-', h1, h2, b':', m1, m2] => (-1, [h1, h2], [m1, m2]),
        _ => return None,
    };
    let hour = number(&hour).filter(|hour| *hour < 24)?;
    let minute = number(&minute).filter(|minute| *minute < 60)?;
    Some(sign * (i64::from(hour) * 3600 + i64::from(minute) * 60))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(Text::of(*self).as_str())
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = compact_str::CompactString::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self::from_micros)
        }
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_time_are_the_same_thing(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
            prop_assert_eq!(time.to_string(), format!("{}Z", time.civil()));
        }

        #[test]
        fn any_text_is_a_time_or_refused(text in r"[0-9TtZz:.+\- \[\]é]{0,40}") {
            if let Ok(time) = text.parse::<Timestamp>() {
                prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
            }
        }

        #[test]
        fn a_time_with_one_byte_changed_is_never_read_as_another_form(
            micros in Timestamp::MIN.0..=Timestamp::MAX.0, at: prop::sample::Index, byte in " -~",
        ) {
            let text = Timestamp::from_micros(micros).to_string();
            let at = at.index(text.len());
            let changed = format!("{}{byte}{}", &text[..at], &text[at + 1..]);
            let is_same_form = byte.bytes().all(|byte| byte.is_ascii_digit()) && text.as_bytes()[at].is_ascii_digit();
            let is_same = changed.eq_ignore_ascii_case(&text);
            prop_assert!(is_same_form || is_same || changed.parse::<Timestamp>().is_err(), "{}", changed);
        }
    }

    #[test]
    fn offsets_are_turned_into_utc() {
        for (given, utc) in [
            ("2017-01-01T12:53:26+01:00", "2017-01-01T11:53:26Z"),
            ("2017-01-01t12:53:26z", "2017-01-01T12:53:26Z"),
            ("2017-01-01T00:00:00-23:59", "2017-01-01T23:59:00Z"),
            ("2017-01-01T00:00:00-00:00", "2017-01-01T00:00:00Z"),
            ("2017-01-01T00:00:00.5Z", "2017-01-01T00:00:00.5Z"),
            ("2017-01-01T00:00:00.1234567890123Z", "2017-01-01T00:00:00.123456Z"),
            ("1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.25Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
            ("9999-12-31T23:59:59+12:00", "9999-12-31T11:59:59Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(given.parse::<Timestamp>().unwrap().to_string(), utc, "{given}");
        }
        assert_eq!("0001-01-01T00:00:00Z".parse::<Timestamp>().unwrap(), Timestamp::MIN);
        assert_eq!("9999-12-31T23:59:59.999999Z".parse::<Timestamp>().unwrap(), Timestamp::MAX);
    }

    #[test]
    fn what_is_no_rfc_3339_time_is_refused() {
        for wrong in [
            "",
            "now",
            "2017-13-01T00:00:00Z",
            "2017-02-29T00:00:00Z",
            "2017-00-01T00:00:00Z",
            "2017-01-01",
            "2017-01-01T00Z",
            "2017-01-01T00:00Z",
            "2017-01-01T00:00:00",
            "2017-01-01 00:00:00Z",
            "2017-01-01T24:00:00Z",
            "2017-01-01T00:60:00Z",
            "2017-01-01T00:00:60Z",
            "2016-12-31T23:59:60Z",
            "2017-01-01T00:00:00.Z",
            "2017-01-01T00:00:00,5Z",
            "2017-01-01T00:00:00+25:59",
            "2017-01-01T00:00:00+24:00",
            "2017-01-01T00:00:00+01:60",
            "2017-01-01T00:00:00+01",
            "2017-01-01T00:00:00+0100",
            "2017-01-01T00:00:00+01:00:00",
            "2017-01-01T00:00:00Z[UTC]",
            "2017-01-01T00:00:00+01:00[Europe/Berlin]",
            "20170101T000000Z",
            "2017-W01-1T00:00:00Z",
            "2017-001T00:00:00Z",
            "+002017-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "17-01-01T00:00:00Z",
            " 2017-01-01T00:00:00Z",
            "2017-01-01T00:00:00Z ",
            "9999-12-31T23:59:59-00:01",
            "0001-01-01T00:00:00+00:01",
            "0000-12-31T23:59:59Z",
            "2017-01-01T00:00:0\u{0660}Z",
        ] {
            assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
        }
    }
}
