//! Tables of Word documents, as tables of Markdown.

use roxmltree::Node;

use super::super::format::FormatError;
use super::{Named, Writer, attribute, check, child};

/// The most columns of a table.
const MOST_COLUMNS: usize = 1000;

impl Writer<'_> {
    /// A table. Markdown has no merged cells: what a cell spans stays empty, and lines in it are joined by `<br>`.
    pub(super) fn table(&mut self, table: Node<'_, '_>, depth: usize) -> Result<String, FormatError> {
        check(depth)?;
        let mut rows = Vec::new();
        for row in table.children().filter(|node| node.has_tag_name_of("tr")) {
            let mut cells = Vec::new();
            for cell in row.children().filter(|node| node.has_tag_name_of("tc")) {
                let properties = child(cell, "tcPr");
                let merged = properties.and_then(|properties| child(properties, "vMerge"));
                let goes_on = merged.is_some_and(|merge| attribute(merge, "val") != Some("restart"));
                cells.push(if goes_on { String::new() } else { self.cell(cell, depth + 1)? });
                let span = properties.and_then(|properties| child(properties, "gridSpan"));
                let span = span.and_then(|span| attribute(span, "val")?.parse::<usize>().ok()).unwrap_or(1);
                cells.resize((cells.len() + span.max(1) - 1).min(MOST_COLUMNS), String::new());
            }
            rows.push(cells);
        }
        Ok(as_markdown(rows))
    }

    fn cell(&mut self, cell: Node<'_, '_>, depth: usize) -> Result<String, FormatError> {
        check(depth)?;
        let mut lines = Vec::new();
        for node in cell.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "p" => lines.push(self.inline(node, depth)?),
                "tbl" => {
                    let table = self.table(node, depth + 1)?;
                    lines.extend(table.lines().map(|line| line.trim_matches(['|', ' ']).replace('|', "/")));
                }
                "tcPr" => {}
                _ => lines.push(self.inline(node, depth)?),
            }
        }
        lines.retain(|line| !line.is_empty());
        Ok(lines.join("<br>").replace("  \n", "<br>"))
    }
}

/// Rows as a table of Markdown, the first as its head.
pub(in super::super) fn as_markdown(rows: Vec<Vec<String>>) -> String {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for (index, mut row) in rows.into_iter().enumerate() {
        row.resize(width, String::new());
        let cells = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', "<br>"));
        text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        if index == 0 {
            text.push_str(&format!("|{}\n", " --- |".repeat(width)));
        }
    }
    text
}
