//! The guard before the full validator: references stay inside the schema, end, and do not multiply.

use std::collections::HashMap;

use gathering_core::SchemaError;
use gathering_core::json::escape_pointer;
use serde_json::Value;

/// The most subschemas that may apply to one and the same value. `allOf` over references doubles with each level.
const MAX_WORK: u64 = 10_000;

/// Keywords whose subschemas apply to the same value as the schema they stand in.
const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const IN_PLACE: [&str; 4] = ["not", "if", "then", "else"];

/// Checks every `$ref` of `schema`: it names a place in the same schema, it does not lead back to itself without
/// going down into the value, and following all of them is bounded.
pub(super) fn check(schema: &Value) -> Result<(), SchemaError> {
    let mut work = Work { root: schema, known: HashMap::new() };
    let mut left = vec![(schema, String::new())];
    while let Some((value, pointer)) = left.pop() {
        match value {
            Value::Object(map) => {
                for keyword in ["$dynamicRef", "$recursiveRef"] {
                    if map.get(keyword).is_some_and(Value::is_string) {
                        let reason = format!("`{keyword}` is not supported: use `$ref` with a JSON pointer");
                        return Err(SchemaError::new(pointer, reason));
                    }
                }
                if map.get("$ref").is_some_and(Value::is_string)
                    || IN_PLACE_LISTS.iter().any(|k| map.contains_key(*k))
                {
                    work.of(value, &pointer, 0)?;
                }
                left.extend(
                    map.iter().map(|(key, item)| (item, format!("{pointer}/{}", escape_pointer(key)))),
                );
            }
            Value::Array(items) => {
                left.extend(items.iter().enumerate().map(|(at, item)| (item, format!("{pointer}/{at}"))));
            }
            _ => {}
        }
    }
    Ok(())
}

struct Work<'a> {
    root: &'a Value,
    /// By the address of the subschema; `None` while it is being counted, so that a cycle shows.
    known: HashMap<*const Value, Option<u64>>,
}

impl<'a> Work<'a> {
    /// How many subschemas apply to a value to which `schema` does.
    fn of(&mut self, schema: &'a Value, pointer: &str, depth: usize) -> Result<u64, SchemaError> {
        let Value::Object(map) = schema else { return Ok(1) };
        match self.known.get(&std::ptr::from_ref(schema)) {
            Some(Some(work)) => return Ok(*work),
            Some(None) => {
                return Err(SchemaError::new(pointer, "`$ref` leads back to itself without an end"));
            }
            None if depth > 500 => {
                return Err(SchemaError::new(pointer, "`$ref`s are chained deeper than 500"));
            }
            None => {}
        }
        self.known.insert(schema, None);
        let mut work: u64 = 1;
        if let Some(Value::String(reference)) = map.get("$ref") {
            let target = resolve(self.root, reference)
                .map_err(|reason| SchemaError::new(format!("{pointer}/$ref"), reason))?;
            work = work.saturating_add(self.of(target, pointer, depth + 1)?);
        }
        for keyword in IN_PLACE_LISTS {
            if let Some(Value::Array(schemas)) = map.get(keyword) {
                for schema in schemas {
                    work = work.saturating_add(self.of(schema, pointer, depth + 1)?);
                }
            }
        }
        for keyword in IN_PLACE {
            if let Some(schema) = map.get(keyword) {
                work = work.saturating_add(self.of(schema, pointer, depth + 1)?);
            }
        }
        if let Some(Value::Object(schemas)) = map.get("dependentSchemas") {
            for schema in schemas.values() {
                work = work.saturating_add(self.of(schema, pointer, depth + 1)?);
            }
        }
        if work > MAX_WORK {
            let reason = format!("more than {MAX_WORK} subschemas would apply to one value");
            return Err(SchemaError::new(pointer, reason));
        }
        self.known.insert(schema, Some(work));
        Ok(work)
    }
}

fn resolve<'a>(root: &'a Value, reference: &str) -> Result<&'a Value, String> {
    let Some(pointer) = reference.strip_prefix('#') else {
        let shown: String = reference.chars().take(100).flat_map(char::escape_debug).collect();
        return Err(format!(
            "`{shown}` lies outside of the schema, and nothing is ever fetched: copy it into `$defs`"
        ));
    };
    // A schema in a URI fragment is percent-encoded; names of definitions hardly ever need it.
    root.pointer(pointer)
        .ok_or_else(|| format!("`{reference}` names nothing in the schema; use `#/$defs/NAME`"))
}
