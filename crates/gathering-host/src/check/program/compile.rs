//! Compiling a schema to the check program, or saying what is wrong with it and where.

use gathering_core::SchemaError;
use gathering_core::json::escape_pointer;
use serde_json::{Map, Number, Value};

use super::{ANY, Node, ObjectRules, Others, Preset, Property, Rule, TYPES};

/// Keywords that assert something which this program does not check.
const FOR_THE_FULL_VALIDATOR: [&str; 26] = [
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "$anchor",
    "$dynamicAnchor",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependentRequired",
    "dependencies",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "propertyNames",
    "patternProperties",
    "pattern",
    "multipleOf",
    "uniqueItems",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Compiles `schema`; sets `needs_full` if it uses keywords that this program does not check.
pub(in crate::check) fn compile(
    schema: &Value,
    pointer: &str,
    needs_full: &mut bool,
) -> Result<Node, SchemaError> {
    let keywords = match schema {
        Value::Bool(true) => return Ok(Node::Plain(ANY)),
        Value::Bool(false) => {
            return Ok(Node::Rules(ANY, Box::new(([Rule::Nothing].into(), None))));
        }
        Value::Object(keywords) => keywords,
        _ => return Err(SchemaError::new(pointer, "a schema must be an object or a boolean")),
    };
    let mut types = ANY;
    let mut rules = Vec::new();
    let mut takes_object_rules = false;
    for (keyword, value) in keywords {
        let at = || format!("{pointer}/{}", escape_pointer(keyword));
        let malformed = |expected: &str| SchemaError::new(at(), format!("`{keyword}` must be {expected}"));
        match keyword.as_str() {
            "type" => types = compile_types(value).map_err(|reason| SchemaError::new(at(), reason))?,
            "enum" => {
                let values = value.as_array().ok_or_else(|| malformed("an array"))?;
                rules.push(Rule::OneOf(values.clone().into()));
            }
            "const" => rules.push(Rule::OneOf([value.clone()].into())),
            "minimum" => rules.push(Rule::Minimum(number(value).ok_or_else(|| malformed("a number"))?)),
            "maximum" => rules.push(Rule::Maximum(number(value).ok_or_else(|| malformed("a number"))?)),
            "exclusiveMinimum" => rules.push(Rule::ExclusiveMinimum(
                number(value).ok_or_else(|| malformed("a number (a boolean was the rule of draft 4)"))?,
            )),
            "exclusiveMaximum" => rules.push(Rule::ExclusiveMaximum(
                number(value).ok_or_else(|| malformed("a number (a boolean was the rule of draft 4)"))?,
            )),
            "minLength" => {
                rules.push(Rule::MinLength(count(value).ok_or_else(|| malformed("a whole number"))?))
            }
            "maxLength" => {
                rules.push(Rule::MaxLength(count(value).ok_or_else(|| malformed("a whole number"))?))
            }
            "minItems" => {
                rules.push(Rule::MinItems(count(value).ok_or_else(|| malformed("a whole number"))?))
            }
            "maxItems" => {
                rules.push(Rule::MaxItems(count(value).ok_or_else(|| malformed("a whole number"))?))
            }
            "items" => {
                if value.is_array() {
                    let reason = "`items` must be a schema; for one schema per place, use `prefixItems`";
                    return Err(SchemaError::new(at(), reason));
                }
                rules.push(Rule::Items(compile(value, &at(), needs_full)?));
            }
            "minProperties" => {
                rules.push(Rule::MinProperties(count(value).ok_or_else(|| malformed("a whole number"))?))
            }
            "maxProperties" => {
                rules.push(Rule::MaxProperties(count(value).ok_or_else(|| malformed("a whole number"))?))
            }
            "properties" | "required" | "additionalProperties" => takes_object_rules = true,
            other if FOR_THE_FULL_VALIDATOR.contains(&other) => *needs_full = true,
            // The rest asserts nothing: annotations, `format` among them, and unknown keywords (JSON Schema 2020-12,
            // Core, section 6.5, and Validation, section 7).
            _ => {}
        }
    }
    let object = takes_object_rules.then(|| compile_object(keywords, pointer, needs_full)).transpose()?;
    Ok(match object {
        None if rules.is_empty() => Node::Plain(types),
        Some(object) if rules.is_empty() => Node::Object(types, Box::new(object)),
        object => Node::Rules(types, Box::new((rules.into(), object))),
    })
}

fn compile_types(value: &Value) -> Result<u8, String> {
    let one = |name: &Value| {
        let found = name.as_str().and_then(|name| TYPES.iter().find(|(known, _)| *known == name));
        found.map(|(_, bit)| *bit).ok_or_else(|| {
            let known: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
            format!("{name} is not a type of JSON Schema: use {}", known.join(", "))
        })
    };
    match value {
        Value::Array(names) if names.is_empty() => Err("`type` must name at least one type".into()),
        Value::Array(names) => names.iter().try_fold(0, |types, name| match one(name)? {
            bit if types & bit != 0 => Err(format!("{name} stands twice in `type`")),
            bit => Ok(types | bit),
        }),
        name => one(name),
    }
}

fn compile_object(
    keywords: &Map<String, Value>,
    pointer: &str,
    needs_full: &mut bool,
) -> Result<ObjectRules, SchemaError> {
    let malformed = |keyword: &str, expected: &str| {
        SchemaError::new(format!("{pointer}/{keyword}"), format!("`{keyword}` must be {expected}"))
    };
    let mut required: Vec<Box<str>> = Vec::new();
    if let Some(value) = keywords.get("required") {
        let names = value.as_array().ok_or_else(|| malformed("required", "an array of names"))?;
        for name in names {
            required.push(name.as_str().ok_or_else(|| malformed("required", "an array of names"))?.into());
        }
    }
    required.sort();
    if required.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(malformed("required", "an array of names of which none stands twice"));
    }
    let mut described = Vec::new();
    if let Some(value) = keywords.get("properties") {
        for (name, schema) in value.as_object().ok_or_else(|| malformed("properties", "an object"))? {
            let at = format!("{pointer}/properties/{}", escape_pointer(name));
            let node = compile(schema, &at, needs_full)?;
            described.push((name.as_str(), node, schema.get("default").map(Preset::new)));
        }
    }
    described.sort_by_key(|(name, ..)| *name);
    let mut names = String::new();
    let mut properties = Vec::with_capacity(described.len());
    for (name, node, default) in described {
        names.push_str(name);
        let at = required.iter().position(|held| **held == *name);
        let required = at.map(|at| required.swap_remove(at)).is_some();
        let end = u32::try_from(names.len()).expect("a schema has at most 256 KiB");
        properties.push(Property { node, default, end, required });
    }
    let others = match keywords.get("additionalProperties") {
        None | Some(Value::Bool(true)) => Others::Taken,
        // Which names are not additional hangs on this keyword too, and it is the full validator's.
        Some(Value::Bool(false)) if !keywords.contains_key("patternProperties") => Others::Refused,
        Some(schema) => {
            let node = compile(schema, &format!("{pointer}/additionalProperties"), needs_full)?;
            if keywords.contains_key("patternProperties") { Others::Taken } else { Others::Checked(node) }
        }
    };
    Ok(ObjectRules { names: names.into(), properties: properties.into(), required: required.into(), others })
}

fn number(value: &Value) -> Option<Number> {
    value.as_number().cloned()
}

/// A whole number; 2020-12 takes `2.0` for one too.
fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64))
}
