//! How paragraphs look by their styles: headings and lists.

use std::collections::HashMap;

use roxmltree::Node;

use super::super::format::FormatError;
use super::super::package::{Package, parse};
use super::{Named, attribute, child};

/// How many styles a style is based on, one on the other, at the most.
const DEEPEST: usize = 16;

/// What a list is marked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListKind {
    Bullets,
    Numbers,
}

/// How a paragraph looks.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// From 1 to 6.
    pub(super) heading: Option<usize>,
    /// The id of its list, the level in it (from 0 to 8), and how it is marked.
    pub(super) list: Option<(String, usize, ListKind)>,
}

#[derive(Debug, Default, Clone)]
struct Style {
    based_on: Option<String>,
    heading: Option<usize>,
    list: Option<(Option<String>, usize)>,
}

/// The styles and lists of a document.
pub(super) struct Styles {
    styles: HashMap<String, Style>,
    /// Which levels of a list are marked with bullets.
    lists: HashMap<String, [bool; 9]>,
}

impl Styles {
    pub(super) fn new(package: &mut Package<'_>) -> Result<Self, FormatError> {
        let mut styles = HashMap::new();
        if let Some(text) = package.text("word/styles.xml")? {
            let document = parse(&text, "word/styles.xml")?;
            for node in document.root_element().children().filter(|node| node.has_tag_name_of("style")) {
                if let Some(id) = attribute(node, "styleId") {
                    styles.insert(id.to_owned(), style(node));
                }
            }
        }
        let mut lists = HashMap::new();
        if let Some(text) = package.text("word/numbering.xml")? {
            lists = self::lists(parse(&text, "word/numbering.xml")?.root_element());
        }
        Ok(Self { styles, lists })
    }

    /// How a paragraph looks: by what it says itself, else by its style, else by what that is based on.
    pub(super) fn paragraph(&self, paragraph: Node<'_, '_>) -> Look {
        let mut look = Look::default();
        let Some(properties) = child(paragraph, "pPr") else { return look };
        let mut list = numbering(properties);
        look.heading = child(properties, "outlineLvl").and_then(level);
        let mut next = child(properties, "pStyle").and_then(|style| attribute(style, "val"));
        for _ in 0..DEEPEST {
            let Some(style) = next.and_then(|id| self.styles.get(id)) else { break };
            look.heading = look.heading.or(style.heading);
            list = match (list, &style.list) {
                (None, other) => other.clone(),
                (Some((None, level)), Some((id, _))) => Some((id.clone(), level)),
                (list, _) => list,
            };
            next = style.based_on.as_deref();
        }
        // List 0 is the one that takes a paragraph out of its style's list.
        if let Some((Some(id), level)) = list.filter(|(id, _)| id.as_deref() != Some("0")) {
            let bullets = self.lists.get(&id).is_some_and(|levels| levels[level]);
            look.list = Some((id, level, if bullets { ListKind::Bullets } else { ListKind::Numbers }));
        }
        look
    }
}

fn style(node: Node<'_, '_>) -> Style {
    let value = |name: &str| child(node, name).and_then(|node| attribute(node, "val"));
    let name = value("name").unwrap_or_default().to_lowercase();
    let properties = child(node, "pPr");
    let by_name = match name.as_str() {
        "title" => Some(1),
        name => name.strip_prefix("heading ").and_then(|level| level.parse::<usize>().ok()),
    };
    let by_level = || properties.and_then(|properties| child(properties, "outlineLvl")).and_then(level);
    Style {
        based_on: value("basedOn").map(str::to_owned),
        heading: by_name.or_else(by_level).map(|level| level.clamp(1, 6)),
        list: properties.and_then(numbering),
    }
}

/// Levels of an outline are counted from 0, and 9 is body text.
fn level(node: Node<'_, '_>) -> Option<usize> {
    let level: usize = attribute(node, "val")?.parse().ok()?;
    (level < 9).then_some((level + 1).min(6))
}

/// The list that a paragraph or a style names, and the level in it.
fn numbering(properties: Node<'_, '_>) -> Option<(Option<String>, usize)> {
    let numbering = child(properties, "numPr")?;
    let value = |name: &str| child(numbering, name).and_then(|node| attribute(node, "val"));
    let level = value("ilvl").and_then(|level| level.parse::<usize>().ok()).unwrap_or(0);
    Some((value("numId").map(str::to_owned), level.min(8)))
}

fn lists(root: Node<'_, '_>) -> HashMap<String, [bool; 9]> {
    let mut kinds = HashMap::new();
    for node in root.children().filter(|node| node.has_tag_name_of("abstractNum")) {
        let mut bullets = [false; 9];
        for level in node.children().filter(|node| node.has_tag_name_of("lvl")) {
            let index = attribute(level, "ilvl").and_then(|index| index.parse::<usize>().ok()).unwrap_or(0);
            let format = child(level, "numFmt").and_then(|format| attribute(format, "val"));
            if let Some(place) = bullets.get_mut(index) {
                *place = matches!(format, Some("bullet" | "none"));
            }
        }
        if let Some(id) = attribute(node, "abstractNumId") {
            kinds.insert(id.to_owned(), bullets);
        }
    }
    let named = root.children().filter(|node| node.has_tag_name_of("num")).filter_map(|node| {
        let kind = child(node, "abstractNumId").and_then(|kind| attribute(kind, "val"))?;
        Some((attribute(node, "numId")?.to_owned(), *kinds.get(kind)?))
    });
    named.collect()
}
