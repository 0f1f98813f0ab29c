//! The outline of a PDF: its bookmarks, with the pages that they lead to.

use std::collections::{HashMap, HashSet};

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, Object, ObjectIdentifier, String as PdfString};
use serde_json::{Value, json};

use super::strings;

/// The most entries that are given.
const MOST_ENTRIES: usize = 500;
/// The deepest level that is looked at.
const DEEPEST: usize = 16;
/// The most nodes of the tree of names that are looked at for one destination.
const MOST_NODES: usize = 1000;

/// The entries in their order: `{"level": 1, "title": "Introduction", "page": 3}`. Damaged ones are left out.
pub(super) fn of(pdf: &Pdf) -> Vec<Value> {
    let Some(catalog) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) else { return Vec::new() };
    let Some(outlines) = catalog.get::<Dict<'_>>("Outlines") else { return Vec::new() };
    let numbered = pdf.pages().iter().enumerate();
    let pages = numbered.filter_map(|(index, page)| Some((page.raw().obj_id()?, index + 1))).collect();
    let mut reader = Reader { catalog, pages, seen: HashSet::new(), entries: Vec::new() };
    reader.level(&outlines, 1);
    reader.entries
}

struct Reader<'a> {
    catalog: Dict<'a>,
    pages: HashMap<ObjectIdentifier, usize>,
    /// Entries refer to each other, and those of a hostile file in a circle.
    seen: HashSet<ObjectIdentifier>,
    entries: Vec<Value>,
}

impl<'a> Reader<'a> {
    fn level(&mut self, parent: &Dict<'a>, level: usize) {
        let mut next = parent.get_ref("First").zip(parent.get::<Dict<'a>>("First"));
        while let Some((reference, entry)) = next {
            if self.entries.len() >= MOST_ENTRIES || !self.seen.insert(reference.into()) {
                return;
            }
            if let Some(title) = entry.get::<PdfString<'a>>("Title") {
                let page = self.destination(&entry).and_then(|page| self.pages.get(&page).copied());
                self.entries
                    .push(json!({"level": level, "title": strings::decoded(title.as_bytes()), "page": page}));
            }
            if level < DEEPEST {
                self.level(&entry, level + 1);
            }
            next = entry.get_ref("Next").zip(entry.get::<Dict<'a>>("Next"));
        }
    }

    /// The page that an entry leads to, by itself or through an action.
    fn destination(&self, entry: &Dict<'a>) -> Option<ObjectIdentifier> {
        let direct = entry.get::<Object<'a>>("Dest");
        let destination = direct.or_else(|| entry.get::<Dict<'a>>("A")?.get::<Object<'a>>("D"))?;
        page_of(&destination).or_else(|| {
            let name = match &destination {
                Object::Name(name) => name.as_ref().to_vec(),
                Object::String(text) => text.as_bytes().to_vec(),
                _ => return None,
            };
            self.named(&name)
        })
    }

    /// Looks a destination up by its name: in the dictionary of PDF 1.1, else in the tree of names.
    fn named(&self, name: &[u8]) -> Option<ObjectIdentifier> {
        if let Some(named) =
            self.catalog.get::<Dict<'a>>("Dests").and_then(|names| names.get::<Object<'a>>(name))
        {
            return page_of(&named);
        }
        let mut nodes = vec![self.catalog.get::<Dict<'a>>("Names")?.get::<Dict<'a>>("Dests")?];
        for _ in 0..MOST_NODES {
            let node = nodes.pop()?;
            if !may_hold(&node, name) {
                continue;
            }
            if let Some(names) = node.get::<Array<'a>>("Names") {
                let mut names = names.iter::<Object<'a>>();
                while let (Some(key), Some(value)) = (names.next(), names.next()) {
                    if matches!(&key, Object::String(key) if key.as_bytes() == name) {
                        return page_of(&value);
                    }
                }
            }
            if let Some(kids) = node.get::<Array<'a>>("Kids") {
                nodes.extend(kids.iter::<Dict<'a>>().take(MOST_NODES));
            }
        }
        None
    }
}

/// Whether a name is between the least and the greatest of a node, as far as it says.
fn may_hold(node: &Dict<'_>, name: &[u8]) -> bool {
    let Some(limits) = node.get::<Array<'_>>("Limits") else { return true };
    let mut limits = limits.iter::<PdfString<'_>>();
    match (limits.next(), limits.next()) {
        (Some(least), Some(greatest)) => least.as_bytes() <= name && name <= greatest.as_bytes(),
        _ => true,
    }
}

/// The page that an explicit destination names: `[page /XYZ ..]`, or a dictionary with that under `D`.
fn page_of(destination: &Object<'_>) -> Option<ObjectIdentifier> {
    let array = match destination {
        Object::Array(array) => array.clone(),
        Object::Dict(dict) => dict.get::<Array<'_>>("D")?,
        _ => return None,
    };
    match array.raw_iter().next()? {
        MaybeRef::Ref(reference) => Some(ObjectIdentifier::from(reference)),
        MaybeRef::NotRef(_) => None,
    }
}
