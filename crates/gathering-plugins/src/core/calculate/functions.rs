//! The functions and constants of an expression, with the meaning they have in Python and its module `math`.

use std::cmp::Ordering;
use std::f64::consts::{E, PI, TAU};

use num_bigint::BigInt;
use num_traits::{FromPrimitive, Signed, ToPrimitive};

use super::float;
use super::number::{Arithmetic, Number, Outcome};

/// The functions, for messages.
const FUNCTIONS: [&str; 20] = [
    "sqrt",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "log",
    "log10",
    "exp",
    "abs",
    "round",
    "floor",
    "ceil",
    "min",
    "max",
    "pow",
    "factorial",
    "gcd",
];

pub(super) fn constant(name: &str) -> Option<f64> {
    match name {
        "pi" => Some(PI),
        "e" => Some(E),
        "tau" => Some(TAU),
        _ => None,
    }
}

pub(super) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

pub(super) fn unknown(name: &str) -> String {
    let shown: String = name.chars().take(32).collect();
    format!("there is no `{shown}`: the functions are {}, the constants pi, e and tau", FUNCTIONS.join(", "))
}

/// Calls a function of [`FUNCTIONS`].
pub(super) fn call(name: &str, arguments: Vec<Number>, arithmetic: &mut Arithmetic) -> Outcome<Number> {
    let given = arguments.len();
    let expected = |what: &str| format!("`{name}` takes {what}, and {given} were given");
    match name {
        "min" | "max" if given < 2 => return Err(expected("two or more numbers")),
        "min" => return Ok(best(arguments, Ordering::Less)),
        "max" => return Ok(best(arguments, Ordering::Greater)),
        "gcd" => return gcd(arguments, arithmetic),
        _ => {}
    }
    let mut arguments = arguments.into_iter();
    match (name, arguments.next(), arguments.next(), arguments.next()) {
        ("log", Some(x), None, None) => log("log", &x, f64::ln).and_then(Number::float),
        ("log", Some(x), Some(base), None) => {
            let (x, base) = (log("log", &x, f64::ln)?, log("log", &base, f64::ln)?);
            if base == 0.0 {
                return Err("the base of a logarithm cannot be 1".into());
            }
            Number::float(x / base)
        }
        ("log", ..) => Err(expected("a number and perhaps a base")),
        ("round", Some(x), None, None) => Ok(round(x)),
        ("round", Some(x), Some(digits), None) => round_to(x, digits),
        ("round", ..) => Err(expected("a number and perhaps how many decimal places")),
        ("atan2", Some(y), Some(x), None) => Number::float(y.to_float()?.atan2(x.to_float()?)),
        ("pow", Some(base), Some(exponent), None) => arithmetic.power(base, exponent),
        ("atan2" | "pow", ..) => Err(expected("two numbers")),
        (_, Some(x), None, None) => one(name, x, arithmetic),
        _ => Err(expected("one number")),
    }
}

/// The functions of one number.
fn one(name: &str, x: Number, arithmetic: &mut Arithmetic) -> Outcome<Number> {
    match name {
        "abs" => Ok(match x {
            Number::Float(x) => Number::Float(x.abs()),
            x => Number::Int(x.into_int().expect("it is no float").abs()),
        }),
        "floor" => whole(x, f64::floor),
        "ceil" => whole(x, f64::ceil),
        "factorial" => arithmetic.factorial(&int("factorial", x)?),
        "log10" => log("log10", &x, f64::log10).and_then(Number::float),
        "exp" => Number::float(x.to_float()?.exp()),
        "sin" => Number::float(x.to_float()?.sin()),
        "cos" => Number::float(x.to_float()?.cos()),
        "tan" => Number::float(x.to_float()?.tan()),
        "atan" => Number::float(x.to_float()?.atan()),
        "sqrt" => within("sqrt", x.to_float()?, 0.0, f64::INFINITY, f64::sqrt),
        "asin" => within("asin", x.to_float()?, -1.0, 1.0, f64::asin),
        "acos" => within("acos", x.to_float()?, -1.0, 1.0, f64::acos),
        _ => Err(unknown(name)),
    }
}

fn within(name: &str, x: f64, least: f64, most: f64, function: fn(f64) -> f64) -> Outcome<Number> {
    if (least..=most).contains(&x) {
        return Number::float(function(x));
    }
    if most.is_infinite() {
        return Err(format!("`{name}` takes numbers from {least} on, not {x}"));
    }
    Err(format!("`{name}` takes numbers from {least} to {most}, not {x}"))
}

fn int(name: &str, x: Number) -> Outcome<BigInt> {
    x.into_int().ok_or_else(|| format!("`{name}` takes integers only"))
}

fn whole(x: Number, function: fn(f64) -> f64) -> Outcome<Number> {
    Ok(Number::Int(match x {
        Number::Float(x) => BigInt::from_f64(function(x)).expect("a finite float has a whole part"),
        x => x.into_int().expect("it is no float"),
    }))
}

/// The first of those that no other beats.
fn best(numbers: Vec<Number>, wanted: Ordering) -> Number {
    numbers
        .into_iter()
        .reduce(|best, next| if next.compare(&best) == wanted { next } else { best })
        .expect("there are two or more")
}

/// `gcd()` is 0, as in Python.
fn gcd(numbers: Vec<Number>, arithmetic: &mut Arithmetic) -> Outcome<Number> {
    let mut divisor: Option<BigInt> = None;
    for number in numbers {
        let number = int("gcd", number)?;
        divisor = Some(match divisor {
            Some(divisor) => arithmetic.gcd(&divisor, &number)?,
            None => number.abs(),
        });
    }
    Ok(Number::Int(divisor.unwrap_or_default()))
}

fn log(name: &str, x: &Number, log: fn(f64) -> f64) -> Outcome<f64> {
    if x.compare(&Number::from(0)) != Ordering::Greater {
        return Err(format!("`{name}` takes positive numbers only"));
    }
    Ok(match x {
        Number::Int(x) => float::log_int(x, log),
        x => log(x.to_float()?),
    })
}

fn round(x: Number) -> Number {
    Number::Int(match x {
        Number::Float(x) => float::round(x),
        x => x.into_int().expect("it is no float"),
    })
}

fn round_to(x: Number, digits: Number) -> Outcome<Number> {
    let digits = int("round", digits)?;
    // Beyond this, all numbers are alike.
    let digits = digits.to_i64().unwrap_or(if digits.is_negative() { i64::MIN } else { i64::MAX });
    match x {
        Number::Float(x) => Number::float(float::round_to(x, digits)),
        x => {
            let x = x.into_int().expect("it is no float");
            Ok(Number::Int(if digits >= 0 { x } else { float::round_int(&x, digits.max(-100_000)) }))
        }
    }
}
