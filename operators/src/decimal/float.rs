//! Decimals from and to floats: the decimal a float was printed from, and the float nearest to a decimal.
//! Knows decimals only.

use std::io::Write;

use super::{Decimal, DecimalError};

/// Where fifteen significant digits end: below it a decimal and its nearest float belong to each other one to one.
const FIFTEEN_DIGITS: f64 = 1e15;

const FIVE_TO_TWELVE: u128 = 5_u128.pow(12);

impl Decimal {
    /// The decimal that `value` stands for: the shortest one that reads back as this float, so that 0.1 becomes 0.1 and
    /// not 0.1000000000000000055.
    ///
    /// A float made from a decimal text of at most 15 significant digits gives back that text's number.
    ///
    /// # Errors
    /// When `value` is NaN or infinite, out of range, or its shortest decimal has more than twelve places; see
    /// [`Decimal::from_f64_rounded`] for computed floats.
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::from_f64(42_000.17)?.to_string(), "42000.17");
    /// assert!(Decimal::from_f64(f64::NAN).is_err());
    /// assert!(Decimal::from_f64(0.1 + 0.2).is_err()); // 0.30000000000000004
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[inline]
    pub fn from_f64(value: f64) -> Result<Self, DecimalError> {
        match quick(value) {
            Some(decimal) => Ok(decimal),
            None => by_text(value),
        }
    }

    /// The decimal nearest to `value` as it prints, half to even at the twelfth place: for floats that were computed.
    ///
    /// # Errors
    /// When `value` is NaN, infinite or out of range.
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::from_f64_rounded(0.1 + 0.2)?.to_string(), "0.3");
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    pub fn from_f64_rounded(value: f64) -> Result<Self, DecimalError> {
        match Self::from_f64(value) {
            // The formatter of the standard library rounds the exact value of the float, half to even.
            Err(DecimalError::TooManyDecimals { .. }) => format!("{value:.12}").parse(),
            answer => answer,
        }
    }

    /// The float nearest to this decimal, half to even.
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// assert_eq!("0.3".parse::<Decimal>()?.to_f64(), 0.3);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // the casts round correctly or are exact, as said beside each
    pub fn to_f64(self) -> f64 {
        let units = self.0.unsigned_abs();
        let magnitude = if units < 1 << 53 {
            // Both operands are exact, so the one division rounds correctly.
            units as f64 / 1e12
        } else if let Some(units) =
            u64::try_from(units).ok().filter(|units| units % 10_000 == 0 && *units < 10_000 << 53)
        {
            // As above, for prices of at most eight places.
            (units / 10_000) as f64 / 1e8
        } else {
            // 10¹² = 5¹² · 2¹²: divide by 5¹² with the number moved to the top of 128 bits, which leaves at least 99
            // bits of quotient; a lost remainder is kept as the last bit, so that the cast rounds correctly.
            let shift = units.leading_zeros();
            let top = units << shift;
            let quotient = (top / FIVE_TO_TWELVE) | u128::from(!top.is_multiple_of(FIVE_TO_TWELVE));
            let exponent = i32::try_from(shift).unwrap_or_default() + 12;
            quotient as f64 * 2_f64.powi(-exponent)
        };
        if self.is_negative() { -magnitude } else { magnitude }
    }
}

/// Floats of at most fifteen significant digits with at most eight places (or four, when large), in a few nanoseconds.
#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::float_cmp)]
fn quick(value: f64) -> Option<Decimal> {
    let (power, units) = if value.abs() < FIFTEEN_DIGITS / 1e8 {
        (1e8, 10_000)
    } else if value.abs() < FIFTEEN_DIGITS / 1e4 {
        (1e4, 100_000_000)
    } else {
        return None;
    };
    let scaled = value * power;
    let rounded = (scaled + 0.5_f64.copysign(scaled)) as i64;
    // `rounded` and `power` are exact, so the quotient is the float nearest to the decimal. If it is `value`, then this
    // decimal of at most fifteen digits is the only one that reads as `value`, and so the shortest.
    (rounded as f64 / power == value).then(|| Decimal(i128::from(rounded) * units))
}

#[cold]
fn by_text(value: f64) -> Result<Decimal, DecimalError> {
    if !value.is_finite() {
        let value = if value.is_nan() { "NaN" } else { "infinity" };
        return Err(DecimalError::NotFinite { value });
    }
    let mut buffer = [0_u8; 32];
    let mut rest = &mut buffer[..];
    write!(rest, "{value:e}").expect("17 digits, sign, point and exponent fit 32 bytes");
    let written = 32 - rest.len();
    std::str::from_utf8(&buffer[..written]).expect("a number is ASCII").parse()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decimal_of_fifteen_digits_survives_the_way_through_a_float(
            digits in -999_999_999_999_999_i64..=999_999_999_999_999, places in 0_u32..=12
        ) {
            let decimal = Decimal::from_units(i128::from(digits) * 10_i128.pow(12 - places));
            prop_assert_eq!(Decimal::from_f64(decimal.to_f64()), Ok(decimal));
        }

        #[test]
        fn quick_way_and_text_agree(value in prop_oneof![
            any::<f64>(),
            -1e12..1e12_f64,
            (any::<i32>(), 0..9_i32).prop_map(|(n, places)| f64::from(n) / 10_f64.powi(places)),
            (any::<i64>(), 0..9_i32).prop_map(|(n, places)| n as f64 / 10_f64.powi(places)),
        ]) {
            if let Some(decimal) = quick(value) {
                prop_assert_eq!(by_text(value), Ok(decimal));
            }
        }

        #[test]
        fn float_is_the_nearest_as_the_standard_library_reads_it(
            units in any::<i128>(), shift in 0_u32..127, unit in prop_oneof![Just(1), Just(10_000), Just(10_000_000_000)]
        ) {
            let decimal = Decimal::from_units((units >> shift) / unit * unit);
            let expected: f64 = decimal.to_string().parse().expect("a number");
            prop_assert_eq!(decimal.to_f64().to_bits(), expected.to_bits());
        }

        #[test]
        fn rounding_is_within_half_a_unit(value in -1e9..1e9_f64) {
            let decimal = Decimal::from_f64_rounded(value).expect("in range");
            prop_assert!((decimal.to_f64() - value).abs() <= 0.5e-12 + value.abs() * f64::EPSILON);
        }
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(Decimal::from_f64(-0.0), Ok(Decimal::ZERO));
        assert!(matches!(Decimal::from_f64(f64::INFINITY), Err(DecimalError::NotFinite { .. })));
        assert!(matches!(Decimal::from_f64(1e27), Err(DecimalError::Overflow { .. })));
        assert!(matches!(Decimal::from_f64(f64::MIN_POSITIVE), Err(DecimalError::TooManyDecimals { .. })));
        assert_eq!(Decimal::from_f64(1e20), "100000000000000000000".parse());
    }
}
