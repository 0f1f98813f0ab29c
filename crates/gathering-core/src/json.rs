//! Reading JSON from strangers: nothing is rounded in silence, sizes are counted without writing.

use serde_json::Value;

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON, or nested deeper than 128.
    #[error("invalid JSON: {0}")]
    Syntax(String),
    /// An integer beyond 64 bits, which would have to be rounded.
    #[error("the integer {0} does not fit in 64 bits and would be rounded: send it as a string")]
    LargeInteger(String),
}

/// Parses a JSON text whose integers all fit in 64 bits.
///
/// Nesting deeper than 128 is refused. Of a key that comes twice the last one counts, as in JavaScript and Python.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let value = serde_json::from_slice(text).map_err(|e| JsonError::Syntax(e.to_string()))?;
    match large_integer(text) {
        Some(digits) => Err(JsonError::LargeInteger(digits)),
        None => Ok(value),
    }
}

/// Finds an integer beyond 64 bits in a text that is known to be JSON; the parser makes a rounded float of it.
fn large_integer(text: &[u8]) -> Option<String> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => {
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let start = at;
                while at < text.len() && matches!(text[at], b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') {
                    at += 1;
                }
                let number = &text[start..at];
                if number.len() >= 19 && !number.iter().any(|b| matches!(b, b'.' | b'e' | b'E')) {
                    let digits = std::str::from_utf8(number).unwrap_or_default();
                    if digits.parse::<i64>().is_err() && digits.parse::<u64>().is_err() {
                        return Some(shorten(digits));
                    }
                }
            }
            _ => at += 1,
        }
    }
    None
}

fn shorten(digits: &str) -> String {
    if digits.len() <= 40 {
        digits.to_owned()
    } else {
        format!("{}... ({} digits)", &digits[..24], digits.len())
    }
}

/// About how many bytes `value` takes as JSON text, counted without writing it; stops counting beyond `limit`.
///
/// Escapes in strings are not counted, so the text can be longer than this says.
pub fn size_up_to(value: &Value, limit: usize) -> usize {
    fn add(value: &Value, size: &mut usize, limit: usize) {
        if *size > limit {
            return;
        }
        match value {
            Value::Null | Value::Bool(true) => *size += 4,
            Value::Bool(false) => *size += 5,
            Value::Number(_) => *size += 8,
            Value::String(text) => *size += text.len() + 2,
            Value::Array(items) => {
                *size += 2 + items.len();
                for item in items {
                    add(item, size, limit);
                }
            }
            Value::Object(map) => {
                *size += 2;
                for (key, item) in map {
                    *size += key.len() + 4;
                    add(item, size, limit);
                }
            }
        }
    }
    let mut size = 0;
    add(value, &mut size, limit);
    size
}

/// Escapes a name for use as one step of a JSON pointer (RFC 6901, section 3).
pub fn escape_pointer(name: &str) -> String {
    crate::schema::escape_pointer(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_integer_beyond_64_bits_is_refused_instead_of_rounded() {
        let error = parse(br#"{"n": 123456789012345678901234567890}"#).unwrap_err();

        assert_eq!(
            error.to_string(),
            "the integer 123456789012345678901234567890 does not fit in 64 bits and would be rounded: send it as a string"
        );
        assert!(parse(b"[-9223372036854775808, 18446744073709551615]").is_ok());
        assert!(parse(b"[-9223372036854775809]").is_err());
    }

    #[test]
    fn digits_inside_strings_and_floats_are_left_alone() {
        let text =
            br#"{"a\"123456789012345678901": "999999999999999999999999", "b": 1234567890123456789012.5}"#;

        assert!(parse(text).is_ok());
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = "[".repeat(100_000) + &"]".repeat(100_000);

        assert!(matches!(parse(text.as_bytes()), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn the_size_of_plain_values_is_close_to_their_text() {
        let value = json!({"name": "x".repeat(100), "list": [1, 2, 3], "on": true});

        let size = size_up_to(&value, usize::MAX);

        assert!(size.abs_diff(value.to_string().len()) < 40, "{size}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn every_64_bit_integer_is_taken(n in any::<i64>(), m in any::<u64>()) {
            let value = parse(format!("[{n}, {m}]").as_bytes()).expect("both fit");
            prop_assert_eq!(value, json!([n, m]));
        }
    }
}
