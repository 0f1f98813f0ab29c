//! Numbers as the tools take and give them: exact decimals, written as JSON numbers.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

use crate::Failure;
use crate::base::shown;

/// An exact decimal: a JSON number, or a text such as `"1234.5678"` where its digits are more than a float holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Amount(pub(super) Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            other => return Err(D::Error::custom(format!("expected a number, not {other}"))),
        };
        decimal(&text).map(Self).ok_or_else(|| {
            let shown = shown(&text);
            D::Error::custom(format!(
                "`{shown}` is no decimal number of at most 28 digits, such as `1234.56`"
            ))
        })
    }
}

/// A decimal number, plain or with an exponent.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// The decimal as a float, the nearest.
pub(super) fn float(decimal: Decimal) -> f64 {
    decimal.to_string().parse().expect("a decimal is written as a float is")
}

/// The decimal as a JSON number with just its digits.
pub(super) fn number(decimal: Decimal) -> Value {
    Number::from_f64(float(decimal.normalize())).map_or(Value::Null, Value::Number)
}

/// Money, rounded half to even to hundredths.
pub(super) fn money(decimal: Decimal) -> Value {
    number(decimal.round_dp(2))
}

/// What to say where a result has more digits than decimals hold.
pub(super) fn too_large() -> Failure {
    "the amounts are too large: a result has at most 28 digits".into()
}

/// The schema of an [`Amount`].
pub(super) fn amount_schema(description: &str) -> Value {
    serde_json::json!({"type": ["number", "string"], "description": description})
}
