//! Exact numbers as PostgreSQL writes them: as text with all decimal places, and as groups of four digits. Owns both forms,
//! in both directions where parameters need it.

/// Digits of one group.
const GROUP: u32 = 4;
const BASE: u128 = 10_000;
const NEGATIVE: u16 = 0x4000;

/// Units of `scale` decimal places as text.
pub(super) fn text(units: i128, scale: i8) -> String {
    let digits = units.unsigned_abs().to_string();
    let sign = if units < 0 { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{digits}"),
        Ok(places) => {
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) => format!("{sign}{digits}{}", "0".repeat(usize::from(scale.unsigned_abs()))),
    }
}

/// The same as bytes: number of groups, weight of the first one, sign, decimal places, groups.
pub(super) fn bytes(units: i128, scale: i8, out: &mut Vec<u8>) {
    let places = u32::try_from(scale).unwrap_or(0);
    let one = 10_u128.pow(places.min(38));
    let magnitude = units.unsigned_abs();
    let (mut whole, fraction) = (magnitude / one, magnitude % one);
    if scale < 0 {
        whole = whole.saturating_mul(10_u128.saturating_pow(u32::from(scale.unsigned_abs())));
    }
    let mut groups: Vec<u16> = Vec::new();
    while whole > 0 {
        groups.push(group(whole % BASE));
        whole /= BASE;
    }
    groups.reverse();
    let mut weight = i16::try_from(groups.len()).unwrap_or(i16::MAX) - 1;
    let mut digits = format!("{fraction:0>width$}", width = places as usize);
    while !digits.len().is_multiple_of(GROUP as usize) {
        digits.push('0');
    }
    if places > 0 {
        groups.extend(
            digits
                .as_bytes()
                .chunks(GROUP as usize)
                .map(|chunk| chunk.iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'))),
        );
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= i16::try_from(leading).unwrap_or(0);
    if groups.is_empty() {
        weight = 0;
    }
    let count = u16::try_from(groups.len()).unwrap_or(u16::MAX);
    let sign = if units < 0 { NEGATIVE } else { 0 };
    out.extend(count.to_be_bytes());
    out.extend(weight.to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(u16::try_from(places).unwrap_or(0).to_be_bytes());
    groups.iter().for_each(|group| out.extend(group.to_be_bytes()));
}

fn group(value: u128) -> u16 {
    u16::try_from(value).expect("it is below ten thousand")
}

/// The text of a number that came as bytes; `None` where it is none, or not a finite one.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, places) =
        (words.next()?, words.next()?.cast_signed(), words.next()?, words.next()?);
    let groups: Vec<u16> = words.collect();
    if groups.len() != usize::from(count) || (sign != 0 && sign != NEGATIVE) || count > 100 || weight > 100 {
        return None;
    }
    let at = |place: i16| {
        let index = i32::from(weight) - i32::from(place);
        usize::try_from(index).ok().and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let mut whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", at(place))).collect();
    whole = whole.trim_start_matches('0').to_owned();
    if whole.is_empty() {
        whole.push('0');
    }
    let sign = if sign == NEGATIVE { "-" } else { "" };
    let places = usize::from(places);
    let fraction_groups = i16::try_from(places.div_ceil(GROUP as usize)).ok()?;
    let fraction: String = (1..=fraction_groups).map(|place| format!("{:04}", at(-place))).collect();
    Some(if places == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{}", &fraction[..places])
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_those_that_postgresql_sends() {
        let words = |units, scale| {
            let mut out = Vec::new();
            bytes(units, scale, &mut out);
            out.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<_>>()
        };
        // 12345.6789, -1, 0.0001, 10000 and 0.00.
        assert_eq!(words(123_456_789, 4), [3, 1, 0, 4, 1, 2_345, 6_789]);
        assert_eq!(words(-1, 0), [1, 0, NEGATIVE, 0, 1]);
        assert_eq!(words(1, 4), [1, u16::MAX, 0, 4, 1]);
        assert_eq!(words(10_000, 0), [1, 1, 0, 0, 1]);
        assert_eq!(words(0, 2), [0, 0, 0, 2]);
    }

    proptest! {
        #[test]
        fn numbers_come_back_from_bytes_as_they_were(units: i128, scale in 0_i8..30) {
            let mut out = Vec::new();
            bytes(units, scale, &mut out);
            prop_assert_eq!(from_bytes(&out), Some(text(units, scale)));
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes: Vec<u8>) {
            let _ = from_bytes(&bytes);
        }
    }
}
