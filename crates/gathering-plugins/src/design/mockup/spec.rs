//! The specification of a screen: what an agent writes, read with the place of whatever is wrong.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::icon;
use super::node::{Align, Justify};
use super::theme::Tone;
use crate::Failure;

/// The most elements of a screen.
const MAX_ELEMENTS: usize = 1_000;
/// How deep elements may lie in one another.
const MAX_DEPTH: usize = 16;

/// Something on a screen.
#[derive(Debug, Clone)]
pub(super) enum Element {
    Row(Group, Vec<Element>),
    Column(Group, Vec<Element>),
    Card(Card, Vec<Element>),
    Dialog(Dialog, Vec<Element>),
    Navigation(Navigation),
    Form(Form),
    Table(Table),
    Chart(Chart),
    List(List),
    Text(TextSpec),
    Button(Button),
    Image(Image),
    Stat(Stat),
    Alert(Alert),
    Badge(Badge),
    Progress(Progress),
    Divider(Plain),
    Spacer(Plain),
}

/// The words for elements.
pub(super) const WORDS: [&str; 18] = [
    "row",
    "column",
    "card",
    "dialog",
    "navigation",
    "form",
    "table",
    "chart",
    "list",
    "text",
    "button",
    "image",
    "stat",
    "alert",
    "badge",
    "progress",
    "divider",
    "spacer",
];

macro_rules! written {
    ($($(#[$doc:meta])* $name:ident { $($(#[$serde:meta])* $field:ident: $kind:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name { $($(#[$serde])* pub(super) $field: $kind,)* }
    )* };
}

written! {
    Group {
        gap: Option<f32>,
        padding: Option<f32>,
        #[serde(default)] align: Align,
        #[serde(default)] justify: Justify,
        width: Option<f32>,
        #[serde(default)] grow: bool,
        #[serde(default)] wrap: bool,
    }
    Card { title: Option<String>, subtitle: Option<String>, width: Option<f32>, #[serde(default)] grow: bool, }
    Dialog { title: String, text: Option<String>, #[serde(default)] actions: Vec<Button>, width: Option<f32>, }
    Navigation {
        #[serde(default)] kind: NavigationKind,
        brand: Option<String>,
        items: Vec<Item>,
        #[serde(default)] active: usize,
        user: Option<String>,
        #[serde(default)] search: bool,
    }
    Form { title: Option<String>, fields: Vec<Field>, submit: Option<String>, cancel: Option<String>, }
    Field {
        label: String,
        #[serde(default)] kind: FieldKind,
        value: Option<String>,
        placeholder: Option<String>,
        help: Option<String>,
        error: Option<String>,
        #[serde(default)] checked: bool,
    }
    Table { columns: Vec<String>, rows: Vec<Vec<Cell>>, title: Option<String>, }
    Chart {
        #[serde(default)] kind: ChartKind,
        title: Option<String>,
        #[serde(default)] labels: Vec<String>,
        series: Vec<Series>,
        height: Option<f32>,
    }
    Series { #[serde(default)] name: String, values: Vec<f64>, }
    List { items: Vec<Entry>, title: Option<String>, }
    TextSpec {
        text: String,
        #[serde(default)] style: TextStyle,
        #[serde(default)] align: Align,
        #[serde(default)] muted: bool,
    }
    Button { text: String, #[serde(default)] variant: Variant, icon: Option<String>, #[serde(default)] full: bool, }
    Image { label: Option<String>, width: Option<f32>, height: Option<f32>, #[serde(default)] round: bool, }
    Stat { label: String, value: String, change: Option<String>, icon: Option<String>, }
    Alert { text: String, title: Option<String>, #[serde(default)] tone: Tone, }
    Badge { text: String, #[serde(default)] tone: Tone, }
    Progress { value: f32, label: Option<String>, }
    Plain { }
}

/// Words of which one is chosen.
macro_rules! words {
    ($($name:ident { $first:ident, $($other:ident),* })*) => { $(
        #[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name { #[default] $first, $($other),* }
    )* };
}

words! {
    NavigationKind { Top, Side, Bottom, Tabs }
    FieldKind { Text, Email, Password, Number, Date, Search, Select, Textarea, Checkbox, Radio, Toggle, Slider }
    ChartKind { Bar, Line, Area, Donut }
    TextStyle { Body, Title, Heading, Subheading, Caption, Label, Link }
    Variant { Primary, Secondary, Ghost, Danger }
}

/// An item of a navigation: its text, or its text with an icon.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Item {
    Text(String),
    WithIcon { text: String, icon: String },
}

/// A cell of a table: a text, a number, or a badge.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Cell {
    Badge {
        badge: String,
        #[serde(default)]
        tone: Tone,
    },
    Number(serde_json::Number),
    Text(String),
}

/// An entry of a list: a text, or one with more to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Entry {
    Text(String),
    Rich {
        title: String,
        subtitle: Option<String>,
        meta: Option<String>,
        icon: Option<String>,
        avatar: Option<String>,
        badge: Option<String>,
        #[serde(default)]
        tone: Tone,
    },
}

/// Reads the elements of a list.
pub(super) fn read(values: &[Value], place: &str) -> Result<Vec<Element>, Failure> {
    let mut count = 0;
    read_at(values, place, 0, &mut count)
}

fn read_at(values: &[Value], place: &str, depth: usize, count: &mut usize) -> Result<Vec<Element>, Failure> {
    if depth > MAX_DEPTH {
        return Err(format!("{place}: elements lie more than {MAX_DEPTH} deep in one another").into());
    }
    let mut elements = Vec::new();
    for (i, value) in values.iter().enumerate() {
        *count += 1;
        if *count > MAX_ELEMENTS {
            return Err(format!("the screen has more than {MAX_ELEMENTS} elements").into());
        }
        elements.push(element(value, &format!("{place}[{i}]"), depth, count)?);
    }
    Ok(elements)
}

fn element(value: &Value, place: &str, depth: usize, count: &mut usize) -> Result<Element, Failure> {
    let Some(object) = value.as_object() else {
        return Err(format!("{place}: expected an object with a `type`, one of {}", WORDS.join(", ")).into());
    };
    let mut fields = object.clone();
    let word = fields.remove("type");
    let word = word.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut children = || match fields.remove("children") {
        None => Ok(Vec::new()),
        Some(Value::Array(values)) => read_at(&values, &format!("{place}.children"), depth + 1, count),
        Some(_) => Err(Failure::new(format!("{place}.children: expected a list of elements"))),
    };
    Ok(match word {
        "row" => {
            let children = children()?;
            Element::Row(typed(fields, word, place)?, children)
        }
        "column" => {
            let children = children()?;
            Element::Column(typed(fields, word, place)?, children)
        }
        "card" => {
            let children = children()?;
            Element::Card(typed(fields, word, place)?, children)
        }
        "dialog" => {
            let children = children()?;
            Element::Dialog(typed(fields, word, place)?, children)
        }
        "navigation" => Element::Navigation(typed(fields, word, place)?),
        "form" => Element::Form(typed(fields, word, place)?),
        "table" => Element::Table(typed(fields, word, place)?),
        "chart" => Element::Chart(typed(fields, word, place)?),
        "list" => Element::List(typed(fields, word, place)?),
        "text" => Element::Text(typed(fields, word, place)?),
        "button" => Element::Button(typed(fields, word, place)?),
        "image" => Element::Image(typed(fields, word, place)?),
        "stat" => Element::Stat(typed(fields, word, place)?),
        "alert" => Element::Alert(typed(fields, word, place)?),
        "badge" => Element::Badge(typed(fields, word, place)?),
        "progress" => Element::Progress(typed(fields, word, place)?),
        "divider" => Element::Divider(typed(fields, word, place)?),
        "spacer" => Element::Spacer(typed(fields, word, place)?),
        other => {
            let there = WORDS.join(", ");
            return Err(format!(
                "{place}: there is no element `{}`; there are {there}",
                crate::base::shown(other)
            )
            .into());
        }
    })
}

fn typed<T: DeserializeOwned>(fields: Map<String, Value>, word: &str, place: &str) -> Result<T, Failure> {
    check(&fields, place)?;
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Failure::new(format!("{place} (`{word}`): {error}")))
}

/// Icons that are there, numbers and lists within reason.
fn check(fields: &Map<String, Value>, place: &str) -> Result<(), Failure> {
    for (name, value) in fields {
        let place = format!("{place}.{name}");
        match value {
            Value::String(wanted) if name == "icon" && !icon::names().contains(&wanted.as_str()) => {
                let (wanted, there) = (crate::base::shown(wanted), icon::names().join(", "));
                return Err(format!("{place}: there is no icon `{wanted}`; there are {there}").into());
            }
            Value::String(text) if text.chars().count() > 2_000 => {
                return Err(format!(
                    "{place}: a text of more than 2000 characters does not belong on a mockup"
                )
                .into());
            }
            Value::Number(number)
                if matches!(name.as_str(), "width" | "height" | "gap" | "padding")
                    && !number.as_f64().is_some_and(|size| (0.0..=4_000.0).contains(&size)) =>
            {
                return Err(format!("{place}: expected 0 to 4000 pixels").into());
            }
            Value::Array(values) if values.len() > 200 => {
                return Err(format!("{place}: has {} entries, more than 200", values.len()).into());
            }
            Value::Array(values) => {
                for (i, value) in values.iter().enumerate() {
                    if let Value::Object(fields) = value {
                        check(fields, &format!("{place}[{i}]"))?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
