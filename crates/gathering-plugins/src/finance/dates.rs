//! Days, and the fraction of a year between two of them by named conventions.

use chrono::{Datelike, NaiveDate, Utc};
use serde::Deserialize;

use crate::Failure;
use crate::base::shown;

/// How days become years. The names are those of ISDA (2006 Definitions, section 4.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum DayCount {
    /// 4.16(d), what spreadsheets use for XIRR and XNPV.
    #[serde(rename = "actual/365")]
    Actual365,
    /// 4.16(e), of money markets.
    #[serde(rename = "actual/360")]
    Actual360,
    /// 4.16(b): days in leap years by 366, others by 365.
    #[serde(rename = "actual/actual")]
    ActualActual,
    /// 4.16(f), the bond basis.
    #[serde(rename = "30/360")]
    Thirty360,
}

impl DayCount {
    /// The years from `start` to `end`; negative if that is earlier.
    pub(super) fn years(self, start: NaiveDate, end: NaiveDate) -> f64 {
        if end < start {
            return -self.years(end, start);
        }
        let days = (end - start).num_days() as f64;
        match self {
            Self::Actual365 => days / 365.0,
            Self::Actual360 => days / 360.0,
            Self::ActualActual => {
                let passed = |date: NaiveDate| {
                    let length = if date.leap_year() { 366.0 } else { 365.0 };
                    f64::from(date.year()) + f64::from(date.ordinal0()) / length
                };
                passed(end) - passed(start)
            }
            Self::Thirty360 => {
                let first = start.day().min(30);
                let last = if first == 30 { end.day().min(30) } else { end.day() };
                let months = (end.year() - start.year()) * 12 + end.month() as i32 - start.month() as i32;
                f64::from(months) / 12.0 + (f64::from(last) - f64::from(first)) / 360.0
            }
        }
    }
}

/// A day such as `2025-03-31`.
pub(super) fn date(text: &str) -> Result<NaiveDate, Failure> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| format!("`{}` is no date: expected one such as `2025-03-31`", shown(text)).into())
}

/// Today, in UTC.
pub(super) fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// What a time span is asked for by.
pub(super) struct Span {
    pub(super) from: NaiveDate,
    pub(super) to: NaiveDate,
}

impl Span {
    /// From `from`, by default `years` years before `to`, which is today by default.
    pub(super) fn parse(from: Option<&str>, to: Option<&str>, years: u32) -> Result<Self, Failure> {
        let to = to.map(date).transpose()?.unwrap_or_else(today);
        let from = match from {
            Some(from) => date(from)?,
            None => to.checked_sub_months(chrono::Months::new(12 * years)).unwrap_or(NaiveDate::MIN),
        };
        if from > to {
            return Err(format!("`from` ({from}) is later than `to` ({to})").into());
        }
        Ok(Self { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).expect("a good date")
    }

    #[test]
    fn conventions_agree_with_the_examples_of_isda() {
        // ISDA's memorandum of 1998 on Actual/Actual: from 1 November 2003 to 1 May 2004.
        let years = DayCount::ActualActual.years(day(2003, 11, 1), day(2004, 5, 1));
        assert!((years - (61.0 / 365.0 + 121.0 / 366.0)).abs() < 1e-12, "{years}");
        assert_eq!(DayCount::Thirty360.years(day(2007, 1, 15), day(2007, 1, 31)), 16.0 / 360.0);
        assert_eq!(DayCount::Thirty360.years(day(2006, 8, 31), day(2007, 2, 28)), 178.0 / 360.0);
        assert_eq!(DayCount::Actual360.years(day(2024, 1, 1), day(2024, 12, 31)), 365.0 / 360.0);
        assert_eq!(DayCount::Actual365.years(day(2024, 12, 31), day(2024, 1, 1)), -1.0);
    }
}
