//! The content of a file in another format: what can be read as text, a table or data can be written as such.

use std::fs::File;
use std::io::{BufWriter, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::format::{Content, Format, FormatError, MOST_TEXT, Previewing, Reading, Source, Table};

/// What a file can be converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    Markdown,
    Text,
    Csv,
    Tsv,
    Json,
    Yaml,
    Toml,
    Png,
}

impl Target {
    /// What file names that end so stand for.
    pub(super) const EXTENSIONS: [(&'static str, Self); 12] = [
        ("md", Self::Markdown),
        ("markdown", Self::Markdown),
        ("txt", Self::Text),
        ("text", Self::Text),
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("tab", Self::Tsv),
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("yml", Self::Yaml),
        ("toml", Self::Toml),
        ("png", Self::Png),
    ];

    /// What the name of a file says that is to be written.
    pub(super) fn of(name: &str) -> Option<Self> {
        let extension = name.rsplit_once('.')?.1.to_lowercase();
        Self::EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, target)| *target)
    }
}

/// Writes all that is in `source` to `to`, as `target`; gives what the reader should know.
pub(super) fn convert(
    format: &dyn Format,
    source: &mut Source,
    target: Target,
    reading: &Reading,
    to: File,
) -> Result<Vec<String>, FormatError> {
    let mut to = BufWriter::new(to);
    let mut notes = Vec::new();
    if target == Target::Png {
        let wanted = Previewing { page: reading.page.unwrap_or(1), width: 2048, height: 2048 };
        to.write_all(&format.preview(source, &wanted)?).map_err(not_written)?;
    } else {
        let mut writer = Writer { target, to: &mut to, parts: 0, whole: Value::Null };
        let mut reading = Reading { max_bytes: Some(MOST_TEXT), ..reading.clone() };
        loop {
            let content = format.read(source, &reading)?;
            let more = content.more.clone();
            for note in &content.notes {
                if !notes.contains(note) {
                    notes.push(note.clone());
                }
            }
            writer.part(content)?;
            let Some(Value::Object(more)) = more else { break };
            let next = after(&reading, more)?;
            reading = next;
        }
        writer.end()?;
    }
    to.flush().map_err(not_written)?;
    Ok(notes)
}

/// The options that give what follows. They are the format's own; that they lead on is checked all the same.
fn after(reading: &Reading, more: Map<String, Value>) -> Result<Reading, FormatError> {
    let wrong = |error: serde_json::Error| FormatError::unsupported(format!("it cannot be read on: {error}"));
    let before = serde_json::to_value(reading).map_err(wrong)?;
    let mut next = before.clone();
    if let Value::Object(options) = &mut next {
        options.extend(more);
    }
    if next == before {
        return Err(FormatError::unsupported("it cannot be read on: the next part is the same"));
    }
    serde_json::from_value(next).map_err(wrong)
}

/// Writes content, part by part.
struct Writer<'a, W> {
    target: Target,
    to: &'a mut W,
    parts: usize,
    /// What can only be written when all of it is there.
    whole: Value,
}

impl<W: Write> Writer<'_, W> {
    fn part(&mut self, content: Content) -> Result<(), FormatError> {
        let is_first = self.parts == 0;
        self.parts += 1;
        match (self.target, content) {
            (Target::Csv, Content { table: Some(table), .. }) => self.separated(&table, b',', is_first),
            (Target::Tsv, Content { table: Some(table), .. }) => self.separated(&table, b'\t', is_first),
            (Target::Csv | Target::Tsv, _) => Err(unfit("it has no table, which this format is for")),
            (Target::Json, Content { table: Some(table), .. }) => self.objects(table, is_first),
            (Target::Yaml, Content { table: Some(table), .. }) => {
                let rows = Value::from(
                    table.rows.into_iter().map(|row| object(&table.columns, row)).collect::<Vec<_>>(),
                );
                self.write(yaml(&rows)?.as_bytes())
            }
            (Target::Json | Target::Yaml | Target::Toml, Content { value: Some(value), .. }) => {
                self.whole = value;
                Ok(())
            }
            (Target::Json | Target::Yaml | Target::Toml, _) => {
                Err(unfit("its content is text, not data: convert it to `md` or `txt`"))
            }
            (Target::Markdown | Target::Text, Content { text: Some(text), .. }) => {
                self.write(text.as_bytes())
            }
            (_, Content { table: Some(table), .. }) => self.write(markdown(&table, is_first).as_bytes()),
            (_, Content { value: Some(value), .. }) => {
                self.write(format!("```json\n{value:#}\n```\n").as_bytes())
            }
            (_, _) => Err(unfit("it has no text: convert it to `png`")),
        }
    }

    fn end(&mut self) -> Result<(), FormatError> {
        let whole = self.whole.take();
        match self.target {
            Target::Json if whole.is_null() && self.parts > 0 => self.write(b"\n]\n"),
            Target::Json => self.write(format!("{whole:#}\n").as_bytes()),
            Target::Yaml if !whole.is_null() => self.write(yaml(&whole)?.as_bytes()),
            Target::Toml => {
                let text = toml(&whole)?;
                self.write(text.as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// A JSON array with an object for each row, as long as the table may be.
    fn objects(&mut self, table: Table, is_first: bool) -> Result<(), FormatError> {
        let mut next = if is_first { "[\n" } else { ",\n" };
        for row in table.rows {
            self.write(next.as_bytes())?;
            self.write(object(&table.columns, row).to_string().as_bytes())?;
            next = ",\n";
        }
        Ok(())
    }

    fn separated(&mut self, table: &Table, delimiter: u8, is_first: bool) -> Result<(), FormatError> {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(&mut self.to);
        let failed = |error: csv::Error| FormatError::from(std::io::Error::other(error));
        if is_first {
            writer.write_record(&table.columns).map_err(failed)?;
        }
        for row in &table.rows {
            writer.write_record(row.iter().map(plain)).map_err(failed)?;
        }
        writer.flush().map_err(not_written)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.to.write_all(bytes).map_err(not_written)
    }
}

fn not_written(error: std::io::Error) -> FormatError {
    FormatError { message: format!("the result could not be written: {error}"), ..FormatError::from(error) }
}

fn unfit(why: &str) -> FormatError {
    FormatError::unsupported(why)
}

fn object(columns: &[String], row: Vec<Value>) -> Value {
    Value::Object(columns.iter().cloned().zip(row).collect())
}

fn yaml(value: &Value) -> Result<String, FormatError> {
    serde_norway::to_string(value).map_err(|error| unfit(&format!("it has no form in YAML: {error}")))
}

fn toml(value: &Value) -> Result<String, FormatError> {
    toml::to_string_pretty(value).map_err(|error| unfit(&format!("it has no form in TOML: {error}")))
}

/// A value as a cell: strings without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A table in Markdown.
pub(super) fn markdown(table: &Table, with_header: bool) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace("\r\n", "<br>").replace('\n', "<br>");
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = String::new();
    if with_header {
        text.push_str(&line(table.columns.iter().map(|name| cell(name)).collect()));
        text.push_str(&line(table.columns.iter().map(|_| "---".to_owned()).collect()));
    }
    for row in &table.rows {
        text.push_str(&line(row.iter().map(|value| cell(&plain(value))).collect()));
    }
    text
}

/// The names that [`Target::of`] knows, for a schema.
pub(super) fn extensions() -> Value {
    json!(Target::EXTENSIONS.map(|(extension, _)| extension))
}
