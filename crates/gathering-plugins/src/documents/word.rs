//! Word documents (docx), as Markdown.

mod inline;
mod styles;
mod table;

use roxmltree::{Document, Node};
use serde_json::{Map, Value, json};

use super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::package::{Package, Relation, names_in, parse};
use super::{markdown, picture};
use inline::Inline;
use styles::{ListKind, Styles};
pub(super) use table::as_markdown;

use std::collections::HashMap;

/// How deep tables, text boxes and fields may be nested.
const DEEPEST: usize = 64;
/// The most Markdown that a document becomes, in bytes.
const MOST_TEXT: usize = 64 << 20;

/// Word documents.
pub(crate) struct Word;

impl Format for Word {
    fn name(&self) -> &'static str {
        "word"
    }

    fn description(&self) -> &'static str {
        "Word documents (docx): headings, lists, tables, links and footnotes as Markdown; tracked changes as accepted"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["docx", "docm", "dotx", "dotm"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/vnd.openxmlformats-officedocument.wordprocessingml.document"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        names_in(head).any(|part| part.starts_with(b"word/"))
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let (text, _) = markdown_of(&mut Package::open(source)?)?;
        markdown::part(&text, options)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let mut package = Package::open(source)?;
        let (text, counts) = markdown_of(&mut package)?;
        let mut facts = package.properties()?;
        facts.insert("words".to_owned(), json!(text.split_whitespace().count()));
        facts.insert("paragraphs".to_owned(), json!(counts.paragraphs));
        facts.insert("tables".to_owned(), json!(counts.tables));
        facts.insert("pictures".to_owned(), json!(counts.pictures));
        facts.insert("footnotes".to_owned(), json!(counts.notes));
        facts.insert("outline".to_owned(), markdown::outline(&text));
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let (text, _) = markdown_of(&mut Package::open(source)?)?;
        picture::markdown(&text, options)
    }
}

/// What a document has.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    paragraphs: usize,
    tables: usize,
    pictures: usize,
    notes: usize,
}

/// What is known while a document is written as Markdown.
struct Writer<'a> {
    styles: Styles,
    relations: &'a HashMap<String, Relation>,
    text: String,
    counts: Counts,
    /// The notes that were referred to, in their order: the name of their part's element, and their id there.
    notes: Vec<(&'static str, String)>,
    /// How far each list has counted on each of its levels.
    counters: HashMap<String, [u32; 9]>,
    in_list: bool,
}

fn markdown_of(package: &mut Package<'_>) -> Result<(String, Counts), FormatError> {
    let body = package.needed("word/document.xml")?;
    let relations = package.relations("word/document.xml")?;
    let styles = Styles::new(package)?;
    let footnotes = package.text("word/footnotes.xml")?;
    let endnotes = package.text("word/endnotes.xml")?;
    let document = parse(&body, "word/document.xml")?;
    let mut writer = Writer {
        styles,
        relations: &relations,
        text: String::new(),
        counts: Counts::default(),
        notes: Vec::new(),
        counters: HashMap::new(),
        in_list: false,
    };
    let body = child(document.root_element(), "body").ok_or_else(|| {
        FormatError::corrupt("its part `word/document.xml` has no `w:body`, which holds the text")
    })?;
    writer.blocks(body, 0)?;
    for (element, text) in [("footnote", footnotes), ("endnote", endnotes)] {
        let Some(text) = text else { continue };
        writer.write_notes(element, &parse(&text, element)?)?;
    }
    writer.counts.notes = writer.notes.len();
    let text = writer.text.trim_end().to_owned();
    Ok((text, writer.counts))
}

impl Writer<'_> {
    /// Paragraphs and tables, wherever they are.
    fn blocks(&mut self, parent: Node<'_, '_>, depth: usize) -> Result<(), FormatError> {
        check(depth)?;
        for node in parent.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "p" => self.paragraph(node, depth)?,
                "tbl" => {
                    self.counts.tables += 1;
                    self.end_list();
                    let table = self.table(node, depth + 1)?;
                    self.text.push_str(&table);
                    self.text.push('\n');
                }
                // What was deleted or moved away, and what only Word needs.
                "del" | "moveFrom" | "sectPr" | "sdtPr" => {}
                _ => self.blocks(node, depth + 1)?,
            }
            if self.text.len() > MOST_TEXT {
                return Err(FormatError::too_large(format!(
                    "it has more than {} MiB of text",
                    MOST_TEXT >> 20
                )));
            }
        }
        Ok(())
    }

    fn paragraph(&mut self, node: Node<'_, '_>, depth: usize) -> Result<(), FormatError> {
        let text = self.inline(node, depth)?;
        if text.is_empty() {
            return Ok(());
        }
        self.counts.paragraphs += 1;
        let look = self.styles.paragraph(node);
        if let Some(level) = look.heading {
            self.end_list();
            self.text.push_str(&format!("{} {}\n\n", "#".repeat(level), text.replace('\n', " ")));
        } else if let Some((list, level, kind)) = look.list {
            let counters = self.counters.entry(list).or_default();
            counters[level] += 1;
            counters[level + 1..].fill(0);
            let mark = match kind {
                ListKind::Bullets => "-".to_owned(),
                ListKind::Numbers => format!("{}.", counters[level]),
            };
            let indent = "    ".repeat(level);
            self.text.push_str(&format!("{indent}{mark} {}\n", text.replace('\n', &format!("\n{indent}  "))));
            self.in_list = true;
        } else {
            self.end_list();
            self.text.push_str(&guarded(&text));
            self.text.push_str("\n\n");
        }
        Ok(())
    }

    fn end_list(&mut self) {
        if std::mem::take(&mut self.in_list) {
            self.text.push('\n');
        }
    }

    /// The text of a paragraph, with its emphasis and links.
    fn inline(&mut self, paragraph: Node<'_, '_>, depth: usize) -> Result<String, FormatError> {
        let mut inline = Inline::new(self.relations, &mut self.notes);
        inline.runs(paragraph, depth)?;
        self.counts.pictures += inline.pictures;
        Ok(inline.finished())
    }

    /// The notes that were referred to, with the numbers that they got there.
    fn write_notes(&mut self, element: &str, document: &Document<'_>) -> Result<(), FormatError> {
        self.end_list();
        let by_id: HashMap<_, _> = document
            .root_element()
            .children()
            .filter(|node| node.has_tag_name_of(element))
            .filter_map(|node| Some((attribute(node, "id")?, node)))
            .collect();
        let wanted: Vec<_> =
            self.notes.iter().cloned().enumerate().filter(|(_, (kind, _))| *kind == element).collect();
        for (index, (_, id)) in wanted {
            let Some(note) = by_id.get(id.as_str()) else { continue };
            let mut parts = Vec::new();
            for paragraph in note.children().filter(|node| node.has_tag_name_of("p")) {
                parts.push(self.inline(paragraph, 0)?);
            }
            self.text.push_str(&format!("[^{}]: {}\n", index + 1, parts.join(" ").trim()));
        }
        Ok(())
    }
}

/// Elements are told apart by their local names: the same file may be written with two sets of namespaces (ECMA-376
/// transitional and strict).
trait Named {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name_of(name))
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attributes().find(|attribute| attribute.name() == name).map(|attribute| attribute.value())
}

fn check(depth: usize) -> Result<(), FormatError> {
    if depth > DEEPEST {
        return Err(FormatError::too_large(format!("it is nested more than {DEEPEST} deep")));
    }
    Ok(())
}

/// A paragraph that begins like a heading, a quotation or a list is none.
fn guarded(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    let is_mark = first.bytes().all(|byte| byte == b'#') || matches!(first, "-" | "+" | ">");
    if !first.is_empty() && is_mark { format!("\\{text}") } else { text.to_owned() }
}
