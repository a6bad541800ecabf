//! Division of wide integers by the scale of a decimal, quick where amounts are ordinary. Knows unsigned integers only.

/// 10¹², the units in one.
const SCALE: u64 = 1_000_000_000_000;

/// The quotient and remainder of `number` by 10¹². The compiler's division by this constant is as quick as a
/// multiplication by its reciprocal (both measured at 4 ns in a product).
#[inline]
#[allow(clippy::cast_possible_truncation)] // a remainder is below its divisor
pub(super) fn by_scale(number: u128) -> (u128, u64) {
    (number / u128::from(SCALE), (number % u128::from(SCALE)) as u64)
}

/// The 256-bit product of two numbers, upper half first.
#[allow(clippy::cast_possible_truncation)] // halves of 64 bits
pub(super) fn full_product(a: u128, b: u128) -> (u128, u128) {
    const HALF: u128 = u64::MAX as u128;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & HALF, b >> 64, b & HALF);
    let low = a_low * b_low;
    let cross_a = a_high * b_low + (low >> 64);
    let cross_b = a_low * b_high + (cross_a & HALF);
    let high = a_high * b_high + (cross_a >> 64) + (cross_b >> 64);
    (high, (cross_b << 64) | (low & HALF))
}

/// The quotient and remainder of a 256-bit number by a divisor below 2¹²⁷; `None` when the quotient exceeds 128 bits.
pub(super) fn wide(high: u128, low: u128, divisor: u128) -> Option<(u128, u128)> {
    if high >= divisor {
        return None;
    }
    let (mut rest, mut quotient) = (high, 0_u128);
    for bit in (0..128).rev() {
        rest = (rest << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
    }
    Some((quotient, rest))
}

/// `numerator` × 10¹² / `divisor`, rounded half to even; `None` when it exceeds 128 bits.
pub(super) fn scaled_quotient(numerator: u128, divisor: u128) -> Option<u128> {
    let (quotient, rest) = match numerator.checked_mul(u128::from(SCALE)) {
        Some(scaled) => (scaled / divisor, scaled % divisor),
        None => {
            let (high, low) = full_product(numerator, u128::from(SCALE));
            wide(high, low, divisor)?
        }
    };
    // `divisor` is below 2¹²⁷, so the doubled remainder does not overflow.
    let up = match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => quotient & 1,
        std::cmp::Ordering::Greater => 1,
    };
    quotient.checked_add(up)
}

/// 10⁰ to 10¹².
pub(super) const POWERS: [u64; 13] = {
    let mut powers = [1; 13];
    let mut at = 1;
    while at < 13 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// How many of the twelve digits of `fraction`, which is below 10¹², are zeros at its end.
pub(super) fn trailing_zeros(mut fraction: u64) -> u32 {
    if fraction == 0 {
        return 12;
    }
    let mut zeros = 0;
    for (power, places) in [(100_000_000, 8), (10_000, 4), (100, 2), (10, 1)] {
        if fraction.is_multiple_of(power) {
            fraction /= power;
            zeros += places;
        }
    }
    zeros
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wide_division_undoes_the_full_product(a in any::<u128>(), b in 1_u128..(1 << 127), rest in any::<u128>()) {
            let rest = rest % b;
            let (high, low) = full_product(a, b);
            let (low, carry) = low.overflowing_add(rest);
            prop_assert_eq!(wide(high + u128::from(carry), low, b), Some((a, rest)));
        }
    }
}
