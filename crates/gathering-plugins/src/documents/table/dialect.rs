//! How a table is written: what separates its fields, whether its first row names the columns, and what is in them.

use encoding_rs::Encoding;

use super::super::decode::find;
use super::super::format::{FormatError, Reading, Source};
use super::MOST_COLUMNS;
use super::reader::Rows;
use super::types::Kind;

/// How many rows the types are taken from.
const SAMPLED: usize = 1000;
/// What fields are separated by.
const DELIMITERS: [u8; 5] = [b',', b';', b'\t', b'|', b':'];

/// How a table is written.
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) header: bool,
    pub(super) encoding: &'static Encoding,
    pub(super) columns: Vec<String>,
    pub(super) kinds: Vec<Kind>,
    pub(super) notes: Vec<String>,
}

impl Dialect {
    /// Finds out what the caller did not say. `usual` separates the fields if nothing speaks for another.
    pub(super) fn find(source: &mut Source, options: &Reading, usual: u8) -> Result<Self, FormatError> {
        let encoding = find(source, options.encoding.as_deref())?;
        let mut dialect = Self {
            delimiter: usual,
            header: false,
            encoding,
            columns: Vec::new(),
            kinds: Vec::new(),
            notes: Vec::new(),
        };
        dialect.delimiter = match options.delimiter.as_deref() {
            Some("\\t") => b'\t',
            Some(given) => match given.as_bytes() {
                [delimiter @ 1..=127] => *delimiter,
                _ => {
                    return Err(FormatError::unsupported(format!(
                        "`delimiter` is one ASCII character, not `{given}`"
                    )));
                }
            },
            None => dialect.likeliest_delimiter(source)?,
        };
        let mut sample = dialect.sample(source)?;
        let Some(first) = sample.first() else {
            return Ok(dialect);
        };
        if first.len() > MOST_COLUMNS {
            let count = first.len();
            return Err(FormatError::too_large(format!("it has {count} columns, more than {MOST_COLUMNS}")));
        }
        dialect.header = options.header.unwrap_or_else(|| names_columns(&sample));
        if dialect.header {
            dialect.columns = unique(sample.remove(0));
        } else {
            dialect.columns = (1..=first.len()).map(|at| format!("column_{at}")).collect();
        }
        let cells = |at: usize| sample.iter().filter_map(move |row| row.get(at)).map(String::as_str);
        dialect.kinds = (0..dialect.columns.len()).map(|at| Kind::of(cells(at))).collect();
        Ok(dialect)
    }

    /// The one with which most rows have the same number of fields, and more than one.
    fn likeliest_delimiter(&mut self, source: &mut Source) -> Result<u8, FormatError> {
        let usual = self.delimiter;
        let mut best = (0, usual);
        let others = DELIMITERS.into_iter().filter(|delimiter| *delimiter != usual);
        for delimiter in std::iter::once(usual).chain(others) {
            self.delimiter = delimiter;
            let mut sample = self.sample(source)?;
            sample.truncate(100);
            let mut widths: Vec<usize> = sample.iter().map(Vec::len).collect();
            widths.sort_unstable();
            let Some(width) = widths.get(widths.len() / 2).copied().filter(|width| *width > 1) else {
                continue;
            };
            let alike = widths.iter().filter(|other| **other == width).count();
            // Alike counts most; then the wider table.
            let score = alike * 1000 / widths.len() * 100 + width.min(50) + usize::from(delimiter == usual);
            // A colon also stands in times and addresses.
            let score = if delimiter == b':' { score / 2 } else { score };
            if score > best.0 {
                best = (score, delimiter);
            }
        }
        self.delimiter = usual;
        Ok(best.1)
    }

    fn sample(&self, source: &mut Source) -> Result<Vec<Vec<String>>, FormatError> {
        let mut rows = Rows::open(source, self)?;
        let mut sample = Vec::new();
        let mut size = 0;
        while sample.len() <= SAMPLED && size < 1 << 20 {
            let Some(record) = rows.next()? else { break };
            size += record.as_slice().len();
            sample.push(record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect());
        }
        Ok(sample)
    }
}

/// Whether the first row looks like names: all different, none empty or a number, and over a column of another kind or of
/// words that are not repeated there.
fn names_columns(sample: &[Vec<String>]) -> bool {
    let [first, rest @ ..] = sample else { return false };
    let mut names: Vec<String> = first.iter().map(|name| name.trim().to_lowercase()).collect();
    if names.iter().any(String::is_empty) && names.len() < 2 {
        return false;
    }
    if first.iter().any(|name| !name.trim().is_empty() && Kind::of([name.as_str()]) != Kind::Text) {
        return false;
    }
    names.sort_unstable();
    names.dedup();
    names.len() == first.len() && !rest.iter().any(|row| row == first)
}

/// Names without repetitions and gaps.
fn unique(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let given = names.into_iter().enumerate();
    given
        .map(|(at, name)| {
            let name = name.trim().trim_start_matches('\u{feff}');
            let name = if name.is_empty() { format!("column_{}", at + 1) } else { name.to_owned() };
            let mut free = name.clone();
            let mut number = 2;
            while !seen.insert(free.clone()) {
                free = format!("{name}_{number}");
                number += 1;
            }
            free
        })
        .collect()
}
