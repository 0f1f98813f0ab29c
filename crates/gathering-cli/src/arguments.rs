//! Arguments of a tool as they are written on a command line, typed by the tool's schema.

use std::io::Read;

use serde_json::{Map, Value};

use crate::error::CliError;

/// The most bytes that are read of a file or of standard input.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// The arguments that were written as `name=value`, `name=@file` or `name:=json`, with `given` as those to begin with.
pub(crate) fn parse(
    written: &[String],
    mut given: Map<String, Value>,
    parameters: &Value,
) -> Result<Map<String, Value>, CliError> {
    for argument in written {
        let Some((name, text)) = argument.split_once('=') else {
            return Err(CliError::usage(format!(
                "`{argument}` is no argument: write name=value, name=@file for what a file holds, or name:=json"
            )));
        };
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => (name, json(name, text)?),
            None => {
                let read = text.strip_prefix('@').map(|path| read(name, path)).transpose()?;
                (name, typed(name, read.as_deref().unwrap_or(text), parameters)?)
            }
        };
        if given.insert(name.to_owned(), value).is_some() {
            return Err(CliError::usage(format!("the argument `{name}` is given twice")));
        }
    }
    Ok(given)
}

/// A JSON object that was written as one argument.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, CliError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => {
            Err(CliError::usage(format!("`{text}` is JSON, but no object: write for example '{{\"x\": 5}}'")))
        }
        Err(error) => Err(CliError::usage(format!("`{text}` is no JSON object: {error}"))),
    }
}

/// The text as what the schema wants: a text where it takes one, else JSON of the wanted type. Where the schema says
/// nothing, what reads like JSON is JSON, and everything else is a text.
fn typed(name: &str, text: &str, parameters: &Value) -> Result<Value, CliError> {
    let mut types = Vec::new();
    if let Some(schema) = parameters.pointer("/properties").and_then(|properties| properties.get(name)) {
        collect_types(schema, 0, &mut types);
    }
    if types.contains(&"string") {
        return Ok(text.into());
    }
    let parsed = serde_json::from_str::<Value>(text.trim());
    if types.is_empty() {
        return Ok(parsed.unwrap_or_else(|_| text.into()));
    }
    match parsed {
        Ok(value) if types.iter().any(|kind| is(&value, kind)) => Ok(value),
        _ => {
            let example = match types[0] {
                "integer" => "5",
                "number" => "2.5",
                "boolean" => "true",
                "array" => "'[1, 2]'",
                "object" => "'{\"a\": 1}'",
                _ => "null",
            };
            let expected = types.join(" or ");
            Err(CliError::usage(format!(
                "the argument `{name}` must be of the type {expected}, and `{text}` is not: write for example {name}={example}"
            )))
        }
    }
}

/// The types that a schema takes, as far as it says so in plain words.
fn collect_types<'a>(schema: &'a Value, depth: usize, types: &mut Vec<&'a str>) {
    if depth > 8 {
        return;
    }
    match schema.get("type") {
        Some(Value::String(kind)) => types.push(kind),
        Some(Value::Array(kinds)) => types.extend(kinds.iter().filter_map(Value::as_str)),
        _ => {}
    }
    for value in ["enum", "const"].into_iter().filter_map(|word| schema.get(word)) {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        if values.iter().any(Value::is_string) {
            types.push("string");
        }
    }
    for alternatives in ["anyOf", "oneOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()) {
        alternatives.iter().for_each(|schema| collect_types(schema, depth + 1, types));
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn json(name: &str, text: &str) -> Result<Value, CliError> {
    serde_json::from_str(text).map_err(|error| {
        CliError::usage(format!("the argument `{name}` is no JSON: {error}; write `{name}=` for a text"))
    })
}

fn read(name: &str, path: &str) -> Result<String, CliError> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().take(MAX_FILE + 1).read_to_string(&mut text),
        path => std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text)),
    };
    match read {
        Ok(length) if length as u64 > MAX_FILE => Err(CliError::usage(format!(
            "`{path}` for the argument `{name}` is larger than {MAX_FILE} bytes"
        ))),
        Ok(_) => Ok(text),
        Err(error) => Err(CliError::usage(format!(
            "`{path}` for the argument `{name}` cannot be read: {error}; a text that begins with @ is written {name}:='\"@...\"'"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(written: &[&str]) -> Result<Value, String> {
        let parameters = json!({"properties": {
            "count": {"type": "integer"}, "name": {"type": "string"}, "on": {"type": "boolean"},
            "list": {"type": "array"}, "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "mode": {"enum": ["1", "2"]}, "free": {},
        }});
        let written: Vec<_> = written.iter().map(|text| (*text).to_owned()).collect();
        let arguments = parse(&written, Map::new(), &parameters);
        arguments.map(Value::Object).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn the_schema_says_what_a_text_means() {
        let written =
            ["count=5", "name=5", "on=true", "list=[1]", "maybe=null", "mode=1", "free=x=y", "other=2"];

        assert_eq!(
            parsed(&written),
            Ok(
                json!({"count": 5, "name": "5", "on": true, "list": [1], "maybe": null, "mode": "1", "free": "x=y", "other": 2})
            )
        );
        assert_eq!(parsed(&["name:=[1, \"a\"]"]), Ok(json!({"name": [1, "a"]})));
        assert_eq!(parsed(&["name="]), Ok(json!({"name": ""})));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_an_example() {
        let reason = |written| parsed(written).expect_err("it does not fit");

        assert!(
            reason(&["count=five"])
                .contains("must be of the type integer, and `five` is not: write for example count=5")
        );
        assert!(reason(&["count"]).contains("write name=value"));
        assert!(reason(&["count=1", "count=2"]).contains("`count` is given twice"));
        assert!(reason(&["free:=x"]).contains("is no JSON"));
        assert!(reason(&["name=@/nowhere"]).contains("cannot be read"));
    }

    #[test]
    fn what_a_file_holds_is_an_argument() {
        let file = std::env::temp_dir().join(format!("gathering-argument-{}", std::process::id()));
        std::fs::write(&file, "5\n").expect("it can be written");

        let number = parsed(&[&format!("count=@{}", file.display())]);
        let text = parsed(&[&format!("name=@{}", file.display())]);

        std::fs::remove_file(&file).expect("it is there");
        assert_eq!((number, text), (Ok(json!({"count": 5})), Ok(json!({"name": "5\n"}))));
    }
}
