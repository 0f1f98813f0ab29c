//! Prices from an HTTP service with the chart endpoint of Yahoo Finance.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat};
use reqwest::Url;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Number;

use super::super::arguments::decimal;
use super::super::dates::Span;
use super::{Bar, History, Latest, NoPrices, Symbol};
use crate::http::{Answer, Http, HttpError, below, service_address};

/// The largest answer that is taken, in bytes: half a century of days takes 2 MB.
const MAX_ANSWER: usize = 32 << 20;
/// How many answers are kept.
const MAX_KEPT: usize = 256;

/// What was asked for: from which day to which.
type Asked = (Symbol, NaiveDate, NaiveDate);

/// A service with the endpoint `/v8/finance/chart/{symbol}`, whose answers are kept for a while.
pub(super) struct Yahoo {
    http: Http,
    service: Url,
    keep: Duration,
    kept: Mutex<HashMap<Asked, (Instant, History)>>,
}

#[derive(Deserialize)]
struct Body {
    chart: Chart,
}

#[derive(Deserialize)]
struct Chart {
    result: Option<Vec<Charted>>,
}

#[derive(Deserialize)]
struct Charted {
    meta: Meta,
    #[serde(default)]
    timestamp: Vec<i64>,
    indicators: Indicators,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    currency: Option<String>,
    regular_market_price: Option<Number>,
    regular_market_time: Option<i64>,
    #[serde(default)]
    gmtoffset: i32,
}

#[derive(Deserialize)]
struct Indicators {
    #[serde(default)]
    quote: Vec<Quote>,
    #[serde(default)]
    adjclose: Vec<Adjusted>,
}

type Column<T> = Vec<Option<T>>;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Quote {
    open: Column<Number>,
    high: Column<Number>,
    low: Column<Number>,
    close: Column<Number>,
    volume: Column<u64>,
}

#[derive(Deserialize)]
struct Adjusted {
    #[serde(default)]
    adjclose: Column<Number>,
}

impl Yahoo {
    pub(super) fn new(address: &str, timeout: Duration, keep: Duration) -> Result<Self, String> {
        let service =
            service_address(address).map_err(|error| format!("the setting `yahoo_url`: {error}"))?;
        Ok(Self { http: Http::new(timeout)?, service, keep, kept: Mutex::default() })
    }

    /// The bars of a time, and the latest price if that is not before `to`.
    pub(super) async fn history(&self, symbol: &Symbol, span: &Span) -> Result<History, NoPrices> {
        let key = (symbol.clone(), span.from, span.to);
        if let Some((at, history)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
            && at.elapsed() < self.keep
        {
            return Ok(history.clone());
        }
        let seconds =
            |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp().to_string();
        let mut address = below(&self.service, &["v8", "finance", "chart", symbol.as_str()]);
        // A day more at both ends: the days of an exchange begin at other times than those of UTC.
        address
            .query_pairs_mut()
            .append_pair("period1", &seconds(span.from - chrono::Days::new(1)))
            .append_pair("period2", &seconds(span.to + chrono::Days::new(2)))
            .append_pair("interval", "1d")
            .append_pair("events", "div,splits");
        let answer = self
            .http
            .send(self.http.get(address), MAX_ANSWER)
            .await
            .map_err(|error| failed(symbol, &error))?;
        let history = read(symbol, span, &answer).map_err(|error| failed(symbol, &error))?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < self.keep);
        if kept.len() < MAX_KEPT {
            kept.insert(key, (Instant::now(), history.clone()));
        }
        Ok(history)
    }
}

fn failed(symbol: &Symbol, error: &HttpError) -> NoPrices {
    let name = symbol.as_str();
    match error {
        HttpError::Status { status: 404, .. } => NoPrices::Unknown(format!(
            "the source does not know `{name}` ({error}): check the symbol; shares outside of the United States have the \
             ending of their exchange, such as `SAP.DE`"
        )),
        HttpError::Status { status: 401 | 403 | 429, .. } => NoPrices::Failed(format!(
            "the source refuses to give prices of `{name}` now ({error}): try later, or have the operator set another \
             `yahoo_url`, or the source `csv`, of the plugin `finance`"
        )),
        _ => NoPrices::Failed(format!(
            "there are no prices of `{name}`: {error} (the operator may set another `yahoo_url`, or the source `csv`, of the \
             plugin `finance`)"
        )),
    }
}

fn read(symbol: &Symbol, span: &Span, answer: &Answer) -> Result<History, HttpError> {
    let body: Body = answer.json()?;
    let unexpected = |what: &str| answer.unexpected(format!("{what}, for `{}`", symbol.as_str()));
    let charted = body.chart.result.unwrap_or_default().into_iter().next();
    let Charted { meta, timestamp, indicators } =
        charted.ok_or_else(|| unexpected("there is no `chart.result`"))?;
    let zone = FixedOffset::east_opt(meta.gmtoffset)
        .ok_or_else(|| unexpected("`gmtoffset` is no zone of the world"))?;
    let time = |seconds: i64| Some(DateTime::from_timestamp(seconds, 0)?.with_timezone(&zone));
    let quote = indicators.quote.into_iter().next().unwrap_or_default();
    let adjusted = indicators.adjclose.into_iter().next().map(|each| each.adjclose).unwrap_or_default();
    let price = |column: &Column<Number>, at: usize| column.get(at)?.as_ref().and_then(exact);
    let mut bars: Vec<Bar> = Vec::new();
    for (at, seconds) in timestamp.iter().enumerate() {
        let date = time(*seconds).ok_or_else(|| unexpected("a timestamp is out of range"))?.date_naive();
        // A day without trade has no price.
        let Some(close) = price(&quote.close, at) else { continue };
        let bar = Bar {
            date,
            open: price(&quote.open, at),
            high: price(&quote.high, at),
            low: price(&quote.low, at),
            close,
            adjusted: price(&adjusted, at),
            volume: quote.volume.get(at).copied().flatten(),
        };
        // The day that is going on may come twice, as a day and as of now.
        bars.pop_if(|last| last.date == date);
        bars.push(bar);
    }
    bars.sort_by_key(|bar| bar.date);
    bars.retain(|bar| bar.date <= span.to);
    let now = meta.regular_market_price.as_ref().and_then(exact).zip(meta.regular_market_time.and_then(time));
    let latest = match (now, bars.last()) {
        (Some((price, at)), _) if at.date_naive() <= span.to => {
            let as_of = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            Latest { price, as_of, date: at.date_naive() }
        }
        (_, Some(last)) => Latest { price: last.close, as_of: last.date.to_string(), date: last.date },
        _ => return Err(unexpected("there is no price of that time")),
    };
    let previous_close = bars.iter().rev().find(|bar| bar.date < latest.date).map(|bar| bar.close);
    bars.retain(|bar| bar.date >= span.from);
    let source = "yahoo".to_owned();
    Ok(History { symbol: symbol.clone(), currency: meta.currency, source, latest, previous_close, bars })
}

/// The price as a decimal. Most come from single floats and are written with all digits of a double: of these the
/// shortest decimal is taken that is the same single float.
fn exact(number: &Number) -> Option<Decimal> {
    let double = number.as_f64()?;
    let single = double as f32;
    let text = if f64::from(single) == double { single.to_string() } else { number.to_string() };
    decimal(&text).filter(|price| *price > Decimal::ZERO)
}
