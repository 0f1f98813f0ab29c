//! A workbook of any kind, cell by cell.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use calamine::{Data, Ods, Range, Reader, SheetType, SheetVisible, Xls, Xlsb, Xlsx};
use serde_json::{Map, Value, json};

use super::super::format::{FormatError, Source};
use super::super::package::{Package, is_compound};
use super::range::letters;

/// The most that the texts of a workbook, which are held in memory, may have, in bytes.
const MOST_TEXTS: u64 = 128 << 20;
/// The largest file of Excel 97-2003 that is taken, in bytes: its reader holds all of it.
const MOST_OLD: u64 = 128 << 20;
/// The most defined names that are told.
const MOST_NAMES: usize = 200;

type Input<'a> = BufReader<&'a mut File>;

/// The kinds of workbooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Xlsx,
    Xlsb,
    Xls,
    Ods,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Xlsb => "xlsb",
            Self::Xls => "xls",
            Self::Ods => "ods",
        }
    }
}

enum Opened<'a> {
    Xlsx(Xlsx<Input<'a>>),
    Xlsb(Xlsb<Input<'a>>),
    Xls(Xls<Input<'a>>),
    Ods(Ods<Input<'a>>),
}

/// A workbook.
pub(super) struct Book<'a> {
    pub(super) kind: Kind,
    opened: Opened<'a>,
}

/// A sheet that holds cells.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) hidden: bool,
}

macro_rules! with_book {
    ($opened:expr, $book:ident => $body:expr) => {
        match $opened {
            Opened::Xlsx($book) => $body,
            Opened::Xlsb($book) => $body,
            Opened::Xls($book) => $body,
            Opened::Ods($book) => $body,
        }
    };
}

impl<'a> Book<'a> {
    pub(super) fn open(source: &'a mut Source) -> Result<Self, FormatError> {
        let kind = kind(source)?;
        source.file.rewind()?;
        let input = BufReader::new(&mut source.file);
        let opened = match kind {
            Kind::Xlsx => Opened::Xlsx(Xlsx::new(input).map_err(|error| told(&error))?),
            Kind::Xlsb => Opened::Xlsb(Xlsb::new(input).map_err(|error| told(&error))?),
            Kind::Xls => Opened::Xls(Xls::new(input).map_err(|error| told(&error))?),
            Kind::Ods => Opened::Ods(Ods::new(input).map_err(|error| told(&error))?),
        };
        Ok(Self { kind, opened })
    }

    /// The sheets in their order, without charts and macros.
    pub(super) fn sheets(&self) -> Vec<Sheet> {
        let sheets = with_book!(&self.opened, book => book.sheets_metadata());
        let tables = sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        tables
            .map(|sheet| Sheet { name: sheet.name.clone(), hidden: sheet.visible != SheetVisible::Visible })
            .collect()
    }

    /// Names of cells and areas, with what they stand for.
    pub(super) fn defined_names(&self) -> Map<String, Value> {
        let names = with_book!(&self.opened, book => book.defined_names());
        names.iter().take(MOST_NAMES).map(|(name, area)| (name.clone(), json!(area))).collect()
    }

    /// What is cheap to know of a sheet: the size that it says it has, or has.
    pub(super) fn facts(&mut self, sheet: Sheet) -> Result<Value, FormatError> {
        let ends = match &mut self.opened {
            Opened::Xlsx(book) => {
                let said =
                    book.worksheet_cells_reader(&sheet.name).map_err(|error| told(&error))?.dimensions();
                Some((said.start, said.end))
            }
            Opened::Xlsb(book) => {
                let said =
                    book.worksheet_cells_reader(&sheet.name).map_err(|error| told(&error))?.dimensions();
                Some((said.start, said.end))
            }
            Opened::Xls(book) => ends(&book.worksheet_range(&sheet.name).map_err(|error| told(&error))?),
            Opened::Ods(book) => ends(&book.worksheet_range(&sheet.name).map_err(|error| told(&error))?),
        };
        let mut facts = json!({"name": sheet.name});
        if let Some(((top, left), (bottom, right))) =
            ends.filter(|(start, end)| start.0 <= end.0 && start.1 <= end.1)
        {
            facts["range"] =
                json!(format!("{}{}:{}{}", letters(left), top + 1, letters(right), bottom.saturating_add(1)));
            facts["rows"] = json!(u64::from(bottom - top) + 1);
            facts["columns"] = json!(u64::from(right - left) + 1);
        }
        if sheet.hidden {
            facts["hidden"] = json!(true);
        }
        Ok(facts)
    }

    /// Visits the cells of a sheet, row by row. Those of the newer formats of Excel are read as they are visited.
    pub(super) fn each_cell(
        &mut self,
        sheet: &str,
        mut visit: impl FnMut(u32, u32, &Data),
    ) -> Result<(), FormatError> {
        let range = match &mut self.opened {
            Opened::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(|error| told(&error))?;
                while let Some(cell) = cells.next_cell().map_err(|error| told(&error))? {
                    let (row, column) = cell.get_position();
                    visit(row, column, &Data::from(cell.get_value().clone()));
                }
                return Ok(());
            }
            Opened::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(|error| told(&error))?;
                while let Some(cell) = cells.next_cell().map_err(|error| told(&error))? {
                    let (row, column) = cell.get_position();
                    visit(row, column, &Data::from(cell.get_value().clone()));
                }
                return Ok(());
            }
            Opened::Xls(book) => book.worksheet_range(sheet).map_err(|error| told(&error))?,
            Opened::Ods(book) => book.worksheet_range(sheet).map_err(|error| told(&error))?,
        };
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, value) in range.used_cells() {
            visit(top.saturating_add(row as u32), left.saturating_add(column as u32), value);
        }
        Ok(())
    }
}

/// What kind of workbook it is, by its content, and whether it stays within limits.
fn kind(source: &mut Source) -> Result<Kind, FormatError> {
    if is_compound(&source.head()?) {
        if source.size > MOST_OLD {
            return Err(FormatError::too_large(format!(
                "a workbook of Excel 97-2003 may have {} MiB here: save it as xlsx",
                MOST_OLD >> 20
            )));
        }
        return if is_locked(source)? {
            Err(FormatError::encrypted("it is locked with a password: save it without one and try again"))
        } else {
            Ok(Kind::Xls)
        };
    }
    let mut package = Package::open(source)?;
    for texts in ["xl/sharedStrings.xml", "xl/sharedStrings.bin", "xl/styles.xml"] {
        package.check_part(texts, MOST_TEXTS)?;
    }
    if package.has("xl/workbook.bin") {
        Ok(Kind::Xlsb)
    } else if package.has("content.xml") {
        package.check_part("content.xml", MOST_TEXTS)?;
        Ok(Kind::Ods)
    } else if package.has("xl/workbook.xml") {
        Ok(Kind::Xlsx)
    } else {
        Err(FormatError::not_this_format(
            "it has no workbook: neither `xl/workbook.xml` nor `content.xml` is in it",
        ))
    }
}

/// Whether a compound file holds a package that is locked (MS-OFFCRYPTO, 2.3.4.4).
fn is_locked(source: &mut Source) -> Result<bool, FormatError> {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bytes = Vec::new();
    source.file.rewind()?;
    source.file.by_ref().take(MOST_OLD).read_to_end(&mut bytes)?;
    // The directory is in sectors of 512 or 4096 bytes, and its entries have 128.
    Ok(bytes.chunks(128).any(|entry| entry.starts_with(&name)))
}

fn ends(range: &Range<Data>) -> Option<((u32, u32), (u32, u32))> {
    range.start().zip(range.end())
}

fn told(error: &dyn std::error::Error) -> FormatError {
    let text = error.to_string();
    if text.contains("password") {
        return FormatError::encrypted("it is locked with a password: save it without one and try again");
    }
    FormatError::corrupt(format!("the workbook is damaged or was cut off: {text}"))
}
