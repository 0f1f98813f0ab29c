//! Writing answers: text for people, JSON for programs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::error::CliError;

/// The style of what went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// The style of what went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// The style of what wants to be looked at.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// The style of what is said beside.
pub(crate) const HINT: Style = Style::new().dimmed();
/// The style of headings.
pub(crate) const HEAD: Style = Style::new().bold();

/// How long a text in a table may be.
const WIDEST: usize = 72;

/// Writes an answer as JSON, or as `text` writes it.
pub(crate) fn show(
    as_json: bool,
    answer: &Value,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CliError> {
    let mut out = io::BufWriter::new(anstream::stdout());
    if as_json {
        writeln!(out, "{answer:#}")?;
    } else {
        text(&mut out)?;
    }
    Ok(out.flush()?)
}

/// A text of somebody else without the characters that move the cursor, ring the bell or hide something.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        let is_invisible =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && c != '\n' && c != '\t') || is_invisible {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// A member of an answer as a short text; empty if it is not there.
pub(crate) fn text(answer: &Value, name: &str) -> String {
    let whole = match answer.get(name) {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<_> =
                items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect();
            items.join(", ")
        }
        Some(other) => other.to_string(),
    };
    let line = whole.lines().next().unwrap_or_default();
    if line.chars().count() > WIDEST {
        let cut: String = line.chars().take(WIDEST - 3).collect();
        return plain(&format!("{cut}..."));
    }
    plain(line)
}

/// The style of a state's or a feeling's word.
pub(crate) fn style_of(word: &str) -> Style {
    match word {
        "enabled" | "healthy" | "ok" => GOOD,
        "error" | "unhealthy" | "problem" => BAD,
        "disabled" | "degraded" | "warning" => WARN,
        _ => Style::new(),
    }
}

/// Writes rows under headings, each column as wide as its widest text.
pub(crate) fn table<const N: usize>(
    out: &mut dyn Write,
    headings: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut widths = headings.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N], style: &dyn Fn(&str) -> Style| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let (style, gap) = (style(cell), width - cell.chars().count() + 2);
            line.push_str(&format!("{style}{cell}{style:#}{:gap$}", ""));
        }
        line.trim_end().to_owned()
    };
    writeln!(out, "{}", line(headings, &|_| HEAD))?;
    for row in rows {
        writeln!(out, "{}", line(row.each_ref().map(String::as_str), &style_of))?;
    }
    Ok(())
}

/// Writes the members of an answer that are there, one a line.
pub(crate) fn members(out: &mut dyn Write, answer: &Value, names: &[&str]) -> io::Result<()> {
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default() + 2;
    for name in names {
        let value = text(answer, name);
        if !value.is_empty() {
            let style = style_of(&value);
            writeln!(out, "{HEAD}{:<width$}{HEAD:#}{style}{value}{style:#}", name.replace('_', " "))?;
        }
    }
    Ok(())
}

/// The items of a list in an answer.
pub(crate) fn items<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_cannot_move_the_cursor_or_turn_itself_round() {
        assert_eq!(plain("a\x1b[2Jb\rc\u{202e}d\te\n"), "a\\u{1b}[2Jb\\rc\\u{202e}d\te\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let mut out = Vec::new();

        let rows = [["äö".to_owned(), "x".to_owned()], ["a long one".to_owned(), "y".to_owned()]];
        table(&mut out, ["ID", "VALUE"], &rows).expect("a buffer takes it");

        let written = anstream::adapter::strip_str(std::str::from_utf8(&out).expect("text")).to_string();
        assert_eq!(written, "ID          VALUE\näö          x\na long one  y\n");
    }
}
