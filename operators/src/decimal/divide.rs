//! Division of wide integers by the scale of a decimal, quick where amounts are ordinary. Knows unsigned integers only.

/// 10¹², the units in one.
const SCALE: u64 = 1_000_000_000_000;
/// floor(2¹⁰³ / 10¹²): multiplying the upper bits of a number by it and dropping 64 bits divides by the scale.
const RECIPROCAL: u64 = ((1_u128 << 103) / SCALE as u128) as u64;

/// The quotient and remainder of `number` by 10¹².
#[inline]
#[allow(clippy::cast_possible_truncation)] // each cast takes the part that the shift or the bound before it leaves
pub(super) fn by_scale(number: u128) -> (u128, u64) {
    if number >> 103 != 0 {
        return (number / u128::from(SCALE), (number % u128::from(SCALE)) as u64);
    }
    // The estimate is short by at most 2: it drops 39 bits of the number and the fraction of the reciprocal.
    let upper = (number >> 39) as u64;
    let mut quotient = ((u128::from(upper) * u128::from(RECIPROCAL)) >> 64) as u64;
    let mut rest = (number as u64).wrapping_sub(quotient.wrapping_mul(SCALE));
    for _ in 0..2 {
        let over = u64::from(rest >= SCALE);
        quotient += over;
        rest -= over * SCALE;
    }
    (u128::from(quotient), rest)
}

/// The quotient and remainder of `number` by 5¹².
pub(super) fn by_five_to_twelve(number: u128) -> (u128, u64) {
    // Long division in digits of 32 bits: the divisor has 28, so that each step fits 64.
    const DIVISOR: u64 = 244_140_625;
    let (mut quotient, mut rest) = (0, 0);
    for shift in [96, 64, 32, 0] {
        let part = (rest << 32) | u64::try_from((number >> shift) & 0xffff_ffff).unwrap_or_default();
        quotient = (quotient << 32) | u128::from(part / DIVISOR);
        rest = part % DIVISOR;
    }
    (quotient, rest)
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

/// The quotient by 10^`exponent`, at most 12. Amounts in use fit 64 bits, where a division is an instruction.
pub(super) fn by_power(number: u128, exponent: u32) -> u128 {
    match u64::try_from(number) {
        Ok(number) => u128::from(number / POWERS[exponent as usize]),
        Err(_) => number / u128::from(POWERS[exponent as usize]),
    }
}

/// Whether 10^`exponent`, at most 12, divides `number`.
pub(super) fn is_multiple(number: u128, exponent: u32) -> bool {
    match u64::try_from(number) {
        Ok(number) => number.is_multiple_of(POWERS[exponent as usize]),
        Err(_) => number.is_multiple_of(u128::from(POWERS[exponent as usize])),
    }
}

/// 10⁰ to 10¹².
const POWERS: [u64; 13] = {
    let mut powers = [1; 13];
    let mut at = 1;
    while at < 13 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// How many times ten divides `number`, up to 15; 12 or more for zero.
pub(super) fn trailing_zeros(number: u128) -> u32 {
    match u64::try_from(number) {
        Ok(0) => 15,
        Ok(mut number) => {
            let mut zeros = 0;
            for (power, places) in [(100_000_000, 8), (10_000, 4), (100, 2), (10, 1)] {
                if number % power == 0 {
                    number /= power;
                    zeros += places;
                }
            }
            zeros
        }
        Err(_) => {
            let (mut number, mut zeros) = (number, 0);
            for (power, places) in [(100_000_000, 8), (10_000, 4), (100, 2), (10, 1)] {
                if number % power == 0 {
                    number /= power;
                    zeros += places;
                }
            }
            zeros
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn division_by_the_scale_equals_the_machines(number in any::<u128>(), shift in 0_u32..128) {
            let number = number >> shift;
            let (quotient, rest) = by_scale(number);
            prop_assert_eq!(quotient, number / u128::from(SCALE));
            prop_assert_eq!(u128::from(rest), number % u128::from(SCALE));
        }

        #[test]
        fn division_is_exact_around_multiples_of_the_scale(multiple in any::<u64>(), around in -2_i128..3) {
            let number = (u128::from(multiple) * u128::from(SCALE)).saturating_add_signed(around);
            prop_assert_eq!(by_scale(number).0, number / u128::from(SCALE));
        }

        #[test]
        fn wide_division_undoes_the_full_product(a in any::<u128>(), b in 1_u128..(1 << 127), rest in any::<u128>()) {
            let rest = rest % b;
            let (high, low) = full_product(a, b);
            let (low, carry) = low.overflowing_add(rest);
            prop_assert_eq!(wide(high + u128::from(carry), low, b), Some((a, rest)));
        }
    }
}
