//! `stock_price` and `price_history`: what a paper costs, and what it did.

use chrono::Datelike;
use gathering_core::ToolOutput;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Finance;
use super::arguments::{float, number};
use super::dates::Span;
use super::quotes::{Bar, SYMBOL_PATTERN, Symbol};
use crate::Failure;

pub(super) fn symbol_schema() -> Value {
    json!({
        "type": "string", "pattern": SYMBOL_PATTERN,
        "description": "A symbol such as `AAPL`, `SAP.DE`, `BRK-B`, an index such as `^GSPC`, or an exchange rate such as \
            `EURUSD=X`; case does not matter",
    })
}

pub(super) fn price_definition() -> Value {
    json!({
        "name": "stock_price",
        "description": "Gives the latest price of a share, fund, index or exchange rate that the configured source has, with \
            its currency, when it was paid (`as_of`), where it comes from, and whether it is stale. Prices are never \
            guessed: what the source lacks is an error.",
        "category": "finance",
        "required_competencies": ["financial_analysis"],
        "parameters": {
            "type": "object",
            "properties": {"symbol": symbol_schema()},
            "required": ["symbol"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "symbol": {"type": "string"},
                "price": {"type": "number"},
                "currency": {"type": ["string", "null"], "description": "ISO 4217; null if the source does not say"},
                "previous_close": {"type": ["number", "null"], "description": "The close of the trading day before"},
                "change": {"type": ["number", "null"], "description": "Since that close"},
                "change_percent": {"type": ["number", "null"]},
                "as_of": {"type": "string", "description": "The day or time of the price"},
                "stale": {"type": "boolean", "description": "Whether it is older than the setting `stale_after_days`"},
                "source": {"type": "string", "description": "Where it comes from"},
            },
            "required": ["symbol", "price", "currency", "as_of", "stale", "source"],
        },
        "examples": [{"description": "What a share costs", "arguments": {"symbol": "ACME"}}],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": true},
    })
}

pub(super) fn history_definition() -> Value {
    json!({
        "name": "price_history",
        "description": "Gives the prices of a symbol by day, week or month: open, high, low, close, the close adjusted for \
            splits and dividends where the source has it, volume; and the change over the time.",
        "category": "finance",
        "required_competencies": ["financial_analysis"],
        "parameters": {
            "type": "object",
            "properties": {
                "symbol": symbol_schema(),
                "from": {"type": "string", "description": "The first day, such as `2024-01-31`; a year before `to` by default"},
                "to": {"type": "string", "description": "The last day, included; today by default"},
                "interval": {
                    "type": "string", "enum": ["1d", "1wk", "1mo"], "default": "1d",
                    "description": "By day, by week (from Monday) or by month",
                },
                "limit": {
                    "type": "integer", "default": 1000, "minimum": 1, "maximum": 20000,
                    "description": "The most entries; the latest are kept",
                },
            },
            "required": ["symbol"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "symbol": {"type": "string"},
                "currency": {"type": ["string", "null"]},
                "interval": {"type": "string"},
                "prices": {"type": "array", "items": {"type": "object"}, "description": "Oldest first: date (the first traded day \
                    of the week or month), open, high, low, close, adjusted_close, volume; null where the source has none"},
                "total": {"type": "integer", "description": "How many there are in that time"},
                "truncated": {"type": "boolean", "description": "Whether `limit` left some out"},
                "change_percent": {"type": ["number", "null"], "description": "From the first to the last close of the time"},
                "as_of": {"type": "string"},
                "stale": {"type": "boolean"},
                "source": {"type": "string"},
            },
            "required": ["symbol", "currency", "interval", "prices", "total", "truncated", "as_of", "stale", "source"],
        },
        "examples": [
            {"description": "A year by month", "arguments":
                {"symbol": "ACME", "from": "2024-01-01", "to": "2024-12-31", "interval": "1mo"}},
            {"description": "The last ten days", "arguments": {"symbol": "ACME", "from": "2024-01-01", "limit": 10}},
        ],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": true},
    })
}

#[derive(Deserialize)]
pub(super) struct PriceArguments {
    symbol: Symbol,
}

pub(super) async fn stock_price(
    finance: &Finance,
    PriceArguments { symbol }: PriceArguments,
) -> Result<Value, Failure> {
    let history = finance.quotes.latest(&symbol).await?;
    let latest = &history.latest;
    let change = history.previous_close.map(|previous| latest.price - previous);
    let percent = history.previous_close.map(|previous| percent_change(previous, latest.price));
    Ok(json!({
        "symbol": history.symbol.as_str(),
        "price": number(latest.price),
        "currency": history.currency,
        "previous_close": history.previous_close.map(number),
        "change": change.map(number),
        "change_percent": percent,
        "as_of": latest.as_of,
        "stale": finance.quotes.is_stale(latest.date),
        "source": history.source,
    }))
}

/// How prices are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Interval {
    #[serde(rename = "1d")]
    Day,
    #[serde(rename = "1wk")]
    Week,
    #[serde(rename = "1mo")]
    Month,
}

impl Interval {
    fn word(self) -> &'static str {
        match self {
            Self::Day => "1d",
            Self::Week => "1wk",
            Self::Month => "1mo",
        }
    }

    /// How many there are in a year of trading.
    pub(super) fn per_year(self) -> f64 {
        match self {
            Self::Day => 252.0,
            Self::Week => 52.0,
            Self::Month => 12.0,
        }
    }

    /// The bars of the days, taken together.
    pub(super) fn gather(self, days: Vec<Bar>) -> Vec<Bar> {
        let period = |bar: &Bar| match self {
            Self::Day => (bar.date.num_days_from_ce(), 0),
            Self::Week => (bar.date.iso_week().year(), bar.date.iso_week().week()),
            Self::Month => (bar.date.year(), bar.date.month()),
        };
        days.chunk_by(|one, next| period(one) == period(next)).map(together).collect()
    }
}

/// One bar of several days, of which there is at least one.
fn together(days: &[Bar]) -> Bar {
    let last = &days[days.len() - 1];
    Bar {
        date: days[0].date,
        open: days[0].open,
        high: days.iter().filter_map(|day| day.high).max(),
        low: days.iter().filter_map(|day| day.low).min(),
        close: last.close,
        adjusted: last.adjusted,
        volume: days.iter().filter_map(|day| day.volume).reduce(u64::saturating_add),
    }
}

#[derive(Deserialize)]
pub(super) struct HistoryArguments {
    symbol: Symbol,
    from: Option<String>,
    to: Option<String>,
    interval: Interval,
    limit: usize,
}

pub(super) async fn price_history(
    finance: &Finance,
    arguments: HistoryArguments,
) -> Result<ToolOutput, Failure> {
    let HistoryArguments { symbol, from, to, interval, limit } = arguments;
    let span = Span::parse(from.as_deref(), to.as_deref(), 1)?;
    let history = finance.quotes.history(&symbol, &span).await?;
    let bars = interval.gather(history.bars);
    let total = bars.len();
    let change = match (bars.first(), bars.last()) {
        (Some(first), Some(last)) => Some(percent_change(first.close, last.close)),
        _ => None,
    };
    let prices: Vec<_> = bars[total.saturating_sub(limit)..]
        .iter()
        .map(|bar| {
            json!({
                "date": bar.date.to_string(),
                "open": bar.open.map(number),
                "high": bar.high.map(number),
                "low": bar.low.map(number),
                "close": number(bar.close),
                "adjusted_close": bar.adjusted.map(number),
                "volume": bar.volume,
            })
        })
        .collect();
    let value = json!({
        "symbol": history.symbol.as_str(),
        "currency": history.currency,
        "interval": interval.word(),
        "truncated": total > prices.len(),
        "prices": prices,
        "total": total,
        "change_percent": change,
        "as_of": history.latest.as_of,
        "stale": finance.quotes.is_stale(history.latest.date),
        "source": history.source,
    });
    Ok(value.into())
}

/// The change between two prices above zero, in percent, to four decimals.
pub(super) fn percent_change(from: Decimal, to: Decimal) -> f64 {
    rounded((float(to) / float(from) - 1.0) * 100.0, 4)
}

/// A figure with so many decimals.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}
