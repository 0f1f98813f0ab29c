//! Prices, from whatever source the operator chose, with what is known of their age.

mod csv_folder;
mod yahoo;

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;

use self::csv_folder::CsvFolder;
use self::yahoo::Yahoo;
use super::config::{Config, SourceKind};
use super::dates::{Span, today};
use crate::Failure;
use crate::base::{Base, shown};

/// The name of a paper, an index or a pair of currencies, such as `AAPL`, `^GSPC`, `BRK-B` or `EURUSD=X`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Symbol(String);

/// The schema of a [`Symbol`].
pub(super) const SYMBOL_PATTERN: &str = "^[A-Za-z0-9^][A-Za-z0-9.^=_-]{0,31}$";

impl TryFrom<String> for Symbol {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_fine = (1..=32).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '^')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || ".^=_-".contains(c));
        if is_fine {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            let shown = shown(&text);
            Err(format!(
                "`{shown}` is no symbol: expected letters, digits and . ^ = _ -, at most 32, such as `AAPL`"
            ))
        }
    }
}

impl Symbol {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The rate of `from` in `to`, as Yahoo names it.
    fn rate(from: &str, to: &str) -> Self {
        Self(format!("{from}{to}=X"))
    }
}

/// One day, week or month of trading.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    /// The day, or the first day of the week or month that was traded.
    pub(super) date: NaiveDate,
    pub(super) open: Option<Decimal>,
    pub(super) high: Option<Decimal>,
    pub(super) low: Option<Decimal>,
    pub(super) close: Decimal,
    /// The close, adjusted for splits and dividends that came later.
    pub(super) adjusted: Option<Decimal>,
    pub(super) volume: Option<u64>,
}

/// What a source knows of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct History {
    pub(super) symbol: Symbol,
    /// The ISO 4217 code, if it is known.
    pub(super) currency: Option<String>,
    /// Where it comes from, as results say it.
    pub(super) source: String,
    /// The latest price, which may be younger than the last bar.
    pub(super) latest: Latest,
    /// The close of the day before the latest price.
    pub(super) previous_close: Option<Decimal>,
    /// By day, oldest first, within what was asked for.
    pub(super) bars: Vec<Bar>,
}

/// A price, and when it was paid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Latest {
    pub(super) price: Decimal,
    /// A day, or a time with its zone where the source tells it.
    pub(super) as_of: String,
    pub(super) date: NaiveDate,
}

impl History {
    /// The price that returns are computed from: adjusted where every bar says so.
    pub(super) fn is_adjusted(&self) -> bool {
        self.bars.iter().all(|bar| bar.adjusted.is_some())
    }

    /// Some exchanges quote in hundredths: of pounds, rands and shekels.
    fn in_whole_units(mut self) -> Self {
        let whole = match self.currency.as_deref() {
            Some("GBp" | "GBX") => "GBP",
            Some("ZAc" | "ZAX") => "ZAR",
            Some("ILA") => "ILS",
            _ => return self,
        };
        let hundredth = |price: &mut Decimal| *price *= Decimal::new(1, 2);
        self.currency = Some(whole.to_owned());
        hundredth(&mut self.latest.price);
        self.previous_close.iter_mut().for_each(hundredth);
        for bar in &mut self.bars {
            hundredth(&mut bar.close);
            [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.adjusted]
                .into_iter()
                .flatten()
                .for_each(hundredth);
        }
        self
    }
}

/// Why a source gives no prices.
#[derive(Debug)]
pub(super) enum NoPrices {
    /// It does not know the symbol. The text says what to do.
    Unknown(String),
    /// It knows the symbol, but what it has is of no use.
    Failed(String),
}

impl From<NoPrices> for Failure {
    fn from(reason: NoPrices) -> Self {
        match reason {
            NoPrices::Unknown(message) | NoPrices::Failed(message) => message.into(),
        }
    }
}

/// The prices that the tools work with.
pub(super) struct Quotes {
    source: Source,
    stale_after_days: i64,
}

enum Source {
    Csv(Arc<CsvFolder>),
    Yahoo(Box<Yahoo>),
}

impl Quotes {
    pub(super) fn new(config: &Config, base: Arc<Base>) -> Result<Self, String> {
        let source = match config.source {
            SourceKind::Csv => Source::Csv(Arc::new(CsvFolder::new(base, config.prices.clone()))),
            SourceKind::Yahoo => {
                let (timeout, keep) =
                    (Duration::from_secs(config.timeout_seconds), Duration::from_secs(config.cache_seconds));
                Source::Yahoo(Box::new(Yahoo::new(&config.yahoo_url, timeout, keep)?))
            }
        };
        Ok(Self { source, stale_after_days: config.stale_after_days })
    }

    /// The prices of a symbol.
    pub(super) async fn history(&self, symbol: &Symbol, span: &Span) -> Result<History, NoPrices> {
        let history = match &self.source {
            Source::Csv(folder) => {
                let (folder, symbol, (from, to)) = (folder.clone(), symbol.clone(), (span.from, span.to));
                tokio::task::spawn_blocking(move || folder.history(&symbol, from, to)).await.unwrap_or_else(
                    |error| Err(NoPrices::Failed(format!("reading prices failed: {error}"))),
                )?
            }
            Source::Yahoo(service) => service.history(symbol, span).await?,
        };
        Ok(history.in_whole_units())
    }

    /// The latest price of a symbol, with some days before it.
    pub(super) async fn latest(&self, symbol: &Symbol) -> Result<History, NoPrices> {
        let to = today();
        self.history(symbol, &Span { from: to - chrono::Days::new(14), to }).await
    }

    /// Whether a price of that day is old.
    pub(super) fn is_stale(&self, date: NaiveDate) -> bool {
        (today() - date).num_days() > self.stale_after_days
    }

    /// How much one unit of `from` is in `to`: the history of that rate, and whether it is that of `to` in `from`.
    pub(super) async fn rate(&self, from: &str, to: &str, span: &Span) -> Result<(History, bool), Failure> {
        match self.history(&Symbol::rate(from, to), span).await {
            Ok(history) => Ok((history, false)),
            Err(NoPrices::Failed(message)) => Err(message.into()),
            Err(NoPrices::Unknown(message)) => match self.history(&Symbol::rate(to, from), span).await {
                Ok(history) => Ok((history, true)),
                Err(NoPrices::Failed(message)) => Err(message.into()),
                Err(NoPrices::Unknown(_)) => {
                    Err(format!("there is no exchange rate from {from} to {to}: {message}").into())
                }
            },
        }
    }
}
