//! `calculate`: computes an arithmetic expression with the meaning it has in Python, without ever running code.

mod float;
mod functions;
mod number;
mod parser;
mod token;

#[cfg(test)]
mod tests;

use gathering_core::{CallContext, ToolOutput};
use num_traits::ToPrimitive;
use serde::Deserialize;
use serde_json::{Value, json};

use self::number::Number;
use self::parser::Mistake;
use crate::Failure;

pub(super) fn definition() -> Value {
    json!({
        "name": "calculate",
        "description": "Computes an arithmetic expression with the rules of Python: integers are exact, `/` gives a \
            float. Operators: + - * / // % ** and comparisons, which may be chained. Functions: sqrt sin cos tan asin \
            acos atan atan2 log log10 exp abs round floor ceil min max pow factorial gcd. Constants: pi e tau. \
            `15% of 200` is 30; `%` is the remainder otherwise. Angles are in radians. An integer that does not fit in \
            64 bits is returned as a string of its digits, so that no reader rounds it. Variables and code are not \
            supported.",
        "category": "utility",
        "required_competencies": ["mathematics"],
        "parameters": {
            "type": "object",
            "properties": {
                "expression": {
                    "type": "string",
                    "description": "What to compute, such as `2 * (3 + 4) ** 2`; at most 10,000 characters",
                },
            },
            "required": ["expression"],
            "additionalProperties": false,
        },
        "returns": {
            "type": ["number", "boolean", "string"],
            "description": "The result; true or false of a comparison; a string of digits for an integer beyond 64 bits",
        },
        "examples": [
            "calculate(expression='2 + 2')",
            "calculate(expression='sqrt(3**2 + 4**2)')",
            "calculate(expression='15% of 200')",
        ],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    expression: String,
}

pub(super) fn calculate(arguments: Arguments, _cx: &CallContext) -> Result<ToolOutput, Failure> {
    match parser::evaluate(&arguments.expression) {
        Ok(number) => Ok(json_of(number).into()),
        Err(mistake) => Err(described(&mistake, &arguments.expression).into()),
    }
}

/// The number as JSON. An integer beyond 64 bits is a string, since readers of JSON would round it.
fn json_of(number: Number) -> Value {
    match number {
        Number::Bool(value) => value.into(),
        Number::Float(value) => value.into(),
        Number::Int(value) => match (value.to_i64(), value.to_u64()) {
            (Some(value), _) => value.into(),
            (None, Some(value)) => value.into(),
            (None, None) => value.to_string().into(),
        },
    }
}

/// The character, or how it is written if it cannot be seen.
fn visible(character: char) -> String {
    match character {
        '\'' | '"' => character.to_string(),
        other => other.escape_debug().to_string(),
    }
}

/// The mistake, with the place where it shows.
fn described(mistake: &Mistake, expression: &str) -> String {
    let Some(at) = mistake.at else { return mistake.message.clone() };
    let column = expression[..at].chars().count() + 1;
    let mut rest = expression[at..].chars();
    let shown: String = rest.by_ref().take(20).map(visible).collect();
    match (shown.is_empty(), rest.next()) {
        (true, _) => format!("{} (at character {column}, the end)", mistake.message),
        (false, None) => format!("{} (at character {column}: `{shown}`)", mistake.message),
        (false, Some(_)) => format!("{} (at character {column}: `{shown}...`)", mistake.message),
    }
}
