//! Schemas as data: JSON Schema 2020-12 text, or the documents' bare property map turned into it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, value::RawValue};

/// The longest a schema's JSON text may be, in bytes.
pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// The deepest a schema may be nested.
pub const MAX_SCHEMA_DEPTH: usize = 64;

/// A JSON Schema (2020-12), kept as compact JSON text because a registry holds many. Cloning is cheap.
///
/// The text is well-formed JSON, an object or a boolean, inside the limits; whether its keywords make sense is found
/// out when the host compiles it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Schema(Arc<str>);

/// Why a value is not a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at {})", if .pointer.is_empty() { "(root)" } else { .pointer })]
pub struct SchemaError {
    /// Where, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl SchemaError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }
}

impl Schema {
    /// The schema that takes everything: `{}`.
    pub fn any() -> Self {
        Self::default()
    }

    /// Takes `value` as a JSON Schema.
    pub fn new(value: &Value) -> Result<Self, SchemaError> {
        if !matches!(value, Value::Object(_) | Value::Bool(_)) {
            return Err(SchemaError::new("", format!("a schema is an object, not {}", describe(value))));
        }
        check_depth(value)?;
        let text = value.to_string();
        if text.len() > MAX_SCHEMA_BYTES {
            let reason = format!("the schema has {} bytes, more than {MAX_SCHEMA_BYTES}", text.len());
            return Err(SchemaError::new("", reason));
        }
        Ok(Self::shared(&text).unwrap_or_else(|| Self(text.into())))
    }

    /// The schemas that most tools have as `returns`, each kept once.
    fn shared(text: &str) -> Option<Self> {
        static SHARED: LazyLock<[Arc<str>; 8]> = LazyLock::new(|| {
            ["", "string", "integer", "number", "boolean", "object", "array", "null"].map(|name| match name {
                "" => "{}".into(),
                name => format!("{{\"type\":\"{name}\"}}").into(),
            })
        });
        SHARED.iter().find(|shared| ***shared == *text).cloned().map(Self)
    }

    /// Takes `value` as the parameters of a tool: a JSON Schema if `type` is a string or an array, or `$ref`,
    /// `allOf`, `anyOf` or `oneOf` is there; else a bare map of properties.
    ///
    /// A bare map becomes an object schema in which every property without a default is required and no other
    /// argument is taken. `{}` checks nothing.
    ///
    /// ```
    /// # use gathering_core::Schema;
    /// # use serde_json::json;
    /// let schema = Schema::parameters(&json!({"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}}))?;
    /// assert_eq!(schema.to_value()["required"], json!(["x"]));
    /// # Ok::<(), gathering_core::SchemaError>(())
    /// ```
    pub fn parameters(value: &Value) -> Result<Self, SchemaError> {
        match value {
            Value::Object(map) if !is_json_schema(map) && !map.is_empty() => {
                Self::new(&from_property_map(map)?)
            }
            _ => Self::new(value),
        }
    }

    /// Whether it takes everything.
    pub fn is_any(&self) -> bool {
        &*self.0 == "{}"
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The schema as a JSON value, parsed anew.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).expect("the text was written from a value")
    }

    /// The schema as all providers of models take that of arguments: `type` is `object`, and `properties` is there.
    /// Arguments are an object anyway, so this changes nothing of what fits.
    pub fn to_object_schema(&self) -> Value {
        let mut map = match self.to_value() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        map.insert("type".to_owned(), "object".into());
        map.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        Value::Object(map)
    }

    /// For the `parameters` field of a tool: takes the bare property map as well.
    pub(crate) fn deserialize_parameters<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        Self::parameters(&value).map_err(|e| serde::de::Error::custom(format!("invalid parameters: {e}")))
    }
}

impl Default for Schema {
    fn default() -> Self {
        Self::shared("{}").expect("the empty schema is one of them")
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(&Value::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

fn is_json_schema(map: &Map<String, Value>) -> bool {
    matches!(map.get("type"), Some(Value::String(_) | Value::Array(_)))
        || ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|keyword| map.contains_key(*keyword))
}

fn from_property_map(map: &Map<String, Value>) -> Result<Value, SchemaError> {
    let mut properties = Map::with_capacity(map.len());
    let mut required = Vec::new();
    for (name, property) in map {
        let mut property = property.clone();
        let mut is_required = true;
        match &mut property {
            Value::Object(keywords) => {
                is_required = !keywords.contains_key("default");
                // Draft 3 put a boolean here, and people still write it that way.
                if let Some(Value::Bool(flag)) = keywords.get("required") {
                    is_required = *flag;
                    keywords.shift_remove("required");
                }
            }
            Value::Bool(_) => {}
            other => {
                let reason = format!(
                    "the parameter `{name}` must be a schema such as {{\"type\": \"string\"}}, not {}; \
                     for a JSON Schema instead of a map of properties, add \"type\": \"object\"",
                    describe(other)
                );
                return Err(SchemaError::new(format!("/{}", escape_pointer(name)), reason));
            }
        }
        if is_required {
            required.push(Value::from(name.as_str()));
        }
        properties.insert(name.clone(), property);
    }
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema.insert("additionalProperties".into(), false.into());
    Ok(schema.into())
}

/// Walks with a list of its own, since the depth it guards against would overflow the stack of a recursion.
fn check_depth(value: &Value) -> Result<(), SchemaError> {
    let mut left = vec![(value, 1)];
    while let Some((value, depth)) = left.pop() {
        if depth > MAX_SCHEMA_DEPTH {
            return Err(SchemaError::new("", format!("the schema is nested deeper than {MAX_SCHEMA_DEPTH}")));
        }
        match value {
            Value::Array(items) => left.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => left.extend(map.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "a boolean".into(),
        Value::Number(_) => "a number".into(),
        Value::String(text) => format!("the string {:?}", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Escapes a name for use as one step of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape_pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bare_property_map_requires_what_has_no_default_and_takes_nothing_else() {
        let schema = Schema::parameters(&json!({
            "x": {"type": "integer"},
            "y": {"type": "integer", "default": 1},
        }))
        .expect("a schema");

        assert_eq!(
            schema.to_value(),
            json!({
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 1}},
                "required": ["x"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn a_parameter_may_be_called_type() {
        let schema = Schema::parameters(&json!({"type": {"type": "string"}})).expect("a schema");

        assert_eq!(schema.to_value()["properties"]["type"], json!({"type": "string"}));
    }

    #[test]
    fn a_json_schema_is_kept_as_written() {
        for written in [
            json!({"type": "object", "properties": {}}),
            json!({"anyOf": [true]}),
            json!({"type": ["object"]}),
        ] {
            assert_eq!(Schema::parameters(&written).expect("a schema").to_value(), written);
        }
    }

    #[test]
    fn a_boolean_required_inside_a_property_is_understood() {
        let schema =
            Schema::parameters(&json!({"x": {"type": "string", "required": false}})).expect("a schema");

        assert_eq!(schema.to_value().get("required"), None);
        assert_eq!(schema.to_value()["properties"]["x"], json!({"type": "string"}));
    }

    #[test]
    fn a_property_that_is_no_schema_is_refused_with_a_hint() {
        let error = Schema::parameters(&json!({"properties": {}, "required": ["x"]})).unwrap_err();

        assert_eq!(
            error.to_string(),
            "the parameter `required` must be a schema such as {\"type\": \"string\"}, not an array; \
             for a JSON Schema instead of a map of properties, add \"type\": \"object\" (at /required)"
        );
    }

    #[test]
    fn an_empty_map_checks_nothing() {
        assert!(Schema::parameters(&json!({})).expect("a schema").is_any());
    }

    #[test]
    fn a_schema_nested_too_deep_or_too_long_is_refused() {
        let mut deep = json!({});
        for _ in 0..MAX_SCHEMA_DEPTH {
            deep = json!({"not": deep});
        }

        assert!(Schema::new(&deep).unwrap_err().reason.contains("deeper than 64"));
        assert!(Schema::new(&json!({"description": "x".repeat(MAX_SCHEMA_BYTES)})).is_err());
        assert!(Schema::new(&json!(7)).is_err());
    }
}
