//! Floats as CPython computes them: division, remainders, rounding and logarithms that are right to the last bit.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{FromPrimitive, One, Signed, ToPrimitive, Zero};

/// Compares a finite float with an integer, exactly.
pub(super) fn compare(float: f64, int: &BigInt) -> Ordering {
    let whole = BigInt::from_f64(float.trunc()).expect("a finite float has a whole part");
    whole.cmp(int).then_with(|| float.fract().partial_cmp(&0.0).expect("it is finite"))
}

/// The quotient of two integers, rounded once to the nearest float; infinite if it is too large. `divisor` is not zero.
pub(super) fn quotient(dividend: &BigInt, divisor: &BigInt) -> f64 {
    let sign = if dividend.is_negative() == divisor.is_negative() { 1.0 } else { -1.0 };
    let (dividend, divisor) = (dividend.abs(), divisor.abs());
    if dividend.is_zero() {
        return 0.0;
    }
    let bits = |value: &BigInt| i64::try_from(value.bits()).expect("integers are limited");
    // The quotient times 2^shift has 53 bits, or fewer where floats have: below 2^-1022 their steps are 2^-1074.
    let mut shift = (53 - bits(&dividend) + bits(&divisor)).min(1074);
    let (mut whole, mut rest, mut by) = divided(&dividend, &divisor, shift);
    if whole.bits() > 53 {
        shift -= 1;
        (whole, rest, by) = divided(&dividend, &divisor, shift);
    }
    let twice: BigInt = rest * 2;
    match twice.cmp(&by) {
        Ordering::Greater => whole += 1,
        Ordering::Equal if whole.is_odd() => whole += 1,
        _ => {}
    }
    sign * scaled(whole.to_f64().expect("53 bits are a float"), -shift)
}

/// `dividend * 2^shift / divisor`: the whole part, the rest, and what the rest is a part of.
fn divided(dividend: &BigInt, divisor: &BigInt, shift: i64) -> (BigInt, BigInt, BigInt) {
    let (above, below) = match usize::try_from(shift) {
        Ok(up) => (dividend << up, divisor.clone()),
        Err(_) => (dividend.clone(), divisor << shift.unsigned_abs()),
    };
    let (whole, rest) = above.div_rem(&below);
    (whole, rest, below)
}

/// `value * 2^exponent` where that is a float exactly, else infinite.
fn scaled(value: f64, exponent: i64) -> f64 {
    let mut scaled = value;
    let mut left = exponent.clamp(-2200, 2200) as i32;
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        scaled *= 2f64.powi(step);
        left -= step;
    }
    scaled
}

/// `//` and `%` of floats (CPython, `_float_div_mod`). `divisor` is not zero.
pub(super) fn div_mod(dividend: f64, divisor: f64) -> (f64, f64) {
    let mut remainder = dividend % divisor;
    let mut quotient = (dividend - remainder) / divisor;
    if remainder == 0.0 {
        remainder = 0f64.copysign(divisor);
    } else if (divisor < 0.0) != (remainder < 0.0) {
        remainder += divisor;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0f64.copysign(dividend / divisor), remainder);
    }
    let whole = quotient.floor();
    (if quotient - whole > 0.5 { whole + 1.0 } else { whole }, remainder)
}

/// The nearest integer, of two equally near the even one.
pub(super) fn round(value: f64) -> BigInt {
    BigInt::from_f64(value.round_ties_even()).expect("a finite float has a whole part")
}

/// The float nearest to `value` rounded to `digits` decimal places. Exact decimals decide, as in Python.
pub(super) fn round_to(value: f64, digits: i64) -> f64 {
    match digits {
        // No float has digits there.
        324.. => value,
        0.. => format!("{value:.*}", digits as usize).parse().expect("a number was written"),
        -308..0 => {
            let rounded = round_int(&whole_and_more(value), digits);
            rounded.to_f64().expect("it is as large as a float").copysign(value)
        }
        _ => 0f64.copysign(value),
    }
}

/// The whole part, made one larger or smaller if it would fall on a tie that the fraction breaks.
fn whole_and_more(value: f64) -> BigInt {
    let whole = BigInt::from_f64(value.trunc()).expect("a finite float has a whole part");
    // A tie at a place left of the point is a multiple of 5; one more or less than it is none.
    let fraction = value.fract();
    if fraction != 0.0 && (&whole % 5u8).is_zero() {
        return whole + if fraction > 0.0 { 1 } else { -1 };
    }
    whole
}

/// `value` rounded to a multiple of `10^-digits`, of two equally near ones to the even. `digits` is negative.
pub(super) fn round_int(value: &BigInt, digits: i64) -> BigInt {
    let Ok(places) = u32::try_from(-digits) else { return BigInt::zero() };
    // More places than the number has digits.
    if u64::from(places) > value.bits() / 3 + 1 {
        return BigInt::zero();
    }
    let unit = num_traits::pow(BigInt::from(10), places as usize);
    let (mut whole, rest) = value.div_mod_floor(&unit);
    let twice: BigInt = rest * 2;
    match twice.cmp(&unit) {
        Ordering::Greater => whole += BigInt::one(),
        Ordering::Equal if whole.is_odd() => whole += BigInt::one(),
        _ => {}
    }
    whole * unit
}

/// A logarithm of an integer that may be larger than any float: `log` is that of a float, `log_2` that of 2.
pub(super) fn log_int(value: &BigInt, log: impl Fn(f64) -> f64) -> f64 {
    match value.to_f64() {
        Some(float) if float.is_finite() => log(float),
        _ => {
            let shift = value.bits() - 60;
            let top = (value >> shift).to_f64().expect("60 bits are a float");
            // As CPython does it: the mantissa lies between 0.5 and 1.
            log(top / 2f64.powi(60)) + log(2.0) * (shift + 60) as f64
        }
    }
}
