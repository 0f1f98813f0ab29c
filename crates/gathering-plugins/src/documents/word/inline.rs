//! The text of a paragraph: runs with their emphasis, links, pictures and references to notes.

use std::collections::HashMap;

use roxmltree::Node;

use super::super::format::FormatError;
use super::super::package::Relation;
use super::{attribute, check, child};

/// Collects the text of one paragraph.
pub(super) struct Inline<'a> {
    relations: &'a HashMap<String, Relation>,
    notes: &'a mut Vec<(&'static str, String)>,
    text: String,
    bold: bool,
    italic: bool,
    pub(super) pictures: usize,
}

impl<'a> Inline<'a> {
    pub(super) fn new(
        relations: &'a HashMap<String, Relation>,
        notes: &'a mut Vec<(&'static str, String)>,
    ) -> Self {
        Self { relations, notes, text: String::new(), bold: false, italic: false, pictures: 0 }
    }

    pub(super) fn runs(&mut self, parent: Node<'_, '_>, depth: usize) -> Result<(), FormatError> {
        check(depth)?;
        for node in parent.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "r" => self.run(node, depth + 1)?,
                "hyperlink" => self.link(node, depth + 1)?,
                "t" => self.push(node.text().unwrap_or_default()),
                // What was deleted or moved away, how it looks, and the fields' own language.
                "del" | "moveFrom" | "pPr" | "rPr" | "instrText" | "sdtPr" | "Fallback" => {}
                _ => self.runs(node, depth + 1)?,
            }
        }
        Ok(())
    }

    fn run(&mut self, run: Node<'_, '_>, depth: usize) -> Result<(), FormatError> {
        check(depth)?;
        let look = child(run, "rPr");
        let is = |name: &str| {
            look.and_then(|look| child(look, name))
                .is_some_and(|node| !matches!(attribute(node, "val"), Some("0" | "false" | "none" | "off")))
        };
        if is("vanish") {
            return Ok(());
        }
        let (bold, italic) = (is("b"), is("i"));
        for node in run.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "t" => {
                    self.emphasise(bold, italic);
                    self.push(node.text().unwrap_or_default());
                }
                "tab" | "ptab" => self.text.push(' '),
                "br" if attribute(node, "type").is_none() => self.text.push_str("  \n"),
                "cr" => self.text.push_str("  \n"),
                "noBreakHyphen" => self.text.push('\u{2011}'),
                "footnoteReference" => self.note("footnote", node),
                "endnoteReference" => self.note("endnote", node),
                "drawing" | "pict" => self.drawing(node, depth + 1)?,
                "AlternateContent" => self.runs(node, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn link(&mut self, link: Node<'_, '_>, depth: usize) -> Result<(), FormatError> {
        let target =
            attribute(link, "id").and_then(|id| self.relations.get(id)).map(|relation| &relation.target);
        let Some(target) = target else { return self.runs(link, depth) };
        self.emphasise(false, false);
        self.text.push('[');
        self.runs(link, depth)?;
        self.emphasise(false, false);
        self.text.push_str(&format!("]({})", target.replace([' ', '\n'], "%20").replace(')', "%29")));
        Ok(())
    }

    /// A picture by its description, and the text in a text box.
    fn drawing(&mut self, drawing: Node<'_, '_>, depth: usize) -> Result<(), FormatError> {
        self.emphasise(false, false);
        let boxes: Vec<_> = drawing
            .descendants()
            .filter(|node| node.is_element() && node.tag_name().name() == "txbxContent")
            .collect();
        if boxes.is_empty() {
            self.pictures += 1;
            let described = drawing.descendants().find(|node| node.tag_name().name() == "docPr");
            let description = described
                .and_then(|node| attribute(node, "descr").or_else(|| attribute(node, "name")))
                .unwrap_or("picture");
            self.text.push_str(&format!("![{}]()", description.replace(['[', ']', '\n'], " ")));
        }
        for content in boxes {
            for paragraph in content.children().filter(Node::is_element) {
                self.text.push(' ');
                self.runs(paragraph, depth + 1)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, kind: &'static str, node: Node<'_, '_>) {
        if let Some(id) = attribute(node, "id") {
            self.emphasise(false, false);
            self.notes.push((kind, id.to_owned()));
            self.text.push_str(&format!("[^{}]", self.notes.len()));
        }
    }

    /// Opens and closes bold and italics.
    fn emphasise(&mut self, bold: bool, italic: bool) {
        if (bold, italic) == (self.bold, self.italic) {
            return;
        }
        self.close();
        // White space before a mark would undo it.
        self.text.push_str(match (bold, italic) {
            (true, true) => "***",
            (true, false) => "**",
            (false, true) => "*",
            (false, false) => "",
        });
        (self.bold, self.italic) = (bold, italic);
    }

    fn close(&mut self) {
        let mark = match (self.bold, self.italic) {
            (true, true) => "***",
            (true, false) => "**",
            (false, true) => "*",
            (false, false) => return,
        };
        let end = self.text.trim_end().len();
        let white = self.text.split_off(end);
        // Nothing but white space inside: no emphasis at all.
        match self.text.strip_suffix(mark) {
            Some(before) => self.text.truncate(before.len()),
            None => self.text.push_str(mark),
        }
        self.text.push_str(&white);
        (self.bold, self.italic) = (false, false);
    }

    fn push(&mut self, text: &str) {
        let opened = (self.bold || self.italic) && self.text.ends_with('*');
        let text = if opened {
            // `** bold**` is not bold: white space goes before the mark.
            let inside = text.trim_start();
            let white = &text[..text.len() - inside.len()];
            let marks = self.text.len() - self.text.trim_end_matches('*').len();
            let at = self.text.len() - marks;
            self.text.insert_str(at, white);
            inside
        } else {
            text
        };
        for letter in text.chars() {
            if matches!(letter, '\\' | '`' | '*' | '[' | ']' | '<') {
                self.text.push('\\');
            }
            self.text.push(if letter == '\n' { ' ' } else { letter });
        }
    }

    pub(super) fn finished(mut self) -> String {
        self.close();
        self.text.trim().to_owned()
    }
}
