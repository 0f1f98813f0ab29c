//! The full validator of JSON Schema 2020-12, for the keywords that the check program lacks.

use std::fmt;
use std::sync::OnceLock;

use gathering_core::{ArgumentError, Schema, SchemaError};
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::{MAX_ERRORS, references};

/// The most memory that one compiled pattern may take, in bytes: a repeated repetition explodes.
const PATTERN_SIZE: usize = 256 * 1024;

/// Builds its validator when it is first needed, from a schema that is known to be good.
pub(super) struct FullValidator {
    schema: Schema,
    built: OnceLock<Result<Validator, String>>,
}

impl FullValidator {
    /// Proves that `schema` is well-formed, that its references stay inside it, and that its patterns are linear.
    pub(super) fn new(schema: &Schema, value: &Value) -> Result<Self, SchemaError> {
        references::check(value)?;
        build(value)?;
        // What was built is dropped again: a registry holds many schemas and a server calls few.
        Ok(Self { schema: schema.clone(), built: OnceLock::new() })
    }

    pub(super) fn check(&self, value: &Value) -> Result<(), Vec<ArgumentError>> {
        let built =
            self.built.get_or_init(|| build(&self.schema.to_value()).map_err(|error| error.to_string()));
        let validator = match built {
            Ok(validator) => validator,
            Err(reason) => {
                return Err(vec![ArgumentError { pointer: String::new(), message: reason.clone() }]);
            }
        };
        if validator.is_valid(value) {
            return Ok(());
        }
        Err(validator.iter_errors(value).take(MAX_ERRORS).map(|error| explain(&error)).collect())
    }
}

impl fmt::Debug for FullValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FullValidator").field(&self.schema).finish()
    }
}

fn build(schema: &Value) -> Result<Validator, SchemaError> {
    if let Err(error) = jsonschema::draft202012::meta::validate(schema) {
        return Err(SchemaError::new(error.instance_path().to_string(), error.to_string()));
    }
    let patterns = PatternOptions::regex().size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns)
        .should_validate_formats(false)
        .offline()
        .build(schema)
        .map_err(|error| {
            let pointer = error.instance_path().to_string();
            let reason = if pointer.ends_with("/pattern") || pointer.contains("/patternProperties") {
                format!("{error}: patterns run in linear time, so look-around and back-references are not taken, nor are very large repetitions")
            } else {
                error.to_string()
            };
            SchemaError::new(pointer, reason)
        })
}

fn explain(error: &jsonschema::ValidationError<'_>) -> ArgumentError {
    let pointer = error.instance_path().to_string();
    let text = error.to_string();
    // The message shows the value whole; a long one would hide what is wrong with it.
    let text = if text.len() > 500 { error.masked().to_string() } else { text };
    let message = match pointer.rsplit('/').next() {
        Some(name) if !name.is_empty() && !text.contains(name) => format!("`{name}`: {text}"),
        _ => text,
    };
    ArgumentError { pointer, message }
}
