//! Compiled schemas: what checks arguments and results on the path of a call, and fills in defaults.

mod full;
mod program;
mod references;

use gathering_core::{ArgumentError, Schema, SchemaError};
use serde_json::{Map, Value};

use full::FullValidator;
use program::Node;
pub use program::{Look, Seen};

/// The most errors that are listed; after that many, whoever reads them has enough to do.
const MAX_ERRORS: usize = 20;

/// A compiled schema.
///
/// Most schemas of tools use few keywords; those run as a small program of ours. A schema that uses others is checked
/// by the full validator, which is built by the first call that needs it, since it weighs kilobytes.
#[derive(Debug, Default)]
pub struct Check(Kind);

#[derive(Debug, Default)]
enum Kind {
    #[default]
    TakesAll,
    Program(Node),
    Full(Box<(Node, FullValidator)>),
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
        if needs_full {
            let full = FullValidator::new(schema, &value)?;
            return Ok(Self(Kind::Full(Box::new((root, full)))));
        }
        // A default that its own schema refuses would make every call without it fail.
        root.check_defaults("")?;
        Ok(Self(Kind::Program(root)))
    }

    /// Whether it takes everything.
    pub fn is_any(&self) -> bool {
        matches!(self.0, Kind::TakesAll)
    }

    /// Fills in the defaults of arguments that were left out, then checks them all.
    pub fn arguments(&self, arguments: &mut Map<String, Value>) -> Result<(), Vec<ArgumentError>> {
        match &self.0 {
            Kind::TakesAll => Ok(()),
            Kind::Program(root) => {
                root.fill_defaults(arguments);
                all_well(|errors| root.check_object(arguments, &mut program::Path::root(), errors))
            }
            Kind::Full(both) => {
                both.0.fill_defaults(arguments);
                // The validator reads a value; moving the map in and out of one copies nothing.
                let value = Value::Object(std::mem::take(arguments));
                let checked = both.1.check(&value);
                if let Value::Object(map) = value {
                    *arguments = map;
                }
                checked
            }
        }
    }

    /// Looks at arguments of another language as they are. If they surely fit once the defaults of what was left out are
    /// added, gives those; if it gives nothing, [`Check::arguments`] of their form in JSON tells.
    pub fn look(&self, arguments: &impl Look) -> Option<Vec<(&str, Value)>> {
        let mut missing = Vec::new();
        match &self.0 {
            Kind::TakesAll => Some(missing),
            Kind::Program(root) => root.look_at_arguments(arguments, &mut missing).then_some(missing),
            Kind::Full(_) => None,
        }
    }

    /// Whether a value of another language surely fits as it is; if not, [`Check::value`] of its form in JSON tells.
    pub fn surely_takes(&self, value: &impl Look) -> bool {
        match &self.0 {
            Kind::TakesAll => true,
            Kind::Program(root) => root.surely_fits(value),
            Kind::Full(_) => false,
        }
    }

    /// Whether a value that has no form in JSON may stand for the argument `name`.
    pub fn takes_anything_as(&self, name: &str) -> bool {
        match &self.0 {
            Kind::TakesAll => true,
            Kind::Program(root) => root.takes_anything_as(name),
            Kind::Full(_) => false,
        }
    }

    /// Checks a result.
    pub fn value(&self, value: &Value) -> Result<(), Vec<ArgumentError>> {
        match &self.0 {
            Kind::TakesAll => Ok(()),
            Kind::Program(root) => all_well(|errors| root.check(value, &mut program::Path::root(), errors)),
            Kind::Full(both) => both.1.check(value),
        }
    }
}

fn all_well(check: impl FnOnce(&mut Vec<ArgumentError>)) -> Result<(), Vec<ArgumentError>> {
    let mut errors = Vec::new();
    check(&mut errors);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

#[cfg(test)]
mod tests;
