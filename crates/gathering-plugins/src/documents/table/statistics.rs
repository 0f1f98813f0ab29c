//! Facts about each column, over all rows of a table of any size, read once.

use ahash::AHashMap;
use serde_json::{Map, Value, json};

use super::super::format::{FormatError, Source};
use super::dialect::Dialect;
use super::reader::Rows;
use super::types::{Kind, is_null};

/// How many different values of a column are counted. One that has more is only said to have more.
const MOST_DISTINCT: usize = 1000;
/// How many of the most frequent are told.
const TOP: usize = 5;

/// Facts about each column, and the number of rows.
pub(super) fn statistics(source: &mut Source, dialect: &Dialect) -> Result<Value, FormatError> {
    let mut columns: Vec<Column> = dialect.kinds.iter().map(|kind| Column::new(*kind)).collect();
    let mut rows = Rows::open(source, dialect)?;
    rows.go_to(0, None)?;
    let (mut count, mut uneven) = (0u64, 0u64);
    while let Some(record) = rows.next()? {
        count += 1;
        uneven += u64::from(record.len() != columns.len());
        for (column, cell) in columns.iter_mut().zip(record.iter()) {
            column.add(cell);
        }
    }
    let facts: Vec<Value> =
        dialect.columns.iter().zip(columns).map(|(name, column)| column.facts(name, count)).collect();
    let mut value = json!({"rows": count, "columns": facts});
    if uneven > 0 {
        value["uneven_rows"] = uneven.into();
    }
    Ok(value)
}

/// What is gathered of a column.
struct Column {
    kind: Kind,
    /// Cells that hold something.
    count: u64,
    numbers: Numbers,
    /// Cells that are not of the kind, and one of them.
    others: u64,
    other: Option<String>,
    /// How often there is each value; nothing once there are too many.
    distinct: Option<AHashMap<Box<[u8]>, u64>>,
    shortest: usize,
    longest: usize,
    first: Option<Box<[u8]>>,
    last: Option<Box<[u8]>>,
}

/// Of numbers: mean and variance as in Welford, "Note on a method for calculating corrected sums of squares and
/// products", Technometrics 4 (1962).
#[derive(Default)]
struct Numbers {
    count: f64,
    mean: f64,
    squares: f64,
    least: f64,
    most: f64,
    sum: f64,
}

impl Numbers {
    fn add(&mut self, value: f64) {
        if self.count == 0.0 {
            (self.least, self.most) = (value, value);
        }
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squares += off * (value - self.mean);
        self.sum += value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }
}

impl Column {
    fn new(kind: Kind) -> Self {
        let distinct = (!matches!(kind, Kind::Number | Kind::Integer)).then(AHashMap::new);
        Self {
            kind,
            count: 0,
            numbers: Numbers::default(),
            others: 0,
            other: None,
            distinct,
            shortest: usize::MAX,
            longest: 0,
            first: None,
            last: None,
        }
    }

    fn add(&mut self, cell: &[u8]) {
        if is_null(cell) {
            return;
        }
        self.count += 1;
        match self.kind {
            Kind::Integer | Kind::Number => match number(cell) {
                Some(value) => self.numbers.add(value),
                None => self.add_other(cell),
            },
            Kind::Date => {
                if self.first.as_deref().is_none_or(|first| cell < first) {
                    self.first = Some(cell.into());
                }
                if self.last.as_deref().is_none_or(|last| cell > last) {
                    self.last = Some(cell.into());
                }
                self.add_distinct(cell);
            }
            Kind::Boolean | Kind::Text => {
                self.shortest = self.shortest.min(cell.len());
                self.longest = self.longest.max(cell.len());
                self.add_distinct(cell);
            }
        }
    }

    #[cold]
    fn add_other(&mut self, cell: &[u8]) {
        self.others += 1;
        self.other.get_or_insert_with(|| String::from_utf8_lossy(&cell[..cell.len().min(100)]).into_owned());
    }

    fn add_distinct(&mut self, cell: &[u8]) {
        let Some(distinct) = &mut self.distinct else { return };
        let known = distinct.len();
        match distinct.get_mut(cell) {
            Some(count) => *count += 1,
            None if known == MOST_DISTINCT => self.distinct = None,
            None => drop(distinct.insert(cell.into(), 1)),
        }
    }

    fn facts(self, name: &str, rows: u64) -> Value {
        let mut facts = Map::new();
        let mut add = |name: &str, value: Value| drop(facts.insert(name.to_owned(), value));
        add("name", name.into());
        add("type", self.kind.as_str().into());
        add("count", self.count.into());
        add("nulls", (rows - self.count).into());
        let shown =
            |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).chars().take(100).collect::<String>());
        match self.kind {
            Kind::Integer | Kind::Number => {
                let Numbers { count, mean, squares, least, most, sum } = self.numbers;
                if count > 0.0 {
                    let whole = |value: f64| match self.kind {
                        Kind::Integer if value.abs() < 9e15 && value.fract() == 0.0 => {
                            Value::from(value as i64)
                        }
                        _ => Value::from(value),
                    };
                    add("min", whole(least));
                    add("max", whole(most));
                    add("mean", mean.into());
                    add("sum", whole(sum));
                }
                if count > 1.0 {
                    // Of a sample, as in pandas and R.
                    add("std", (squares / (count - 1.0)).sqrt().into());
                }
                if let Some(other) = self.other {
                    add("not_numbers", self.others.into());
                    add("not_a_number", other.into());
                }
            }
            Kind::Date => {
                for (name, value) in [("min", &self.first), ("max", &self.last)] {
                    if let Some(value) = value {
                        add(name, shown(value));
                    }
                }
            }
            Kind::Boolean | Kind::Text if self.count > 0 => {
                add("shortest", self.shortest.into());
                add("longest", self.longest.into());
            }
            Kind::Boolean | Kind::Text => {}
        }
        match self.distinct {
            Some(distinct) => {
                add("distinct", distinct.len().into());
                let mut all: Vec<_> = distinct.into_iter().collect();
                all.sort_unstable_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
                let top =
                    all.iter().take(TOP).map(|(value, count)| json!({"value": shown(value), "count": count}));
                add("top", top.collect());
            }
            None if !matches!(self.kind, Kind::Integer | Kind::Number) => {
                add("distinct_at_least", (MOST_DISTINCT + 1).into());
            }
            None => {}
        }
        Value::Object(facts)
    }
}

/// A number.
fn number(cell: &[u8]) -> Option<f64> {
    if let Some(short) = short_number(cell) {
        return Some(short);
    }
    let value: f64 = std::str::from_utf8(cell).ok()?.trim().parse().ok()?;
    value.is_finite().then_some(value)
}

/// A plain number of at most 15 digits, such as `-12.50`. Its digits as a whole and the power of ten are exact, so that their
/// quotient is what the correctly rounded parser gives (Clinger, "How to read floating point numbers accurately", 1990), in a
/// third of the time.
fn short_number(cell: &[u8]) -> Option<f64> {
    const TENS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let (mut whole, mut read, mut point) = (0u64, 0, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                whole = whole * 10 + u64::from(byte - b'0');
                read += 1;
            }
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    if !(1..=15).contains(&read) {
        return None;
    }
    let value = whole as f64 / TENS[point.map_or(0, |at| digits.len() - 1 - at)];
    Some(if negative { -value } else { value })
}
