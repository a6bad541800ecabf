//! How exchanges write times: Unix seconds, milliseconds, microseconds or nanoseconds, with or without a fraction, or
//! ISO 8601. Knows text and [`Timestamp`] only.

use candlewick::Timestamp;

/// The unit of a number that stands for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    /// By magnitude: what falls into this century as seconds, milliseconds, microseconds or nanoseconds.
    Detect,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// Reads a time; finer digits than milliseconds are cut off. `None` when it is not one.
pub(crate) fn parse_time(text: &[u8], unit: TimeUnit) -> Option<Timestamp> {
    let mut whole: i64 = 0;
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => whole = whole.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?,
            b'.' if index > 0 => return with_fraction(whole, &text[index + 1..], unit),
            b'-' if index == 4 => return parse_iso(text),
            _ => return None,
        }
    }
    if text.is_empty() { None } else { scale(whole, unit) }
}

/// Reads a time as people write it: ISO 8601 (in UTC, unless a zone is told), or Unix seconds, milliseconds, microseconds
/// or nanoseconds by their magnitude.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_connectors::read_time;
/// assert_eq!(read_time("2021-12-31T01:00:00+01:00"), Some(Timestamp(1_640_908_800_000)));
/// assert_eq!(read_time("1640908800"), read_time("1640908800000"));
/// assert_eq!(read_time("yesterday"), None);
/// ```
#[must_use]
pub fn read_time(text: &str) -> Option<Timestamp> {
    parse_time(text.as_bytes(), TimeUnit::Detect)
}

fn scale(whole: i64, unit: TimeUnit) -> Option<Timestamp> {
    Some(Timestamp(match detect(whole, unit) {
        TimeUnit::Seconds => whole.checked_mul(1_000)?,
        TimeUnit::Micros => whole / 1_000,
        TimeUnit::Nanos => whole / 1_000_000,
        TimeUnit::Millis | TimeUnit::Detect => whole,
    }))
}

fn detect(whole: i64, unit: TimeUnit) -> TimeUnit {
    match (unit, whole) {
        (TimeUnit::Detect, ..100_000_000_000) => TimeUnit::Seconds,
        (TimeUnit::Detect, ..100_000_000_000_000) => TimeUnit::Millis,
        (TimeUnit::Detect, ..100_000_000_000_000_000) => TimeUnit::Micros,
        (TimeUnit::Detect, _) => TimeUnit::Nanos,
        (known, _) => known,
    }
}

fn with_fraction(whole: i64, fraction: &[u8], unit: TimeUnit) -> Option<Timestamp> {
    let millis = fraction_millis(fraction)?;
    let time = scale(whole, unit)?;
    Some(if detect(whole, unit) == TimeUnit::Seconds { time.plus_millis(millis) } else { time })
}

/// The milliseconds in the digits behind a point of seconds.
fn fraction_millis(digits: &[u8]) -> Option<i64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |index: usize| digits.get(index).map_or(0, |byte| i64::from(byte - b'0'));
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

fn parse_iso(text: &[u8]) -> Option<Timestamp> {
    let number = |from: usize, to: usize| -> Option<i64> {
        text.get(from..to)?
            .iter()
            .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let is = |index: usize, allowed: &[u8]| text.get(index).is_some_and(|byte| allowed.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !is(7, b"-") || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let date = days_from_civil(year, month, day) * 86_400_000;
    if text.len() == 10 {
        return Some(Timestamp(date));
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !is(10, b"T ") || !is(13, b":") || !is(16, b":") || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &text[19..];
    let mut millis = 0;
    if let [b'.', digits @ ..] = rest {
        let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        millis = fraction_millis(&digits[..len])?;
        rest = &digits[len..];
    }
    let offset = parse_zone(rest)?;
    Some(Timestamp(date + ((hour * 60 + minute - offset) * 60 + second) * 1_000 + millis))
}

/// The minutes that a zone is ahead of UTC; no zone is UTC.
fn parse_zone(text: &[u8]) -> Option<i64> {
    let sign = match text {
        b"" | b"Z" | b"z" | b" UTC" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let digits: Vec<i64> = text[1..]
        .iter()
        .filter(|byte| **byte != b':')
        .map(|byte| byte.is_ascii_digit().then(|| i64::from(byte - b'0')))
        .collect::<Option<_>>()?;
    match digits[..] {
        [h1, h2] => Some(sign * (h1 * 10 + h2) * 60),
        [h1, h2, m1, m2] => Some(sign * ((h1 * 10 + h2) * 60 + m1 * 10 + m2)),
        _ => None,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar: years counted from March, in eras of 400.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<i64> {
        parse_time(text.as_bytes(), TimeUnit::Detect).map(|time| time.0)
    }

    #[test]
    fn numbers_are_scaled_by_their_magnitude() {
        // 1640908800 is 2021-12-31T00:00:00Z.
        assert_eq!(at("1640908800"), Some(1_640_908_800_000));
        assert_eq!(at("1640908800.5"), Some(1_640_908_800_500));
        assert_eq!(at("1640908800.123987"), Some(1_640_908_800_123));
        assert_eq!(at("1640908800123"), Some(1_640_908_800_123));
        assert_eq!(at("1640908800123.75"), Some(1_640_908_800_123));
        assert_eq!(at("1640908800123987"), Some(1_640_908_800_123));
        assert_eq!(at("1640908800123987654"), Some(1_640_908_800_123));
    }

    #[test]
    fn a_named_unit_outweighs_the_magnitude() {
        assert_eq!(parse_time(b"1000", TimeUnit::Millis), Some(Timestamp(1_000)));
        assert_eq!(parse_time(b"1000", TimeUnit::Seconds), Some(Timestamp(1_000_000)));
        assert_eq!(parse_time(b"1500000", TimeUnit::Nanos), Some(Timestamp(1)));
    }

    #[test]
    fn iso_times_are_read_with_fraction_and_zone() {
        assert_eq!(at("2021-12-31"), Some(1_640_908_800_000));
        assert_eq!(at("2021-12-31T00:00:00Z"), Some(1_640_908_800_000));
        assert_eq!(at("2021-12-31 00:00:00.25"), Some(1_640_908_800_250));
        assert_eq!(at("2021-12-31T01:00:00.123456+01:00"), Some(1_640_908_800_123));
        assert_eq!(at("2021-12-30T19:30:00-0430"), Some(1_640_908_800_000));
        assert_eq!(at("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(at("1969-12-31T23:59:59Z"), Some(-1_000));
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in
            ["", "abc", "12a", "-5", ".5", "2021-13-01", "2021-12-31T25:00:00Z", "2021-12-31T00:00:00?"]
        {
            assert_eq!(at(text), None, "{text}");
        }
        assert_eq!(at("99999999999999999999999"), None);
    }
}
