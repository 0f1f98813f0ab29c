//! The values of cells as JSON.

use calamine::{Data, ExcelDateTime};
use serde_json::{Value, json};

/// The most text of one cell, in bytes: what Excel takes, 32,767 characters, and then some.
const MOST_TEXT: usize = 64 << 10;

/// A cell's value: numbers as numbers, dates in ISO 8601, durations as `h:mm:ss`, errors such as `#DIV/0!` as text.
pub(super) fn json(value: &Data) -> Value {
    match value {
        Data::Int(number) => json!(number),
        Data::Float(number) => number_as_written(*number),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => {
            json!(&text[..text.floor_char_boundary(MOST_TEXT)])
        }
        Data::Bool(value) => json!(value),
        Data::DateTime(date) if date.is_duration() => json!(duration(date.as_f64())),
        Data::DateTime(date) => json!(iso(date)),
        Data::Error(error) => json!(error.to_string()),
        Data::Empty => Value::Null,
    }
}

/// Excel knows only floating point: what has no fraction is written without one.
fn number_as_written(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT { json!(number as i64) } else { json!(number) }
}

fn iso(date: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
    let mut time = format!("{hour:02}:{minute:02}:{second:02}");
    if milli > 0 {
        time.push_str(&format!(".{milli:03}"));
    }
    match date.as_f64() {
        // Less than a day is a time of day.
        value if (0.0..1.0).contains(&value) => time,
        value if value.fract() == 0.0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}T{time}"),
    }
}

fn duration(days: f64) -> String {
    let seconds = (days.abs() * 86_400.0).round() as u64;
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
