//! CSV, TSV and their like: the dialect and the types of the columns are found out, rows are read in parts.

mod dialect;
mod reader;
mod statistics;
mod types;

use serde_json::{Map, Value, json};

use self::dialect::Dialect;
use self::reader::Rows;
use self::statistics::statistics;
use self::types::Kind;
use super::decode::may_be_text;
use super::format::{Content, Format, FormatError, Previewing, Reading, Source, Table};
use super::picture;

/// The most columns of a table.
const MOST_COLUMNS: usize = 16_384;
/// The rows that are returned, unless more or fewer are wanted.
const USUAL_ROWS: u64 = 1000;
/// How much of a file its facts are taken from, in bytes.
const LOOKED_AT: u64 = 64 << 20;

/// Values with a separator, which the name of the format gives if nothing in the file says another.
pub(super) struct Separated {
    pub(super) name: &'static str,
    pub(super) delimiter: u8,
}

/// Comma-separated values (RFC 4180, and what programs make of it).
pub(super) const CSV: Separated = Separated { name: "csv", delimiter: b',' };
/// Tab-separated values.
pub(super) const TSV: Separated = Separated { name: "tsv", delimiter: b'\t' };

impl Format for Separated {
    fn name(&self) -> &'static str {
        self.name
    }

    fn description(&self) -> &'static str {
        match self.delimiter {
            b'\t' => "Tab-separated values: rows in parts, types and statistics of columns",
            _ => "Comma-separated values in any dialect: rows in parts, types and statistics of columns",
        }
    }

    fn extensions(&self) -> &'static [&'static str] {
        if self.delimiter == b'\t' { &["tsv", "tab"] } else { &["csv", "psv"] }
    }

    fn media_types(&self) -> &'static [&'static str] {
        if self.delimiter == b'\t' { &["text/tab-separated-values"] } else { &["text/csv"] }
    }

    fn recognises(&self, head: &[u8]) -> bool {
        may_be_text(head)
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let dialect = Dialect::find(source, options, self.delimiter)?;
        if options.statistics {
            let value = Some(statistics(source, &dialect)?);
            return Ok(Content { value, ..Content::default() });
        }
        let offset = options.offset.unwrap_or(0);
        let mut rows = Rows::open(source, &dialect)?;
        rows.go_to(offset, options.position)?;
        let (most, limit) = (options.most(), options.limit.unwrap_or(USUAL_ROWS));
        let mut read: Vec<Vec<Value>> = Vec::new();
        let (mut size, mut width, mut uneven) = (0, dialect.columns.len(), 0u64);
        let mut more = None;
        loop {
            let position = rows.position();
            let Some(record) = rows.next()? else { break };
            let weight = record.as_slice().len() + 4 * record.len();
            if weight > most && read.is_empty() {
                return Err(FormatError::too_large(format!(
                    "row {} has more than the {most} bytes that are returned: raise `max_bytes`",
                    offset + 1
                )));
            }
            if read.len() as u64 == limit || size + weight > most {
                more = Some(json!({"offset": offset + read.len() as u64}));
                if let (Some(more), Some(position)) = (&mut more, position) {
                    more["position"] = position.into();
                }
                break;
            }
            size += weight;
            uneven += u64::from(record.len() != dialect.columns.len());
            width = width.max(record.len());
            let value = |(at, cell): (usize, &[u8])| {
                dialect.kinds.get(at).copied().unwrap_or(Kind::Text).value(&String::from_utf8_lossy(cell))
            };
            read.push(record.iter().enumerate().map(value).collect());
        }
        if offset > 0 && read.is_empty() {
            let hint = "`document_info` tells how many there are";
            return Err(FormatError::not_there(format!("it has no row {}: {hint}", offset + 1)));
        }
        let mut columns = dialect.columns.clone();
        columns.extend((columns.len()..width).map(|at| format!("column_{}", at + 1)));
        read.iter_mut().for_each(|row| row.resize(width, Value::Null));
        let mut notes = dialect.notes.clone();
        if uneven > 0 {
            let wanted = dialect.columns.len();
            notes
                .push(format!("{uneven} of these rows do not have {wanted} fields; what is missing is null"));
        }
        let total = more.is_none().then(|| offset + read.len() as u64);
        let table = Some(Table { columns, rows: read, total });
        Ok(Content { table, more, notes, ..Content::default() })
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let dialect = Dialect::find(source, &Reading::default(), self.delimiter)?;
        let (count, whole) = Rows::open(source, &dialect)?.count(LOOKED_AT)?;
        let columns: Vec<Value> = dialect
            .columns
            .iter()
            .zip(&dialect.kinds)
            .map(|(name, kind)| json!({"name": name, "type": kind.as_str()}))
            .collect();
        let Value::Object(mut facts) = json!({
            "delimiter": char::from(dialect.delimiter).to_string(),
            "header": dialect.header,
            "encoding": dialect.encoding.name(),
            "columns_count": columns.len(),
            "columns": columns,
        }) else {
            unreachable!("it is an object");
        };
        facts.insert(if whole { "rows" } else { "rows_at_least" }.into(), count.into());
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let reading = Reading { limit: Some(120), ..Reading::default() };
        let table = self.read(source, &reading)?.table.unwrap_or_default();
        picture::table(&table, options)
    }
}
