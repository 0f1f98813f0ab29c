//! Spreadsheets: Excel (xlsx, xlsm, xlsb, xls) and OpenDocument (ods).

mod book;
mod cell;
mod range;
mod window;

use serde_json::{Map, Value, json};

use super::format::{Content, Format, FormatError, Previewing, Reading, Source, Table};
use super::package::{Package, is_compound, names_in};
use super::picture;
use book::Book;
use range::Area;
use window::Window;

/// How many rows are read at once if nothing else is said.
const ROWS: u64 = 1000;
/// The most columns that one answer has.
const MOST_COLUMNS: u32 = 1000;

/// Spreadsheets.
pub(crate) struct Spreadsheet;

impl Format for Spreadsheet {
    fn name(&self) -> &'static str {
        "spreadsheet"
    }

    fn description(&self) -> &'static str {
        "Spreadsheets (xlsx, xlsm, xlsb, xls, ods): sheets, ranges and rows with their types; values, not formulas"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["xlsx", "xlsm", "xlsb", "xls", "ods", "xltx", "xltm", "xlam"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &[
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.ms-excel.sheet.macroenabled.12",
            "application/vnd.ms-excel.sheet.binary.macroenabled.12",
            "application/vnd.ms-excel",
            "application/vnd.oasis.opendocument.spreadsheet",
        ]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let name = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        names_in(head).any(|part| part.starts_with(b"xl/"))
            || head.get(30..84).is_some_and(|bytes| {
                bytes.starts_with(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")
            })
            // The directory of a compound file names its streams in UTF-16.
            || is_compound(head) && head.windows(16).any(|bytes| bytes == name("Workbook"))
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let mut book = Book::open(source)?;
        let (sheet, area) = wanted(&book, options)?;
        let offset = options.offset.unwrap_or(0);
        let limit = options.limit.unwrap_or(ROWS);
        let mut window = Window::new(area, offset, limit, options.most());
        book.each_cell(&sheet, |row, column, value| window.take(row, column, value))?;
        let mut content = Content::default();
        let names_columns = area.is_none();
        let read = window.table(options.header.unwrap_or(names_columns), options.header.is_none());
        if offset > 0 && offset >= read.total {
            return Err(FormatError::not_there(format!(
                "`offset` is {offset}, and `{sheet}` has {} rows there",
                read.total
            )));
        }
        let next = offset + read.rows.len() as u64;
        let others: Vec<_> =
            book.sheets().into_iter().filter(|other| other.name != sheet).map(|other| other.name).collect();
        if !others.is_empty() {
            content.notes.push(format!("this is the sheet `{sheet}`; there are also: {}", quoted(&others)));
        }
        if read.left_out > 0 {
            content.notes.push(format!(
                "{} columns after the first {MOST_COLUMNS} are left out: ask for them with `range`",
                read.left_out
            ));
        }
        content.value = Some(json!({"sheet": sheet, "range": read.place}));
        if next < read.total {
            let mut more = json!({"sheet": sheet, "offset": next});
            if let Some(range) = &options.range {
                more["range"] = json!(range);
            }
            content.more = Some(more);
        }
        content.table = Some(Table { columns: read.columns, rows: read.rows, total: Some(read.total) });
        Ok(content)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let (mut facts, sheets) = {
            let mut book = Book::open(source)?;
            let mut facts = Map::new();
            facts.insert("kind".to_owned(), json!(book.kind.name()));
            let sheets =
                book.sheets().into_iter().map(|sheet| book.facts(sheet)).collect::<Result<Vec<_>, _>>()?;
            let names = book.defined_names();
            if !names.is_empty() {
                facts.insert("names".to_owned(), Value::Object(names));
            }
            (facts, sheets)
        };
        facts.insert("sheets".to_owned(), Value::Array(sheets));
        if !is_compound(&source.head()?) {
            facts.extend(Package::open(source)?.properties()?);
        }
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let reading =
            Reading { sheet: Some(options.page.to_string()), limit: Some(100), ..Reading::default() };
        let content = self.read(source, &reading)?;
        picture::table(&content.table.unwrap_or_default(), options)
    }
}

/// The sheet and the cells that are wanted.
fn wanted(book: &Book<'_>, options: &Reading) -> Result<(String, Option<Area>), FormatError> {
    let sheets = book.sheets();
    let (in_range, range) = match &options.range {
        Some(range) => match range.rsplit_once('!') {
            Some((sheet, range)) => (Some(sheet.trim_matches('\'').to_owned()), Some(range.parse()?)),
            None => (None, Some(range.parse()?)),
        },
        None => (None, None),
    };
    let Some(name) = options.sheet.clone().or(in_range) else {
        let first = sheets.iter().find(|sheet| !sheet.hidden).or(sheets.first());
        let first = first.ok_or_else(|| FormatError::corrupt("it has no sheets"))?;
        return Ok((first.name.clone(), range));
    };
    let by_name = sheets.iter().find(|sheet| sheet.name == name);
    let by_number = || name.parse::<usize>().ok()?.checked_sub(1).and_then(|index| sheets.get(index));
    let found = by_name.or_else(by_number).ok_or_else(|| {
        let names: Vec<_> = sheets.iter().map(|sheet| sheet.name.clone()).collect();
        FormatError::not_there(format!("there is no sheet `{name}`; there are: {}", quoted(&names)))
    })?;
    Ok((found.name.clone(), range))
}

fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 50;
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
