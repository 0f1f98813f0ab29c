//! Data in text: JSON, JSON Lines, YAML and TOML, as values.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::decode::{may_be_text, whole};
use super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::picture;

/// The largest file, in bytes: as a value it takes many times as much.
const LARGEST: usize = 32 << 20;

/// A language for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    Json,
    JsonLines,
    Yaml,
    Toml,
}

impl Format for Data {
    fn name(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Yaml => "yaml",
            Self::Toml => "toml",
        }
    }

    fn description(&self) -> &'static str {
        match self {
            Self::Json => "JSON (RFC 8259) as data; a long array in parts",
            Self::JsonLines => "JSON Lines: one value in each line, in parts",
            Self::Yaml => "YAML, with one or several documents, as data",
            Self::Toml => "TOML as data",
        }
    }

    fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Json => &["json", "geojson", "webmanifest"],
            Self::JsonLines => &["jsonl", "ndjson"],
            Self::Yaml => &["yaml", "yml"],
            Self::Toml => &["toml"],
        }
    }

    fn media_types(&self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json"],
            Self::JsonLines => &["application/jsonl", "application/x-ndjson"],
            Self::Yaml => &["application/yaml", "text/yaml"],
            Self::Toml => &["application/toml"],
        }
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let begins = |with: &[u8]| head.trim_ascii_start().first().is_some_and(|first| with.contains(first));
        match self {
            Self::Json => may_be_text(head) && begins(b"{["),
            Self::JsonLines | Self::Yaml | Self::Toml => may_be_text(head),
        }
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let value = self.parse(source, options.encoding.as_deref())?;
        let (offset, limit) = (options.offset.unwrap_or(0), options.limit.unwrap_or(u64::MAX));
        let most = options.most();
        let Value::Array(items) = value else {
            return whole_or_shape(value, most);
        };
        let total = items.len();
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        if begin > 0 && begin >= total {
            return Err(FormatError::not_there(format!(
                "it has only {total} values, and `offset` is {offset}"
            )));
        }
        let (mut size, mut taken) = (0, Vec::new());
        for item in items.into_iter().skip(begin) {
            size += item.to_string().len() + 1;
            if taken.len() as u64 == limit || size > most && !taken.is_empty() {
                break;
            }
            taken.push(item);
        }
        if size > most && taken.len() == 1 {
            return whole_or_shape(taken.remove(0), most);
        }
        let end = begin + taken.len();
        let more = (end < total).then(|| json!({"offset": end}));
        Ok(Content { value: Some(Value::Array(taken)), more, ..Content::default() })
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let value = self.parse(source, None)?;
        let mut facts = Map::new();
        facts.insert("type".into(), kind(&value).into());
        match &value {
            Value::Array(items) => {
                facts.insert("length".into(), items.len().into());
                if let Some(first) = items.first() {
                    facts.insert("first".into(), shape(first, 2));
                }
            }
            Value::Object(members) => {
                facts.insert("length".into(), members.len().into());
                facts.insert("members".into(), shape(&value, 2));
            }
            _ => {}
        }
        facts.insert("depth".into(), depth(&value).into());
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        match self {
            Self::Json => picture::code(&format!("{:#}", self.parse(source, None)?), options),
            _ => super::text::Text.preview(source, options),
        }
    }
}

impl Data {
    fn parse(self, source: &mut Source, encoding: Option<&str>) -> Result<Value, FormatError> {
        let text = whole(source, encoding, LARGEST)?;
        self.value(&text)
    }

    /// The value that a text stands for.
    pub(super) fn value(self, text: &str) -> Result<Value, FormatError> {
        match self {
            Self::Json => serde_json::from_str(text).map_err(|error| wrong("JSON", &error)),
            Self::JsonLines => text
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.trim().is_empty())
                .map(|(number, line)| {
                    serde_json::from_str::<Value>(line).map_err(|error| {
                        FormatError::corrupt(format!("line {} is no JSON: {error}", number + 1))
                    })
                })
                .collect::<Result<Value, _>>(),
            Self::Yaml => {
                let mut documents = Vec::new();
                for document in serde_norway::Deserializer::from_str(text) {
                    let value =
                        serde_norway::Value::deserialize(document).map_err(|error| wrong("YAML", &error))?;
                    documents.push(from_yaml(value));
                }
                Ok(match documents.len() {
                    0 => Value::Null,
                    1 => documents.remove(0),
                    _ => Value::Array(documents),
                })
            }
            Self::Toml => {
                let table: toml::Table = text.parse().map_err(|error| wrong("TOML", &error))?;
                Ok(from_toml(toml::Value::Table(table)))
            }
        }
    }
}

fn wrong(language: &str, error: &dyn std::fmt::Display) -> FormatError {
    let said = error.to_string();
    let said: Vec<&str> = said.split_whitespace().collect();
    FormatError::corrupt(format!("it is no {language}: {}", said.join(" ")))
}

/// Keys that are no strings become their text.
fn from_yaml(value: serde_norway::Value) -> Value {
    use serde_norway::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => value.into(),
        Yaml::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => whole.into(),
            (_, Some(whole), _) => whole.into(),
            (_, _, Some(value)) if value.is_finite() => value.into(),
            _ => number.to_string().into(),
        },
        Yaml::String(text) => text.into(),
        Yaml::Sequence(items) => items.into_iter().map(from_yaml).collect(),
        Yaml::Mapping(members) => {
            let key = |key| match from_yaml(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(members.into_iter().map(|(name, value)| (key(name), from_yaml(value))).collect())
        }
        Yaml::Tagged(tagged) => from_yaml(tagged.value),
    }
}

/// Dates and times become their text.
fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(whole) => whole.into(),
        toml::Value::Float(value) if value.is_finite() => value.into(),
        toml::Value::Float(value) => value.to_string().into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, from_toml(value))).collect())
        }
    }
}

/// A value, or what it looks like, if it is too large.
pub(super) fn whole_or_shape(value: Value, most: usize) -> Result<Content, FormatError> {
    let size = value.to_string().len();
    if size <= most {
        return Ok(Content { value: Some(value), ..Content::default() });
    }
    let note = format!(
        "it has {size} bytes as JSON, more than the {most} that are returned: this is its shape; raise `max_bytes`"
    );
    Ok(Content { value: Some(shape(&value, 3)), notes: vec![note], ..Content::default() })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What a value looks like: the members of objects, and what the first item of an array is.
fn shape(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(members) if depth > 0 => Value::Object(
            members.iter().take(100).map(|(name, value)| (name.clone(), shape(value, depth - 1))).collect(),
        ),
        Value::Object(members) => format!("object of {}", members.len()).into(),
        Value::Array(items) => match items.first() {
            Some(first) if depth > 0 => json!([shape(first, depth - 1), format!("{} in all", items.len())]),
            _ => format!("array of {}", items.len()).into(),
        },
        value => kind(value).into(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
