//! Exact fixed-point numbers for prices, sizes and volumes. Owns the representation (a 128-bit count of 10⁻¹²) and its
//! arithmetic. Must not know trades, candles or any wire format but its own.

mod codec;
mod divide;
mod float;
mod product;
mod text;

pub use product::Product;

use compact_str::CompactString;

/// An exact decimal with twelve places: a whole number of 10⁻¹², within ±1.7 × 10²⁶.
///
/// Sums and comparisons are those of integers: exact, in any order, without drift. A result out of range is an error,
/// never a wrap. Multiplication by [`Decimal::product`] keeps every digit; [`Decimal::try_mul`] rounds to even.
///
/// ```
/// use candlewick_operators::Decimal;
/// let sum = "0.1".parse::<Decimal>()?.try_add("0.2".parse()?)?;
/// assert_eq!(sum, "0.3".parse()?);
/// assert_eq!(sum.to_string(), "0.3");
/// # Ok::<(), candlewick_operators::DecimalError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

/// Why a decimal could not be made.
///
/// ```
/// use candlewick_operators::{Decimal, DecimalError};
/// assert!(matches!("1,5".parse::<Decimal>(), Err(DecimalError::NotANumber { .. })));
/// assert_eq!(Decimal::ONE.try_div(Decimal::ZERO), Err(DecimalError::DivisionByZero));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// The text is not a number.
    #[error("`{text}` is not a decimal number: write digits with at most one point, such as 42.5")]
    NotANumber {
        /// What was read.
        text: CompactString,
    },
    /// The number needs more places than a decimal has.
    #[error("`{text}` has more than 12 decimals: round it before it becomes a price or a size")]
    TooManyDecimals {
        /// What was read.
        text: CompactString,
    },
    /// NaN or infinite.
    #[error("{value} is not a finite number: leave the record out or repair it at its source")]
    NotFinite {
        /// What was given.
        value: &'static str,
    },
    /// The result is out of range.
    #[error("the {what} leaves the range of a decimal, which ends at 1.7e26: check the unit of the amounts")]
    Overflow {
        /// Sum, difference, product, quotient or number.
        what: &'static str,
    },
    /// Division by zero.
    #[error("a decimal cannot be divided by zero: test the divisor first")]
    DivisionByZero,
}

/// How many units of a decimal make one.
pub(crate) const ONE: i128 = 1_000_000_000_000;

impl Decimal {
    /// Places after the point.
    pub const SCALE: u32 = 12;
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(ONE);
    /// The greatest decimal.
    pub const MAX: Self = Self(i128::MAX);
    /// The least decimal: the negative of [`Decimal::MAX`], so that every decimal has an opposite.
    pub const MIN: Self = Self(-i128::MAX);

    /// The decimal of `units` × 10⁻¹².
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::from_units(1_500_000_000_000).to_string(), "1.5");
    /// ```
    #[must_use]
    pub const fn from_units(units: i128) -> Self {
        if units == i128::MIN { Self::MIN } else { Self(units) }
    }

    /// This decimal as a count of 10⁻¹².
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::ONE.units(), 1_000_000_000_000);
    /// ```
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// A whole number.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::from_int(42).to_string(), "42");
    /// ```
    #[must_use]
    pub const fn from_int(whole: i64) -> Self {
        Self(whole as i128 * ONE)
    }

    /// Whether this is zero.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert!(Decimal::ZERO.is_zero() && !Decimal::ONE.is_zero());
    /// ```
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether this is greater than zero.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert!(Decimal::ONE.is_positive() && !Decimal::ZERO.is_positive());
    /// ```
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether this is less than zero.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert!(Decimal::from_int(-1).is_negative() && !Decimal::ZERO.is_negative());
    /// ```
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The distance from zero.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::from_int(-1).abs(), Decimal::ONE);
    /// ```
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// The sum.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::ONE.try_add(Decimal::ONE), Ok(Decimal::from_int(2)));
    /// assert!(Decimal::MAX.try_add(Decimal::ONE).is_err());
    /// ```
    ///
    /// # Errors
    /// When it is out of range.
    #[inline]
    pub const fn try_add(self, other: Self) -> Result<Self, DecimalError> {
        match self.0.checked_add(other.0) {
            Some(units) if units != i128::MIN => Ok(Self(units)),
            _ => Err(DecimalError::Overflow { what: "sum" }),
        }
    }

    /// The difference.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::ZERO.try_sub(Decimal::ONE), Ok(Decimal::from_int(-1)));
    /// assert!(Decimal::MIN.try_sub(Decimal::ONE).is_err());
    /// ```
    ///
    /// # Errors
    /// When it is out of range.
    #[inline]
    pub const fn try_sub(self, other: Self) -> Result<Self, DecimalError> {
        match self.0.checked_sub(other.0) {
            Some(units) if units != i128::MIN => Ok(Self(units)),
            _ => Err(DecimalError::Overflow { what: "difference" }),
        }
    }

    /// The product to twelve places, rounded half to even. [`Decimal::product`] keeps all places.
    ///
    /// # Errors
    /// When it is out of range.
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// let half = "0.5".parse::<Decimal>()?;
    /// assert_eq!(half.try_mul("0.000000000001".parse()?)?, Decimal::ZERO);
    /// assert_eq!(half.try_mul("0.000000000003".parse()?)?, "0.000000000002".parse()?);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[inline]
    pub fn try_mul(self, other: Self) -> Result<Self, DecimalError> {
        self.product(other)?.round()
    }

    /// The exact product, with twenty-four places.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// let least = "0.000000000001".parse::<Decimal>()?;
    /// // Nothing is lost, though a decimal could not hold it.
    /// assert_eq!(least.product(least)?.parts(), (Decimal::ZERO, 1));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    ///
    /// # Errors
    /// When it is out of range.
    #[inline]
    pub fn product(self, other: Self) -> Result<Product, DecimalError> {
        Product::of(self, other)
    }

    /// The quotient to twelve places, rounded half to even.
    ///
    /// # Errors
    /// When `other` is zero or the quotient is out of range.
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::from_int(2).try_div(Decimal::from_int(3))?.to_string(), "0.666666666667");
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    pub fn try_div(self, other: Self) -> Result<Self, DecimalError> {
        if other.is_zero() {
            return Err(DecimalError::DivisionByZero);
        }
        let magnitude = divide::scaled_quotient(self.0.unsigned_abs(), other.0.unsigned_abs())
            .and_then(|quotient| i128::try_from(quotient).ok())
            .ok_or(DecimalError::Overflow { what: "quotient" })?;
        Ok(Self(if self.is_negative() == other.is_negative() { magnitude } else { -magnitude }))
    }

    /// How many places after the point are in use: 0 for 42, 2 for 42.25.
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// assert_eq!("42.2500".parse::<Decimal>()?.places(), 2);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub fn places(self) -> u32 {
        let (_, fraction) = divide::by_scale(self.0.unsigned_abs());
        Self::SCALE - divide::trailing_zeros(fraction)
    }

    /// The greater of `places`, at most twelve, and [`places`](Self::places): one division when they are enough.
    pub(crate) fn places_from(self, places: u32) -> u32 {
        let (_, fraction) = divide::by_scale(self.0.unsigned_abs());
        let unit = divide::POWERS[(Self::SCALE - places) as usize];
        if fraction.is_multiple_of(unit) { places } else { Self::SCALE - divide::trailing_zeros(fraction) }
    }

    /// This decimal as a count of 10 to the power of −`places`, which must be at most twelve; further places are cut off.
    pub(crate) fn units_of(self, places: u32) -> i128 {
        let (whole, fraction) = divide::by_scale(self.0.unsigned_abs());
        let (power, unit) =
            (divide::POWERS[places as usize], divide::POWERS[(Self::SCALE - places) as usize]);
        let units = whole * u128::from(power) + u128::from(fraction / unit);
        let units = i128::try_from(units).expect("no more units than the decimal has");
        if self.is_negative() { -units } else { units }
    }
}

impl Decimal {
    /// What [`units_of`](Self::units_of) counted; `None` when `places` exceeds twelve or the decimal its range.
    pub(crate) fn from_units_of(units: i128, places: u8) -> Option<Self> {
        let exponent = Self::SCALE.checked_sub(u32::from(places))?;
        let unit = i128::from(divide::POWERS[exponent as usize]);
        match i64::try_from(units) {
            // 64 bits times 40 bits: no overflow to look for.
            Ok(units) => Some(Self(i128::from(units) * unit)),
            Err(_) => units.checked_mul(unit).filter(|units| *units != i128::MIN).map(Self),
        }
    }
}

impl std::ops::Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_equal_integer_sums(amounts in prop::collection::vec(-1_000_000_000_000_i64..1_000_000_000_000, 0..200)) {
            let mut sum = Decimal::ZERO;
            for amount in &amounts {
                sum = sum.try_add(Decimal::from_units(i128::from(*amount))).expect("in range");
            }
            prop_assert_eq!(sum.units(), amounts.iter().map(|a| i128::from(*a)).sum::<i128>());
        }

        #[test]
        fn order_is_that_of_the_units(a in any::<i128>(), b in any::<i128>()) {
            let (a, b) = (a.max(-i128::MAX), b.max(-i128::MAX));
            prop_assert_eq!(Decimal::from_units(a).cmp(&Decimal::from_units(b)), a.cmp(&b));
        }

        #[test]
        fn quotient_undoes_a_product_by_a_whole_number(a in any::<i64>(), b in 1_i64..1_000_000) {
            let product = Decimal::from_units(a.into()).try_mul(Decimal::from_int(b)).expect("in range");
            prop_assert_eq!(product.try_div(Decimal::from_int(b)).expect("b is not zero"), Decimal::from_units(a.into()));
        }

        #[test]
        fn quotient_is_the_nearest_decimal(a in any::<i128>(), b in any::<i128>()) {
            let (a, b) = (a >> 48, b >> 40);
            prop_assume!(b != 0);
            let quotient = Decimal::from_units(a).try_div(Decimal::from_units(b)).expect("in range").units();
            let error = (a * ONE - quotient * b).abs();
            prop_assert!(error * 2 <= b.abs());
        }
    }

    #[test]
    fn overflow_is_an_error_and_never_a_wrap() {
        let unit = Decimal::from_units(1);
        assert!(Decimal::MAX.try_add(unit).is_err());
        assert!(Decimal::MIN.try_sub(unit).is_err());
        assert!(Decimal::MAX.try_mul(Decimal::from_int(2)).is_err());
        assert!(Decimal::MAX.try_div("0.5".parse().expect("a number")).is_err());
        assert_eq!(Decimal::MAX.try_div(Decimal::ZERO), Err(DecimalError::DivisionByZero));
        assert_eq!(Decimal::MAX.try_div(Decimal::ONE), Ok(Decimal::MAX));
        assert_eq!(Decimal::MIN.try_mul(Decimal::ONE), Ok(Decimal::MIN));
    }

    #[test]
    fn a_million_sizes_sum_without_drift() {
        let tenth = Decimal::from_f64(0.1).expect("a tenth");
        let mut sum = Decimal::ZERO;
        for _ in 0..1_000_000 {
            sum = sum.try_add(tenth).expect("in range");
        }
        assert_eq!(sum, Decimal::from_int(100_000));
    }
}
