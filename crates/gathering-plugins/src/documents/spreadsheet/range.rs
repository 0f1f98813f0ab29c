//! Areas of cells as people write them: `B2:D10`, `C7`, `A:C`, `2:5`.

use std::str::FromStr;

use super::super::format::FormatError;

/// The last row and the last column that Excel has, counted from 0.
const LAST_ROW: u32 = 1_048_575;
const LAST_COLUMN: u32 = 16_383;

/// An area of cells, counted from 0, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) first_row: u32,
    pub(super) last_row: u32,
    pub(super) first_column: u32,
    pub(super) last_column: u32,
}

impl Area {
    pub(super) fn holds(&self, row: u32, column: u32) -> bool {
        (self.first_row..=self.last_row).contains(&row)
            && (self.first_column..=self.last_column).contains(&column)
    }
}

impl FromStr for Area {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let wrong = || {
            FormatError::not_there(format!(
                "`{text}` is no range of cells: write `B2:D10`, `C7`, `A:C` or `2:5`"
            ))
        };
        let text = text.trim();
        let (from, to) = text.split_once(':').unwrap_or((text, text));
        let ((from_row, from_column), (to_row, to_column)) =
            (place(from).ok_or_else(wrong)?, place(to).ok_or_else(wrong)?);
        // `A` alone could be a name; only a range may leave rows or columns open.
        if from_row.is_some() != to_row.is_some()
            || from_column.is_some() != to_column.is_some()
            || (!text.contains(':') && (from_row.is_none() || from_column.is_none()))
        {
            return Err(wrong());
        }
        let ends = |from: Option<u32>, to: Option<u32>, last: u32| match from.zip(to) {
            Some((from, to)) => (from.min(to), from.max(to)),
            None => (0, last),
        };
        let (first_row, last_row) = ends(from_row, to_row, LAST_ROW);
        let (first_column, last_column) = ends(from_column, to_column, LAST_COLUMN);
        Ok(Self { first_row, last_row, first_column, last_column })
    }
}

/// Row and column of `$B$2`, `B` or `2`, counted from 0.
fn place(text: &str) -> Option<(Option<u32>, Option<u32>)> {
    let text = text.trim().replace('$', "");
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, digits) = text.split_at(letters);
    if text.is_empty() || letters.len() > 3 || digits.len() > 7 {
        return None;
    }
    let column = (!letters.is_empty()).then(|| {
        letters
            .bytes()
            .fold(0, |column, letter| column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1)
            - 1
    });
    let row = match digits {
        "" => None,
        digits => Some(digits.parse::<u32>().ok()?.checked_sub(1)?),
    };
    (column.is_none_or(|column| column <= LAST_COLUMN) && row.is_none_or(|row| row <= LAST_ROW))
        .then_some((row, column))
}

/// The letters of a column that is counted from 0: `A`, `Z`, `AA`.
pub(super) fn letters(column: u32) -> String {
    let (mut rest, mut letters) = (u64::from(column) + 1, Vec::new());
    while rest > 0 {
        rest -= 1;
        letters.push(b'A' + (rest % 26) as u8);
        rest /= 26;
    }
    letters.iter().rev().copied().map(char::from).collect()
}
