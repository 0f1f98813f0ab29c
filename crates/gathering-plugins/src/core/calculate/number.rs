//! Numbers as Python has them: integers of any size, floats, booleans; and what is done to them within limits.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

use super::float;

/// The most bits an integer may have: some 9,800 digits.
pub(super) const MAX_BITS: u64 = 32_768;
/// The most work on large integers that one expression may cause, in operations on 64-bit words: 20 ms at most.
const MAX_WORK: u64 = 20_000_000;

/// A value of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    /// An integer, exact.
    Int(BigInt),
    /// A float, always finite.
    Float(f64),
    /// The outcome of a comparison; counts as 0 or 1.
    Bool(bool),
}

/// What went wrong, without its place.
pub(super) type Outcome<T> = Result<T, String>;

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value.into())
    }
}

/// Two numbers of one kind, as an operator takes them.
enum Pair {
    Ints(BigInt, BigInt),
    Floats(f64, f64),
}

impl Number {
    /// A float, refused if it is not finite.
    pub(super) fn float(value: f64) -> Outcome<Self> {
        match value {
            value if value.is_nan() => Err("the result is not a number".into()),
            value if value.is_infinite() => Err("the result is too large for a float".into()),
            value => Ok(Self::Float(value)),
        }
    }

    /// The integer, if it is one.
    pub(super) fn into_int(self) -> Option<BigInt> {
        match self {
            Self::Int(value) => Some(value),
            Self::Bool(value) => Some(BigInt::from(u8::from(value))),
            Self::Float(_) => None,
        }
    }

    /// The number as a float, rounded to the nearest.
    pub(super) fn to_float(&self) -> Outcome<f64> {
        match self {
            Self::Float(value) => Ok(*value),
            Self::Bool(value) => Ok(f64::from(u8::from(*value))),
            Self::Int(value) => match value.to_f64() {
                Some(float) if float.is_finite() => Ok(float),
                _ => Err("the integer is too large to be turned into a float".into()),
            },
        }
    }

    fn pair(self, other: Self) -> Outcome<Pair> {
        if let (Self::Float(_), _) | (_, Self::Float(_)) = (&self, &other) {
            return Ok(Pair::Floats(self.to_float()?, other.to_float()?));
        }
        let int = |number: Self| number.into_int().expect("it is no float");
        Ok(Pair::Ints(int(self), int(other)))
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Float(value) => Self::Float(-value),
            other => Self::Int(-other.into_int().expect("it is no float")),
        }
    }

    /// `+5` and `+True` are 5 and 1.
    pub(super) fn plain(self) -> Self {
        match self {
            Self::Bool(value) => Self::from(i64::from(value)),
            other => other,
        }
    }

    /// Which is larger, exactly, whatever their kinds.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let int = |number: &Self| number.clone().into_int().expect("it is no float");
        match (self, other) {
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right).expect("floats are finite"),
            (Self::Float(left), right) => float::compare(*left, &int(right)),
            (left, Self::Float(right)) => float::compare(*right, &int(left)).reverse(),
            (left, right) => int(left).cmp(&int(right)),
        }
    }
}

/// Does the arithmetic of one expression and counts what it costs.
pub(super) struct Arithmetic {
    left: u64,
}

impl Arithmetic {
    pub(super) fn new() -> Self {
        Self { left: MAX_WORK }
    }

    /// Takes `words` operations on 64-bit words from what is left.
    pub(super) fn spend(&mut self, words: u64) -> Outcome<()> {
        self.left = self.left.checked_sub(words).ok_or("the calculation takes too much work")?;
        Ok(())
    }

    pub(super) fn add(&mut self, left: Number, right: Number) -> Outcome<Number> {
        match left.pair(right)? {
            Pair::Ints(left, right) => {
                fits(left.bits().max(right.bits()) + 1).map(|()| Number::Int(left + right))
            }
            Pair::Floats(left, right) => Number::float(left + right),
        }
    }

    pub(super) fn subtract(&mut self, left: Number, right: Number) -> Outcome<Number> {
        match left.pair(right)? {
            Pair::Ints(left, right) => {
                fits(left.bits().max(right.bits()) + 1).map(|()| Number::Int(left - right))
            }
            Pair::Floats(left, right) => Number::float(left - right),
        }
    }

    pub(super) fn multiply(&mut self, left: Number, right: Number) -> Outcome<Number> {
        match left.pair(right)? {
            Pair::Ints(left, right) => {
                // One bit less is possible, and refusing that is no loss.
                fits(left.bits() + right.bits())?;
                self.spend(words(&left) * words(&right))?;
                Ok(Number::Int(left * right))
            }
            Pair::Floats(left, right) => Number::float(left * right),
        }
    }

    /// `/`: a float, also of two integers, rounded once.
    pub(super) fn divide(&mut self, left: Number, right: Number) -> Outcome<Number> {
        match left.pair(right)? {
            Pair::Ints(_, right) if right.is_zero() => Err("division by zero".into()),
            Pair::Ints(left, right) => {
                self.spend((words(&left) + words(&right)).pow(2))?;
                Number::float(float::quotient(&left, &right))
            }
            Pair::Floats(_, 0.0) => Err("division by zero".into()),
            Pair::Floats(left, right) => Number::float(left / right),
        }
    }

    /// `//`: rounded towards minus infinity.
    pub(super) fn floor_divide(&mut self, left: Number, right: Number) -> Outcome<Number> {
        match left.pair(right)? {
            Pair::Ints(_, right) if right.is_zero() => Err("division by zero".into()),
            Pair::Ints(left, right) => {
                self.spend(words(&left) * words(&right))?;
                Ok(Number::Int(left.div_floor(&right)))
            }
            Pair::Floats(_, 0.0) => Err("division by zero".into()),
            Pair::Floats(left, right) => Number::float(float::div_mod(left, right).0),
        }
    }

    /// `%`: has the sign of the divisor.
    pub(super) fn remainder(&mut self, left: Number, right: Number) -> Outcome<Number> {
        match left.pair(right)? {
            Pair::Ints(_, right) if right.is_zero() => Err("division by zero".into()),
            Pair::Ints(left, right) => {
                self.spend(words(&left) * words(&right))?;
                Ok(Number::Int(left.mod_floor(&right)))
            }
            Pair::Floats(_, 0.0) => Err("division by zero".into()),
            Pair::Floats(left, right) => Number::float(float::div_mod(left, right).1),
        }
    }

    /// `left % of right`: exact if it comes out even, else a float.
    pub(super) fn percent(&mut self, left: Number, right: Number) -> Outcome<Number> {
        let hundred = BigInt::from(100);
        match self.multiply(left, right)? {
            Number::Int(product) if product.is_multiple_of(&hundred) => Ok(Number::Int(product / hundred)),
            product => self.divide(product, Number::Int(hundred)),
        }
    }

    /// `**`: a float if an exponent is negative; never a complex number.
    pub(super) fn power(&mut self, base: Number, exponent: Number) -> Outcome<Number> {
        match base.pair(exponent)? {
            Pair::Ints(base, exponent) if !exponent.is_negative() => self.int_power(base, &exponent),
            Pair::Ints(base, exponent) => {
                float_power(Number::Int(base).to_float()?, Number::Int(exponent).to_float()?)
            }
            Pair::Floats(base, exponent) => float_power(base, exponent),
        }
    }

    fn int_power(&mut self, base: BigInt, exponent: &BigInt) -> Outcome<Number> {
        if exponent.is_zero() || base.is_one() {
            return Ok(Number::from(1));
        }
        if base.is_zero() {
            return Ok(Number::from(0));
        }
        if base == -BigInt::one() {
            return Ok(Number::from(if exponent.is_even() { 1 } else { -1 }));
        }
        // The result has more than this many bits, so that nothing too large is ever begun.
        let least = exponent.to_u64().and_then(|times| (base.bits() - 1).checked_mul(times));
        let times = match (least, exponent.to_u32()) {
            (Some(bits), Some(times)) if bits < MAX_BITS => times,
            _ => return Err(too_large()),
        };
        fits(base.bits().saturating_mul(u64::from(times)).min(MAX_BITS))?;
        self.spend((base.bits() * u64::from(times) / 64 + 1).pow(2))?;
        let result = base.pow(times);
        fits(result.bits()).map(|()| Number::Int(result))
    }

    pub(super) fn factorial(&mut self, of: &BigInt) -> Outcome<Number> {
        if of.is_negative() {
            return Err("`factorial` takes no negative numbers".into());
        }
        let mut product = BigInt::one();
        // 3,100! has more bits than an integer may have.
        for factor in 2..=of.to_u64().filter(|of| *of < 3_100).ok_or_else(too_large)? {
            product *= factor;
            self.spend(words(&product))?;
        }
        fits(product.bits()).map(|()| Number::Int(product))
    }

    pub(super) fn gcd(&mut self, left: &BigInt, right: &BigInt) -> Outcome<BigInt> {
        self.spend((left.bits() + right.bits()) * (words(left) + words(right)))?;
        Ok(left.gcd(right))
    }
}

fn float_power(base: f64, exponent: f64) -> Outcome<Number> {
    if base == 0.0 && exponent < 0.0 {
        return Err("zero cannot be raised to a negative power".into());
    }
    if base < 0.0 && exponent.fract() != 0.0 {
        return Err(
            "a negative number raised to a fraction is a complex number, which is not supported".into()
        );
    }
    Number::float(base.powf(exponent))
}

fn words(value: &BigInt) -> u64 {
    value.bits() / 64 + 1
}

fn fits(bits: u64) -> Outcome<()> {
    if bits <= MAX_BITS { Ok(()) } else { Err(too_large()) }
}

pub(super) fn too_large() -> String {
    format!("the result is too large: integers may have {MAX_BITS} bits, some 9,800 digits")
}
