//! Compiled schemas: what checks arguments and results on the path of a call, and fills in defaults.

mod full;
mod program;
mod references;

use gathering_core::{ArgumentError, Schema, SchemaError};
use serde_json::{Map, Value};

use full::FullValidator;
use program::Node;

/// The most errors that are listed; after that many, whoever reads them has enough to do.
const MAX_ERRORS: usize = 20;

/// A compiled schema.
///
/// Most schemas of tools use few keywords; those run as a small program of ours. A schema that uses others is checked
/// by the full validator, which is built by the first call that needs it, since it weighs kilobytes.
#[derive(Debug, Default)]
pub struct Check {
    root: Option<Node>,
    full: Option<Box<FullValidator>>,
}

impl Check {
    /// Compiles `schema`, or says what is wrong with it and where. Nothing is ever fetched.
    pub fn compile(schema: &Schema) -> Result<Self, SchemaError> {
        if schema.is_any() {
            return Ok(Self::default());
        }
        let value = schema.to_value();
        let mut needs_full = false;
        let root = program::compile(&value, "", &mut needs_full)?;
        let full = if needs_full { Some(Box::new(FullValidator::new(schema, &value)?)) } else { None };
        let check = Self { root: Some(root), full };
        check.check_defaults()?;
        Ok(check)
    }

    /// Whether it takes everything.
    pub fn is_any(&self) -> bool {
        self.root.is_none()
    }

    /// Fills in the defaults of arguments that were left out, then checks them all.
    pub fn arguments(&self, arguments: &mut Map<String, Value>) -> Result<(), Vec<ArgumentError>> {
        let Some(root) = &self.root else { return Ok(()) };
        root.fill_defaults(arguments);
        if let Some(full) = &self.full {
            // The validator reads a value; moving the map in and out of one copies nothing.
            let value = Value::Object(std::mem::take(arguments));
            let checked = full.check(&value);
            if let Value::Object(map) = value {
                *arguments = map;
            }
            return checked;
        }
        let mut errors = Vec::new();
        root.check_object(arguments, &mut program::Path::root(), &mut errors);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Checks a result.
    pub fn value(&self, value: &Value) -> Result<(), Vec<ArgumentError>> {
        let Some(root) = &self.root else { return Ok(()) };
        if let Some(full) = &self.full {
            return full.check(value);
        }
        let mut errors = Vec::new();
        root.check(value, &mut program::Path::root(), &mut errors);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// A default that its own schema refuses would make every call without it fail.
    fn check_defaults(&self) -> Result<(), SchemaError> {
        match &self.root {
            Some(root) if self.full.is_none() => root.check_defaults(""),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
