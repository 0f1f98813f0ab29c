//! What is in the cells of a column.

use serde_json::Value;

/// What is in the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Number,
    Boolean,
    /// `2026-01-31`, with or without a time (ISO 8601).
    Date,
    Text,
}

impl Kind {
    /// The narrowest kind that all cells are of; those that hold nothing say nothing.
    pub(super) fn of<'a>(cells: impl IntoIterator<Item = &'a str>) -> Self {
        let mut cells = cells.into_iter().map(str::trim).filter(|cell| !is_null(cell.as_bytes())).peekable();
        let Some(first) = cells.peek().copied() else { return Self::Text };
        let narrowest = [Self::Integer, Self::Number, Self::Boolean, Self::Date];
        let mut kind = narrowest.into_iter().find(|kind| kind.fits(first)).unwrap_or(Self::Text);
        for cell in cells {
            if kind == Self::Integer && !kind.fits(cell) {
                kind = Self::Number;
            }
            if !kind.fits(cell) {
                return Self::Text;
            }
        }
        kind
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Text => "text",
        }
    }

    fn fits(self, cell: &str) -> bool {
        match self {
            Self::Integer => is_plain_number(cell) && cell.parse::<i64>().is_ok(),
            Self::Number => is_plain_number(cell) && cell.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Boolean => boolean(cell).is_some(),
            Self::Date => is_date(cell),
            Self::Text => true,
        }
    }

    /// A cell as a value. One that is not of this kind stays text.
    pub(super) fn value(self, cell: &str) -> Value {
        let trimmed = cell.trim();
        match self {
            _ if cell.is_empty() => Value::Null,
            Self::Text | Self::Date => Value::from(cell),
            _ if is_null(trimmed.as_bytes()) => Value::Null,
            Self::Integer | Self::Number if self.fits(trimmed) => match trimmed.parse::<i64>() {
                Ok(whole) => whole.into(),
                Err(_) => trimmed.parse::<f64>().map_or_else(|_| cell.into(), Value::from),
            },
            Self::Boolean => boolean(trimmed).map_or_else(|| cell.into(), Value::from),
            Self::Integer | Self::Number => cell.into(),
        }
    }
}

/// Whether a cell stands for nothing, as pandas and R write it.
pub(super) fn is_null(cell: &[u8]) -> bool {
    // Most cells begin with something else.
    if !matches!(cell.first(), None | Some(b'N' | b'n' | b'#')) {
        return false;
    }
    matches!(cell, b"" | b"NA" | b"N/A" | b"n/a" | b"NaN" | b"nan" | b"null" | b"NULL" | b"None" | b"#N/A")
}

fn boolean(cell: &str) -> Option<bool> {
    match cell {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A number that is one to a reader, too: `007` is a name, `1_000` and `inf` are words.
fn is_plain_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell).as_bytes();
    match digits {
        [b'0', b'0'..=b'9', ..] | [] => false,
        [first, ..] => {
            (first.is_ascii_digit() || *first == b'.')
                && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        }
    }
}

pub(super) fn is_date(cell: &str) -> bool {
    let bytes = cell.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
    (10..=35).contains(&bytes.len())
        && digits(0..4)
        && bytes[4] == b'-'
        && digits(5..7)
        && bytes[7] == b'-'
        && digits(8..10)
        && matches!(bytes.get(10), None | Some(b'T' | b' '))
        && (1..=12).contains(&((bytes[5] - b'0') * 10 + bytes[6] - b'0'))
        && (1..=31).contains(&((bytes[8] - b'0') * 10 + bytes[9] - b'0'))
}
