//! The check program: the keywords that tools use most, as a small tree that checks values.

mod compile;
mod look;

use std::borrow::Cow;
use std::cmp::Ordering;

use gathering_core::json::escape_pointer;
use gathering_core::{ArgumentError, SchemaError};
use serde_json::{Map, Number, Value};

use super::MAX_ERRORS;
pub(super) use compile::compile;
pub use look::{Look, Seen};

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const INTEGER: u8 = 4;
const NUMBER: u8 = 8;
const STRING: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;
const ANY: u8 = 127;

const TYPES: [(&str, u8); 7] = [
    ("null", NULL),
    ("boolean", BOOLEAN),
    ("integer", INTEGER),
    ("number", NUMBER),
    ("string", STRING),
    ("array", ARRAY),
    ("object", OBJECT),
];

/// The compiled form of one schema: the types it takes, and what it asks besides. A registry holds hundreds of
/// thousands, so every word of it counts.
#[derive(Debug)]
pub(super) enum Node {
    Plain(u8),
    Object(u8, Box<ObjectRules>),
    Rules(u8, Box<(Box<[Rule]>, Option<ObjectRules>)>),
}

#[derive(Debug)]
pub(super) enum Rule {
    OneOf(Box<[Value]>),
    Minimum(Number),
    Maximum(Number),
    ExclusiveMinimum(Number),
    ExclusiveMaximum(Number),
    MinLength(u64),
    MaxLength(u64),
    MinItems(u64),
    MaxItems(u64),
    MinProperties(u64),
    MaxProperties(u64),
    Items(Node),
    Nothing,
}

#[derive(Debug)]
pub(super) struct ObjectRules {
    /// The names of the properties, one after the other.
    names: Box<str>,
    /// Sorted by name.
    properties: Box<[Property]>,
    /// Names that are required without being described.
    required: Box<[Box<str>]>,
    others: Others,
}

#[derive(Debug)]
struct Property {
    node: Node,
    default: Option<Preset>,
    /// Where its name ends in the names.
    end: u32,
    required: bool,
}

/// A default. Those that most schemas have need no memory of their own.
#[derive(Debug)]
enum Preset {
    Null,
    Bool(bool),
    Integer(i64),
    Other(Box<Value>),
}

#[derive(Debug)]
enum Others {
    Taken,
    Refused,
    Checked(Node),
}

/// Where the check stands, innermost last. Written as a pointer only for an error.
pub(super) struct Path<'a>(Vec<Step<'a>>);

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl Path<'_> {
    pub(super) fn root() -> Self {
        Self(Vec::new())
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.0 {
            pointer.push('/');
            match step {
                Step::Key(key) => pointer.push_str(&escape_pointer(key)),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }

    /// What the error is about, as a reader would call it.
    fn subject(&self) -> String {
        match self.0.last() {
            None => "the value".into(),
            Some(Step::Key(key)) => format!("`{key}`"),
            Some(Step::Index(index)) => match self.0.iter().rev().find_map(|step| match step {
                Step::Key(key) => Some(*key),
                Step::Index(_) => None,
            }) {
                Some(key) => format!("item {index} of `{key}`"),
                None => format!("item {index}"),
            },
        }
    }

    fn error(&self, errors: &mut Vec<ArgumentError>, message: impl Into<String>) {
        if errors.len() < MAX_ERRORS {
            errors.push(ArgumentError { pointer: self.pointer(), message: message.into() });
        }
    }
}

impl Preset {
    fn new(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) if number.is_i64() => Self::Integer(number.as_i64().unwrap_or_default()),
            other => Self::Other(Box::new(other.clone())),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Integer(number) => (*number).into(),
            Self::Other(value) => (**value).clone(),
        }
    }
}

impl Node {
    fn types(&self) -> u8 {
        match self {
            Self::Plain(types) | Self::Object(types, _) | Self::Rules(types, _) => *types,
        }
    }

    fn rules(&self) -> &[Rule] {
        match self {
            Self::Rules(_, both) => &both.0,
            _ => &[],
        }
    }

    fn object(&self) -> Option<&ObjectRules> {
        match self {
            Self::Plain(_) => None,
            Self::Object(_, object) => Some(object),
            Self::Rules(_, both) => both.1.as_ref(),
        }
    }

    /// Adds the defaults of the properties that `map` lacks, in nested objects too.
    pub(super) fn fill_defaults(&self, map: &mut Map<String, Value>) {
        let Some(object) = self.object() else { return };
        for (at, property) in object.properties.iter().enumerate() {
            let name = object.name(at);
            if let Some(default) = &property.default
                && !map.contains_key(name)
            {
                map.insert(name.to_owned(), default.value());
            }
            if property.node.object().is_some()
                && let Some(Value::Object(nested)) = map.get_mut(name)
            {
                property.node.fill_defaults(nested);
            }
        }
    }

    /// Checks each default against the schema it stands in.
    pub(super) fn check_defaults(&self, pointer: &str) -> Result<(), SchemaError> {
        let Some(object) = self.object() else { return Ok(()) };
        for (at, property) in object.properties.iter().enumerate() {
            let name = object.name(at);
            let at = format!("{pointer}/properties/{}", escape_pointer(name));
            if let Some(default) = &property.default {
                let (default, mut errors) = (default.value(), Vec::new());
                property.node.check(&default, &mut Path(vec![Step::Key(name)]), &mut errors);
                if let Some(error) = errors.first() {
                    let reason = format!("the default does not fit its own schema: {}", error.message);
                    return Err(SchemaError::new(format!("{at}/default"), reason));
                }
            }
            property.node.check_defaults(&at)?;
        }
        Ok(())
    }

    pub(super) fn check<'a>(
        &'a self,
        value: &'a Value,
        path: &mut Path<'a>,
        errors: &mut Vec<ArgumentError>,
    ) {
        if !self.takes_type(value) {
            let message =
                format!("{} must be {}, not {}", path.subject(), self.type_names(), describe(value));
            return path.error(errors, message);
        }
        for rule in self.rules() {
            rule.check(value, path, errors);
        }
        if let (Some(object), Value::Object(map)) = (self.object(), value) {
            object.check(map, path, errors);
        }
    }

    /// Checks an object that is not wrapped in a value.
    pub(super) fn check_object<'a>(
        &'a self,
        map: &'a Map<String, Value>,
        path: &mut Path<'a>,
        errors: &mut Vec<ArgumentError>,
    ) {
        if self.types() & OBJECT == 0 {
            return path
                .error(errors, format!("the schema takes {}, which arguments never are", self.type_names()));
        }
        if !self.rules().is_empty() {
            // `enum`, `const` and the like on a whole set of arguments are rare enough to be copied for.
            let value = Value::Object(map.clone());
            let mut found = Vec::new();
            self.rules().iter().for_each(|rule| rule.check(&value, &mut Path::root(), &mut found));
            errors.append(&mut found);
        }
        if let Some(object) = self.object() {
            object.check(map, path, errors);
        }
    }

    fn takes_type(&self, value: &Value) -> bool {
        if self.types() == ANY {
            return true;
        }
        let bits = match value {
            Value::Null => NULL,
            Value::Bool(_) => BOOLEAN,
            Value::Number(number) if is_integer(number) => INTEGER | NUMBER,
            Value::Number(_) => NUMBER,
            Value::String(_) => STRING,
            Value::Array(_) => ARRAY,
            Value::Object(_) => OBJECT,
        };
        self.types() & bits != 0
    }

    fn type_names(&self) -> String {
        let names: Vec<_> = TYPES
            .iter()
            .filter(|(_, bit)| self.types() & bit != 0)
            .map(|(name, _)| with_article(name))
            .collect();
        names.join(" or ")
    }
}

impl ObjectRules {
    fn name(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.properties[at - 1].end };
        &self.names[start as usize..self.properties[at].end as usize]
    }

    fn find(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.properties.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.name(middle).cmp(name) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn check<'a>(
        &'a self,
        map: &'a Map<String, Value>,
        path: &mut Path<'a>,
        errors: &mut Vec<ArgumentError>,
    ) {
        let mut described = 0;
        for (name, value) in map {
            if errors.len() >= MAX_ERRORS {
                return;
            }
            match self.find(name) {
                Some(at) => {
                    described += 1;
                    path.0.push(Step::Key(name));
                    self.properties[at].node.check(value, path, errors);
                    path.0.pop();
                }
                None => self.check_other(name, value, path, errors),
            }
        }
        if described < self.properties.len() {
            for (at, _) in self.properties.iter().enumerate().filter(|(_, property)| property.required) {
                let name = self.name(at);
                if !map.contains_key(name) {
                    path.error(errors, format!("`{name}` is required"));
                }
            }
        }
        for name in self.required.iter().filter(|name| !map.contains_key(&***name)) {
            path.error(errors, format!("`{name}` is required"));
        }
    }

    fn check_other<'a>(
        &'a self,
        name: &'a str,
        value: &'a Value,
        path: &mut Path<'a>,
        errors: &mut Vec<ArgumentError>,
    ) {
        match &self.others {
            Others::Taken => {}
            Others::Refused => {
                path.0.push(Step::Key(name));
                let subject = path.subject();
                let known: Vec<_> =
                    (0..self.properties.len().min(20)).map(|at| format!("`{}`", self.name(at))).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                path.error(errors, format!("{subject} is not expected here; what is: {known}"));
                path.0.pop();
            }
            Others::Checked(node) => {
                path.0.push(Step::Key(name));
                node.check(value, path, errors);
                path.0.pop();
            }
        }
    }
}

impl Rule {
    fn check<'a>(&'a self, value: &'a Value, path: &mut Path<'a>, errors: &mut Vec<ArgumentError>) {
        let problem: Option<Cow<'static, str>> =
            match (self, value) {
                (Rule::Nothing, _) => Some("is not expected here".into()),
                (Rule::OneOf(values), value) => {
                    (!values.iter().any(|one| equal(one, value))).then(|| match values.as_ref() {
                        [one] => format!("must be {one}").into(),
                        many => {
                            let shown: Vec<_> = many.iter().take(20).map(ToString::to_string).collect();
                            format!("must be one of {}, not {}", shown.join(", "), describe(value)).into()
                        }
                    })
                }
                (Rule::Minimum(bound), Value::Number(n)) => {
                    compare(n, bound).is_lt().then(|| format!("must be at least {bound}, not {n}").into())
                }
                (Rule::Maximum(bound), Value::Number(n)) => {
                    compare(n, bound).is_gt().then(|| format!("must be at most {bound}, not {n}").into())
                }
                (Rule::ExclusiveMinimum(bound), Value::Number(n)) => {
                    compare(n, bound).is_le().then(|| format!("must be more than {bound}, not {n}").into())
                }
                (Rule::ExclusiveMaximum(bound), Value::Number(n)) => {
                    compare(n, bound).is_ge().then(|| format!("must be less than {bound}, not {n}").into())
                }
                (Rule::MinLength(least), Value::String(text)) => ((text.len() as u64) < *least
                    || (text.chars().count() as u64) < *least)
                    .then(|| format!("must have at least {least} characters").into()),
                // A text has at most as many characters as bytes, so a short one need not be counted.
                (Rule::MaxLength(most), Value::String(text)) => (text.len() as u64 > *most
                    && text.chars().count() as u64 > *most)
                    .then(|| format!("must have at most {most} characters").into()),
                (Rule::MinItems(least), Value::Array(items)) => ((items.len() as u64) < *least)
                    .then(|| format!("must have at least {least} items").into()),
                (Rule::MaxItems(most), Value::Array(items)) => {
                    (items.len() as u64 > *most).then(|| format!("must have at most {most} items").into())
                }
                (Rule::MinProperties(least), Value::Object(map)) => ((map.len() as u64) < *least)
                    .then(|| format!("must have at least {least} properties").into()),
                (Rule::MaxProperties(most), Value::Object(map)) => {
                    (map.len() as u64 > *most).then(|| format!("must have at most {most} properties").into())
                }
                (Rule::Items(node), Value::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        if errors.len() >= MAX_ERRORS {
                            return;
                        }
                        path.0.push(Step::Index(index));
                        node.check(item, path, errors);
                        path.0.pop();
                    }
                    None
                }
                _ => None,
            };
        if let Some(problem) = problem {
            let message = format!("{} {problem}", path.subject());
            path.error(errors, message);
        }
    }
}

/// A float without a fraction is an integer (JSON Schema 2020-12, Core, section 4.2.3).
fn is_integer(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
}

/// Compares without rounding where both are integers.
fn compare(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
    }
}

/// Equality of JSON Schema: numbers by value, objects without regard to order.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

fn with_article(name: &str) -> String {
    match name {
        "null" => "null".into(),
        "integer" | "array" | "object" => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// The value as a message shows it: short, and never a secret's whole length.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => {
            format!("the string {}", Value::from(text.as_str()))
        }
        Value::String(text) => format!("a string of {} characters", text.chars().count()),
        Value::Array(items) => format!("an array of {} items", items.len()),
        Value::Object(_) => "an object".into(),
    }
}
