//! XML, as a tree of values. Entities that a document defines are never expanded.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value, json};

use super::data::whole_or_shape;
use super::decode::{may_be_text, whole};
use super::format::{Content, Format, FormatError, Previewing, Reading, Source};

/// The largest file, in bytes.
const LARGEST: usize = 32 << 20;
/// How deep elements may be nested, and how many there may be.
const DEEPEST: usize = 200;
const MOST_ELEMENTS: usize = 500_000;

/// The format.
pub(super) struct Xml;

impl Format for Xml {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn description(&self) -> &'static str {
        "XML as a tree: attributes with `@`, text with `#text`, repeated elements as lists"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["xml", "xsd", "xsl", "xslt", "rss", "atom", "kml", "gpx", "svg", "plist", "wsdl", "opml", "xhtml"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/xml", "text/xml", "image/svg+xml"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        head.starts_with(b"<?xml")
            || head.starts_with(b"<svg")
            || may_be_text(head) && head.starts_with(b"<") && !super::html::is_html(head)
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let text = whole(source, options.encoding.as_deref(), LARGEST)?;
        let Tree { root, value, entities, .. } = Tree::read(&text)?;
        let mut content = whole_or_shape(json!({root: value}), options.most())?;
        if entities > 0 {
            content
                .notes
                .push(format!("{entities} entities that the document defines itself are left as they are"));
        }
        Ok(content)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let text = whole(source, None, LARGEST)?;
        let tree = Tree::read(&text)?;
        let Value::Object(facts) = json!({
            "root": tree.root, "elements": tree.elements, "depth": tree.depth, "has_doctype": tree.has_doctype,
        }) else {
            unreachable!("it is an object");
        };
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        super::text::Text.preview(source, options)
    }
}

/// What a document holds.
#[derive(Default)]
struct Tree {
    root: String,
    value: Value,
    elements: usize,
    depth: usize,
    /// References to entities that are not expanded.
    entities: usize,
    has_doctype: bool,
}

/// An element that has not ended yet.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Open {
    fn value(mut self) -> Value {
        let text = self.text.trim();
        if self.members.is_empty() {
            return if text.is_empty() { Value::Null } else { text.into() };
        }
        if !text.is_empty() {
            self.members.insert("#text".into(), text.into());
        }
        Value::Object(self.members)
    }

    /// Adds an element; a second one of its name makes a list.
    fn add(&mut self, name: String, value: Value) {
        match self.members.get_mut(&name) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = json!([first.take(), value]),
            None => drop(self.members.insert(name, value)),
        }
    }
}

impl Tree {
    fn read(text: &str) -> Result<Self, FormatError> {
        let mut reader = Reader::from_str(text);
        let mut tree = Self::default();
        let mut open: Vec<Open> = Vec::new();
        loop {
            let event = reader.read_event().map_err(|error| wrong(&error, reader.error_position()))?;
            match event {
                Event::Start(start) => {
                    let element = tree.open(&start, &open)?;
                    open.push(element);
                }
                Event::Empty(start) => {
                    let element = tree.open(&start, &open)?;
                    tree.close(element, &mut open);
                }
                Event::End(_) => {
                    if let Some(element) = open.pop() {
                        tree.close(element, &mut open);
                    }
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.xml10_content());
                    }
                }
                Event::CData(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.into_inner());
                    }
                }
                Event::GeneralRef(reference) => {
                    let name = reference.into_inner();
                    let escaped = format!("&{name};");
                    let known = quick_xml::escape::unescape(&escaped).ok();
                    tree.entities += usize::from(known.is_none());
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(known.as_deref().unwrap_or(&escaped));
                    }
                }
                Event::DocType(_) => tree.has_doctype = true,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        match open.last() {
            Some(element) => Err(FormatError::corrupt(format!("it ends before `{}` does", element.name))),
            None if tree.elements == 0 => Err(FormatError::corrupt("it has no element")),
            None => Ok(tree),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, open: &[Open]) -> Result<Open, FormatError> {
        self.elements += 1;
        self.depth = self.depth.max(open.len() + 1);
        if self.elements > MOST_ELEMENTS {
            return Err(FormatError::too_large(format!("it has more than {MOST_ELEMENTS} elements")));
        }
        if open.len() >= DEEPEST {
            return Err(FormatError::too_large(format!("its elements are nested more than {DEEPEST} deep")));
        }
        let mut members = Map::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| wrong(&error, 0))?;
            let value =
                quick_xml::escape::unescape(&attribute.value).unwrap_or_else(|_| attribute.value.clone());
            members.insert(format!("@{}", attribute.key.into_inner()), value.into_owned().into());
        }
        Ok(Open { name: start.name().into_inner().to_owned(), members, text: String::new() })
    }

    fn close(&mut self, element: Open, open: &mut [Open]) {
        let name = element.name.clone();
        let value = element.value();
        match open.last_mut() {
            Some(parent) => parent.add(name, value),
            None => (self.root, self.value) = (name, value),
        }
    }
}

fn wrong(error: &dyn std::fmt::Display, at: u64) -> FormatError {
    FormatError::corrupt(format!("it is no XML (near byte {at}): {error}"))
}
