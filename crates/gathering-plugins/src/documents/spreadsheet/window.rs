//! The part of a sheet that is wanted, collected from its cells as they go by.

use std::collections::BTreeMap;

use calamine::Data;
use serde_json::Value;

use super::MOST_COLUMNS;
use super::cell;
use super::range::{Area, letters};

/// Collects the rows that are wanted, and counts the others.
pub(super) struct Window {
    area: Option<Area>,
    offset: u64,
    limit: u64,
    most: usize,
    /// The first row with a value: where rows are counted from.
    first_row: Option<u32>,
    last_row: u32,
    columns: Option<(u32, u32)>,
    /// The first row, which may name the columns, and the rows that are wanted.
    rows: BTreeMap<u32, Vec<(u32, Value)>>,
    bytes: usize,
    /// The first row that no longer fits.
    full_at: Option<u32>,
}

/// What was collected.
pub(super) struct Read {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
    /// All rows, without the one that names the columns.
    pub(super) total: u64,
    /// The columns for which there was no room.
    pub(super) left_out: u32,
    /// The used cells, such as `A1:D20`.
    pub(super) place: Option<String>,
}

impl Window {
    pub(super) fn new(area: Option<Area>, offset: u64, limit: u64, most: usize) -> Self {
        Self {
            area,
            offset,
            limit,
            most,
            first_row: area.map(|area| area.first_row),
            last_row: 0,
            columns: area
                .filter(|area| area.last_column - area.first_column < MOST_COLUMNS)
                .map(|area| (area.first_column, area.last_column)),
            rows: BTreeMap::new(),
            bytes: 0,
            full_at: None,
        }
    }

    /// Takes note of a cell that has a value. Rows come in their order.
    pub(super) fn take(&mut self, row: u32, column: u32, value: &Data) {
        if self.area.is_some_and(|area| !area.holds(row, column)) || matches!(value, Data::Empty) {
            return;
        }
        let first_row = *self.first_row.get_or_insert(row);
        if row < first_row {
            return;
        }
        self.last_row = self.last_row.max(row);
        let columns = self.columns.get_or_insert((column, column));
        *columns = (columns.0.min(column), columns.1.max(column));
        // One row more than the limit: it is not known yet whether the first one names the columns.
        let index = u64::from(row - first_row);
        let is_wanted = index == 0 || (index >= self.offset && index - self.offset <= self.limit);
        if !is_wanted || self.full_at.is_some_and(|full| row >= full) {
            return;
        }
        let value = cell::json(value);
        // As JSON: text in quotes, a number's digits, and the commas.
        self.bytes += value.as_str().map_or(12, |text| text.len() + 3);
        if self.bytes > self.most && index > self.offset {
            self.full_at = Some(row);
            self.rows.remove(&row);
            return;
        }
        self.rows.entry(row).or_default().push((column, value));
    }

    /// The rows as a table. If `guessed`, the first row names the columns only if it looks like it.
    pub(super) fn table(self, header: bool, guessed: bool) -> Read {
        let (Some(first_row), Some((first, last))) = (self.first_row, self.columns) else {
            return Read { columns: Vec::new(), rows: Vec::new(), total: 0, left_out: 0, place: None };
        };
        let shown = last.min(first.saturating_add(MOST_COLUMNS - 1));
        let width = (shown - first + 1) as usize;
        let row = |row: u32| {
            let mut values = vec![Value::Null; width];
            for (column, value) in self.rows.get(&row).into_iter().flatten() {
                if let Some(place) = values.get_mut((column - first) as usize) {
                    *place = value.clone();
                }
            }
            values
        };
        let named = row(first_row);
        let header = header && (!guessed || names_columns(&named));
        let plain = (first..=shown).map(letters);
        let columns = if header {
            plain
                .zip(&named)
                .map(|(letters, name)| match name {
                    Value::Null => letters,
                    Value::String(name) => name.clone(),
                    name => name.to_string(),
                })
                .collect()
        } else {
            plain.collect()
        };
        let last_row = self.last_row.max(first_row);
        let total = u64::from(last_row - first_row) + u64::from(!header);
        let start = u64::from(first_row) + u64::from(header) + self.offset;
        let end = start.saturating_add(self.limit).min(u64::from(last_row) + 1);
        let end = self.full_at.map_or(end, |full| end.min(u64::from(full)));
        // Empty rows cost room, too.
        let room = (self.most / (5 * width)).max(1);
        let rows = (start..end).take(room).filter_map(|index| u32::try_from(index).ok()).map(row).collect();
        let place = format!("{}{}:{}{}", letters(first), first_row + 1, letters(last), last_row + 1);
        Read { columns, rows, total, left_out: last - shown, place: Some(place) }
    }
}

/// Whether a row looks like the names of columns: text in each cell, and no text twice.
fn names_columns(row: &[Value]) -> bool {
    let names: Vec<_> = row.iter().filter_map(Value::as_str).map(str::trim).collect();
    let mut seen = std::collections::HashSet::new();
    names.len() == row.len() && names.iter().all(|name| !name.is_empty() && seen.insert(*name))
}
