//! Prices from CSV files in a folder, one for each symbol, as Yahoo, Stooq and pandas write them.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use chrono::NaiveDate;
use csv::{ReaderBuilder, StringRecord, Trim};
use rust_decimal::Decimal;

use super::super::arguments::decimal;
use super::{Bar, History, Latest, NoPrices, Symbol};
use crate::Failure;
use crate::base::{Base, shown};

/// The largest file, in bytes: a century of days takes 3 MB.
const MAX_FILE: u64 = 32 << 20;
/// How many of the symbols that are there an error names.
const NAMED: usize = 12;

/// A folder of CSV files.
pub(super) struct CsvFolder {
    base: Arc<Base>,
    folder: String,
}

impl CsvFolder {
    pub(super) fn new(base: Arc<Base>, folder: String) -> Self {
        Self { base, folder }
    }

    /// The bars from `from` to `to`, and the latest price of the file up to `to`.
    pub(super) fn history(
        &self,
        symbol: &Symbol,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<History, NoPrices> {
        let path = self.find(symbol)?;
        let failed = |error: Failure| match error {
            Failure::Message(message) => NoPrices::Failed(message),
            Failure::Error(error) => NoPrices::Failed(error.to_string()),
        };
        let file = self.base.open_file(&path).map_err(failed)?;
        let (mut bars, currency) =
            read(file).map_err(|reason| NoPrices::Failed(format!("`{}`: {reason}", shown(&path))))?;
        bars.retain(|bar| bar.date <= to);
        let Some(last) = bars.last() else {
            return Err(NoPrices::Failed(format!("`{}` holds no price up to {to}", shown(&path))));
        };
        let latest = Latest { price: last.close, as_of: last.date.to_string(), date: last.date };
        let previous_close = bars.iter().rev().nth(1).map(|bar| bar.close);
        bars.retain(|bar| bar.date >= from);
        Ok(History {
            symbol: symbol.clone(),
            currency,
            source: format!("csv: {path}"),
            latest,
            previous_close,
            bars,
        })
    }

    /// The file of a symbol: `EURUSD=X` may also be called `EURUSD.csv`.
    fn find(&self, symbol: &Symbol) -> Result<String, NoPrices> {
        let name = symbol.as_str();
        let names = [Some(name), name.strip_suffix("=X")];
        for name in names.into_iter().flatten() {
            for ending in ["csv", "CSV"] {
                let path = format!("{}/{name}.{ending}", self.folder);
                if self.base.dir.metadata(&path).is_ok() {
                    return Ok(path);
                }
            }
        }
        let folder = shown(&self.folder);
        let there = self.symbols();
        let known = match there.as_slice() {
            [] => "there are no prices yet".to_owned(),
            there => format!("there are prices of {}", there.join(", ")),
        };
        Err(NoPrices::Unknown(format!(
            "there are no prices of `{name}` in the folder `{folder}`: put a file `{folder}/{name}.csv` there with the \
             columns Date and Close, or have the operator set another `source` of the plugin `finance` ({known})"
        )))
    }

    /// Some of the symbols that there are files of.
    fn symbols(&self) -> Vec<String> {
        let Ok(entries) = self.base.dir.read_dir(&self.folder) else { return Vec::new() };
        let name = |entry: std::io::Result<cap_std::fs::DirEntry>| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(shown(name.strip_suffix(".csv")?))
        };
        let mut names: Vec<String> = entries.filter_map(name).collect();
        names.sort();
        if names.len() > NAMED {
            let more = names.len() - NAMED;
            names.truncate(NAMED);
            names.push(format!("{more} more"));
        }
        names
    }
}

/// Where the columns are.
struct Columns {
    date: usize,
    close: usize,
    open: Option<usize>,
    high: Option<usize>,
    low: Option<usize>,
    adjusted: Option<usize>,
    volume: Option<usize>,
    currency: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, String> {
        let names: Vec<String> = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_lowercase().replace([' ', '_'], ""))
            .collect();
        let find = |wanted: &[&str]| names.iter().position(|name| wanted.contains(&name.as_str()));
        let missing = |column: &str| {
            let header: Vec<&str> = header.iter().collect();
            format!("it has no column `{column}`; its first line is `{}`", shown(&header.join(",")))
        };
        Ok(Self {
            date: find(&["date", "datetime", "timestamp"]).ok_or_else(|| missing("Date"))?,
            close: find(&["close", "price", "rate"]).ok_or_else(|| missing("Close"))?,
            open: find(&["open"]),
            high: find(&["high"]),
            low: find(&["low"]),
            adjusted: find(&["adjclose", "adjustedclose"]),
            volume: find(&["volume"]),
            currency: find(&["currency"]),
        })
    }
}

/// The bars of a file, oldest first, and the currency that it names.
fn read(file: File) -> Result<(Vec<Bar>, Option<String>), String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    if length > MAX_FILE {
        return Err(format!("it has {length} bytes, more than the {MAX_FILE} that are read"));
    }
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file.take(MAX_FILE));
    let columns = Columns::find(reader.headers().map_err(|error| error.to_string())?)?;
    let (mut bars, mut currency) = (Vec::new(), None);
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let at_line = |reason: String| format!("line {line}: {reason}");
        // A day without trade has no price.
        let Some(close) = price(&record, Some(columns.close)).map_err(at_line)? else { continue };
        if let Some(named) = columns.currency.and_then(|at| record.get(at)).filter(|named| !named.is_empty())
        {
            match &currency {
                None => currency = Some(named.to_owned()),
                Some(known) if known == named => {}
                Some(known) => {
                    return Err(at_line(format!(
                        "the currency changes from `{}` to `{}`",
                        shown(known),
                        shown(named)
                    )));
                }
            }
        }
        let optional = |at| price(&record, at).map_err(at_line);
        bars.push(Bar {
            date: day(record.get(columns.date).unwrap_or_default()).map_err(at_line)?,
            open: optional(columns.open)?,
            high: optional(columns.high)?,
            low: optional(columns.low)?,
            close,
            adjusted: optional(columns.adjusted)?,
            volume: columns
                .volume
                .and_then(|at| record.get(at)?.parse::<f64>().ok())
                .map(|volume| volume as u64),
        });
    }
    bars.sort_by_key(|bar| bar.date);
    match bars.windows(2).find(|pair| pair[0].date == pair[1].date) {
        Some(pair) => Err(format!("the day {} stands there twice", pair[0].date)),
        None => Ok((bars, currency)),
    }
}

/// The day, without the time that pandas writes behind it.
fn day(text: &str) -> Result<NaiveDate, String> {
    let start = text.get(..10).unwrap_or(text);
    ["%Y-%m-%d", "%Y%m%d"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(start, format).ok())
        .ok_or_else(|| format!("`{}` is no date: expected one such as `2025-03-31`", shown(text)))
}

/// A price above zero; none where the field is empty, or says that there is none.
fn price(record: &StringRecord, column: Option<usize>) -> Result<Option<Decimal>, String> {
    let text = column.and_then(|at| record.get(at)).unwrap_or_default();
    if matches!(text.to_ascii_lowercase().as_str(), "" | "-" | "null" | "nan" | "n/a" | "n/d" | "none") {
        return Ok(None);
    }
    match decimal(text) {
        // Floats that pandas wrote have digits that no price has.
        Some(price) if price > Decimal::ZERO => Ok(Some(price.round_dp(10).normalize())),
        _ => Err(format!("`{}` is no price: expected a number above zero", shown(text))),
    }
}
