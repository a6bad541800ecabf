//! Exact products of decimals and their sums: turnover (price × size) without a rounding per trade. Knows decimals only.

use serde::{Deserialize, Serialize};

use super::{Decimal, DecimalError, ONE, divide};

/// The exact product of two decimals, or an exact sum of such products: twenty-four places.
///
/// Twelve places times twelve places are twenty-four: none is dropped, so turnover summed over any number of trades, in
/// any order, is exact. [`Product::round`] gives the nearest [`Decimal`]; [`Product::is_exact`] says whether that lost
/// anything.
///
/// ```
/// use candlewick_operators::{Decimal, Product};
/// let price = "0.0000123456".parse::<Decimal>()?;
/// let mut turnover = Product::ZERO;
/// for _ in 0..1000 {
///     turnover = turnover.try_add(price.product("0.001".parse()?)?)?;
/// }
/// assert!(turnover.is_exact());
/// assert_eq!(turnover.round()?, price);
/// # Ok::<(), candlewick_operators::DecimalError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Product {
    /// The greatest decimal that is not above the value.
    whole: Decimal,
    /// What is above it, in units of 10⁻²⁴: always below 10¹².
    rest: u64,
}

#[allow(clippy::cast_possible_truncation)] // the constant fits
const REST_END: u64 = ONE as u64;

impl Product {
    /// Zero.
    pub const ZERO: Self = Self { whole: Decimal::ZERO, rest: 0 };

    #[inline]
    pub(super) fn of(a: Decimal, b: Decimal) -> Result<Self, DecimalError> {
        const OVERFLOW: DecimalError = DecimalError::Overflow { what: "product" };
        let (a_units, b_units) = (a.units().unsigned_abs(), b.units().unsigned_abs());
        let (whole, rest) = match a_units.checked_mul(b_units) {
            Some(product) => divide::by_scale(product),
            None => Self::wide(a_units, b_units).ok_or(OVERFLOW)?,
        };
        let whole = i128::try_from(whole).map_err(|_| OVERFLOW)?;
        if a.is_negative() == b.is_negative() || (whole == 0 && rest == 0) {
            return Ok(Self { whole: Decimal(whole), rest });
        }
        // The whole part is the floor, so a negative product borrows one unit for its rest.
        let borrow = i128::from(rest != 0);
        let whole = (-whole).checked_sub(borrow).filter(|units| *units != i128::MIN).ok_or(OVERFLOW)?;
        Ok(Self { whole: Decimal(whole), rest: if rest == 0 { 0 } else { REST_END - rest } })
    }

    #[cold]
    fn wide(a: u128, b: u128) -> Option<(u128, u64)> {
        let (high, low) = divide::full_product(a, b);
        let (quotient, rest) = divide::wide(high, low, ONE.unsigned_abs())?;
        Some((quotient, u64::try_from(rest).ok()?))
    }

    /// The exact sum.
    ///
    /// ```
    /// # use candlewick_operators::{Decimal, Product};
    /// let four = Decimal::from_int(2).product(Decimal::from_int(2))?;
    /// assert_eq!(four.try_add(four)?.round()?, Decimal::from_int(8));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    ///
    /// # Errors
    /// When it is out of range.
    #[inline]
    pub fn try_add(self, other: Self) -> Result<Self, DecimalError> {
        let rest = self.rest + other.rest;
        let carry = u64::from(rest >= REST_END);
        let whole = self.whole.try_add(other.whole)?.try_add(Decimal(i128::from(carry)))?;
        Ok(Self { whole, rest: rest - carry * REST_END })
    }

    /// The nearest decimal, half to even.
    ///
    /// ```
    /// # use candlewick_operators::{Decimal, Product};
    /// let three_halves = "1.5".parse::<Decimal>()?.product("0.000000000001".parse()?)?;
    /// assert_eq!(three_halves.round()?, "0.000000000002".parse()?);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    ///
    /// # Errors
    /// When it is out of range.
    #[inline]
    pub fn round(self) -> Result<Decimal, DecimalError> {
        let half = REST_END / 2;
        let up = self.rest > half || (self.rest == half && self.whole.units() & 1 == 1);
        if up { self.whole.try_add(Decimal(1)) } else { Ok(self.whole) }
    }

    /// Whether [`Product::round`] is the value itself: no place beyond the twelfth is in use.
    ///
    /// ```
    /// # use candlewick_operators::{Decimal, Product};
    /// let least = "0.000000000001".parse::<Decimal>()?;
    /// assert!(least.product(Decimal::from_int(3))?.is_exact());
    /// assert!(!least.product(least)?.is_exact());
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub const fn is_exact(self) -> bool {
        self.rest == 0
    }

    /// The nearest float to the rounded value.
    ///
    /// ```
    /// # use candlewick_operators::{Decimal, Product};
    /// assert_eq!("1.5".parse::<Decimal>()?.product(Decimal::from_int(3))?.to_f64(), 4.5);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.round().unwrap_or(Decimal::MAX).to_f64()
    }

    /// The value as a whole decimal, rounded down, and what is above it in units of 10⁻²⁴ (below 10¹²).
    ///
    /// ```
    /// # use candlewick_operators::{Decimal, Product};
    /// assert_eq!(Decimal::from_int(2).product(Decimal::from_int(3))?.parts(), (Decimal::from_int(6), 0));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub const fn parts(self) -> (Decimal, u64) {
        (self.whole, self.rest)
    }

    /// Puts together what [`Product::parts`] took apart; `None` when `rest` is not below 10¹².
    ///
    /// ```
    /// # use candlewick_operators::{Decimal, Product};
    /// let product = Decimal::from_int(2).product(Decimal::from_int(3))?;
    /// assert_eq!(Product::from_parts(Decimal::from_int(6), 0), Some(product));
    /// assert_eq!(Product::from_parts(Decimal::ZERO, 1_000_000_000_000), None);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub const fn from_parts(whole: Decimal, rest: u64) -> Option<Self> {
        if rest < REST_END { Some(Self { whole, rest }) } else { None }
    }
}

/// A product as it was written, before it is believed.
#[derive(Deserialize)]
struct Parts {
    whole: Decimal,
    rest: u64,
}

impl TryFrom<Parts> for Product {
    type Error = &'static str;

    fn try_from(Parts { whole, rest }: Parts) -> Result<Self, &'static str> {
        Self::from_parts(whole, rest).ok_or("the rest of a product is below 1000000000000")
    }
}

impl From<Decimal> for Product {
    fn from(whole: Decimal) -> Self {
        Self { whole, rest: 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units_e24(product: Product) -> i128 {
        product.whole.units() * ONE + i128::from(product.rest)
    }

    proptest! {
        #[test]
        fn product_keeps_every_digit(a in any::<i64>(), b in any::<i64>()) {
            let product = Decimal::from_units(a.into()).product(Decimal::from_units(b.into())).expect("in range");
            prop_assert_eq!(units_e24(product), i128::from(a) * i128::from(b));
        }

        #[test]
        fn sum_of_products_is_exact_and_has_no_order(pairs in prop::collection::vec((any::<i32>(), any::<i64>()), 0..50)) {
            let product = |(a, b): &(i32, i64)| {
                Decimal::from_units((*a).into()).product(Decimal::from_units((*b).into())).expect("in range")
            };
            let sum = |pairs: &mut dyn Iterator<Item = &(i32, i64)>| {
                pairs.fold(Product::ZERO, |sum, pair| sum.try_add(product(pair)).expect("in range"))
            };
            let expected: i128 = pairs.iter().map(|(a, b)| i128::from(*a) * i128::from(*b)).sum();
            let forward = sum(&mut pairs.iter());
            prop_assert_eq!(units_e24(forward), expected);
            prop_assert_eq!(forward, sum(&mut pairs.iter().rev()));
        }

        #[test]
        fn wide_products_agree_with_narrow_ones(a in any::<u64>(), b in any::<u64>()) {
            let narrow = divide::by_scale(u128::from(a) * u128::from(b));
            prop_assert_eq!(Product::wide(a.into(), b.into()), Some(narrow));
        }
    }

    #[test]
    fn large_turnover_is_exact_beyond_128_bits_of_intermediate() {
        let price = "2500000000.000000000001".parse::<Decimal>().expect("a number");
        let turnover = price.product(Decimal::from_int(1_000_000_000)).expect("in range");
        assert_eq!(turnover.round().expect("in range").to_string(), "2500000000000000000.001");
        assert!(turnover.is_exact());
    }
}
