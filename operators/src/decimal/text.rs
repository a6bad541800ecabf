//! Decimals as text: parsing without loss and the shortest display. Knows decimals only.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;

use super::{Decimal, DecimalError, divide};

/// Powers of ten that fit 128 bits.
fn power_of_ten(exponent: u32) -> Option<u128> {
    10_u128.checked_pow(exponent)
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Reads digits with an optional sign, point and exponent (`-42.5`, `1.5e-8`), exactly.
    ///
    /// ```
    /// use candlewick_operators::{Decimal, DecimalError};
    /// assert_eq!("+1.50e-3".parse::<Decimal>()?.to_string(), "0.0015");
    /// let error = "0.0000000000001".parse::<Decimal>().expect_err("thirteen places");
    /// assert!(matches!(error, DecimalError::TooManyDecimals { .. }));
    /// # Ok::<(), DecimalError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let not_a_number = || DecimalError::NotANumber { text: shortened(text) };
        let overflow = DecimalError::Overflow { what: "number" };
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let read = Digits::read(digits).ok_or_else(not_a_number)?;
        let number = read.number.ok_or_else(|| overflow.clone())?;
        if number == 0 {
            return Ok(Self::ZERO);
        }
        let shift = i64::from(Self::SCALE) - read.places + read.exponent;
        let units = if shift >= 0 {
            u32::try_from(shift).ok().and_then(power_of_ten).and_then(|power| number.checked_mul(power))
        } else {
            let power = u32::try_from(-shift)
                .ok()
                .and_then(power_of_ten)
                .filter(|power| number.is_multiple_of(*power));
            Some(number / power.ok_or_else(|| DecimalError::TooManyDecimals { text: shortened(text) })?)
        };
        let units = units.and_then(|units| i128::try_from(units).ok()).ok_or(overflow)?;
        Ok(Self(if negative { -units } else { units }))
    }
}

/// What a run of digits, point and exponent says.
struct Digits {
    /// The digits without point and without the fraction's trailing zeros; `None` when they exceed 128 bits.
    number: Option<u128>,
    /// How many of them stand behind the point.
    places: i64,
    exponent: i64,
}

impl Digits {
    /// Reads all of `bytes`; `None` when they are not a number.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut number = Some(0_u128);
        let (mut places, mut exponent) = (0_i64, 0_i64);
        let (mut seen, mut point, mut zeros) = (false, false, 0_u32);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                // Zeros behind the point count only when another digit follows: 1.50000 is 1.5.
                b'0' if point => (zeros, seen) = (zeros + 1, true),
                b'0'..=b'9' => {
                    let by = if zeros == 0 { Some(10) } else { power_of_ten(zeros + 1) };
                    number = number.zip(by).and_then(|(number, by)| {
                        number.checked_mul(by)?.checked_add(u128::from(byte - b'0'))
                    });
                    if point {
                        places += i64::from(zeros) + 1;
                    }
                    (zeros, seen) = (0, true);
                }
                b'.' if !point => point = true,
                b'e' | b'E' if seen => {
                    exponent = exponent_of(&bytes[at + 1..])?;
                    break;
                }
                _ => return None,
            }
        }
        seen.then_some(Self { number, places, exponent })
    }
}

fn exponent_of(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    // An exponent of more digits means zero or out of range; either way not a price.
    if text.is_empty() || text.len() > 5 { None } else { text.parse().ok() }
}

/// Text for an error: not a megabyte of it.
fn shortened(text: &str) -> CompactString {
    text.chars().take(48).collect()
}

impl fmt::Display for Decimal {
    /// The shortest text that reads back as this decimal: no exponent, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0_u8; 41];
        f.pad_integral(!self.is_negative(), "", self.digits(&mut buffer))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Decimal {
    /// Writes the digits without sign into the end of `buffer`.
    fn digits(self, buffer: &mut [u8; 41]) -> &str {
        let (whole, mut fraction) = divide::by_scale(self.0.unsigned_abs());
        let mut at = buffer.len();
        if fraction != 0 {
            let places = self.places();
            fraction /= 10_u64.pow(Self::SCALE - places);
            for _ in 0..places {
                at -= 1;
                buffer[at] = digit(fraction % 10);
                fraction /= 10;
            }
            at -= 1;
            buffer[at] = b'.';
        }
        let mut rest = whole;
        // Whole parts beyond 64 bits are rare; the loop on 64 bits is the quick one.
        while rest > u128::from(u64::MAX) {
            at -= 1;
            buffer[at] = digit(u64::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
        }
        let mut rest = u64::try_from(rest).unwrap_or_default();
        loop {
            at -= 1;
            buffer[at] = digit(rest % 10);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        std::str::from_utf8(&buffer[at..]).expect("only digits and a point are written")
    }
}

#[allow(clippy::cast_possible_truncation)] // below ten
fn digit(value: u64) -> u8 {
    b'0' + value as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn display_reads_back_as_the_same_decimal(units in any::<i128>(), shift in 0_u32..127) {
            let decimal = Decimal::from_units(units >> shift);
            let text = decimal.to_string();
            prop_assert_eq!(text.parse::<Decimal>(), Ok(decimal));
            prop_assert!(!text.contains('.') || !text.ends_with('0'));
        }

        #[test]
        fn text_with_at_most_twelve_places_is_exact(whole in 0_u64..10_000_000_000, fraction in 0_u64..1_000_000_000_000) {
            let decimal: Decimal = format!("{whole}.{fraction:012}").parse().expect("a number");
            prop_assert_eq!(decimal.units(), i128::from(whole) * 1_000_000_000_000 + i128::from(fraction));
        }

        #[test]
        fn any_text_parses_or_is_refused_without_panic(text in "[-+0-9.eE]{0,60}") {
            let _ = text.parse::<Decimal>();
        }
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in
            ["", "-", ".", "1.2.3", "e5", "1e", "1e999999", "NaN", "inf", "1,5", " 1", "0x1", "--1", "1e5x"]
        {
            assert!(matches!(text.parse::<Decimal>(), Err(DecimalError::NotANumber { .. })), "{text}");
        }
    }

    #[test]
    fn places_beyond_the_twelfth_are_refused_unless_zero() {
        assert_eq!(
            "1.50000000000000000000000000000000000000000000".parse::<Decimal>().expect("zeros").to_string(),
            "1.5"
        );
        assert_eq!("100e-14".parse::<Decimal>().expect("a unit"), Decimal::from_units(1));
        assert!(matches!("1.0000000000001".parse::<Decimal>(), Err(DecimalError::TooManyDecimals { .. })));
        assert!(matches!("1e-13".parse::<Decimal>(), Err(DecimalError::TooManyDecimals { .. })));
        assert!(matches!("1e27".parse::<Decimal>(), Err(DecimalError::Overflow { .. })));
        assert_eq!(".5".parse::<Decimal>(), "0.5".parse());
        assert_eq!("5.".parse::<Decimal>(), "5".parse());
        assert_eq!(format!("{:>8}", "-1.5".parse::<Decimal>().expect("a number")), "    -1.5");
    }
}
