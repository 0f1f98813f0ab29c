//! Amounts of one currency in another, at rates that the source has.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::arguments::{float, too_large};
use super::dates::{Span, today};
use super::quotes::{History, Latest, Quotes};
use crate::Failure;

/// What one unit of a currency is in another.
pub(super) struct Rate {
    pub(super) rate: Decimal,
    pub(super) latest: Latest,
    pub(super) source: String,
}

/// Knows the currency that amounts are wanted in, and keeps the rates that were asked for.
pub(super) struct Converter<'a> {
    quotes: &'a Quotes,
    pub(super) currency: String,
    rates: HashMap<String, Rate>,
}

impl<'a> Converter<'a> {
    pub(super) fn new(quotes: &'a Quotes, currency: String) -> Self {
        Self { quotes, currency, rates: HashMap::new() }
    }

    /// The latest rate from a currency; none if it is the one wanted.
    pub(super) async fn latest(&mut self, from: &str) -> Result<Option<&Rate>, Failure> {
        if from == self.currency {
            return Ok(None);
        }
        if !self.rates.contains_key(from) {
            let to = today();
            let span = Span { from: to - chrono::Days::new(14), to };
            let (history, is_inverse) = self.quotes.rate(from, &self.currency, &span).await?;
            let price = history.latest.price;
            let rate =
                if is_inverse { Decimal::ONE.checked_div(price).ok_or_else(too_large)? } else { price };
            let rate = Rate { rate, latest: history.latest, source: history.source };
            self.rates.insert(from.to_owned(), rate);
        }
        Ok(self.rates.get(from))
    }

    /// The prices of a history by day, each at the rate of its day or the last one before it. Days before the first rate
    /// are left out.
    pub(super) async fn closes(
        &self,
        history: &History,
        span: &Span,
    ) -> Result<Vec<(chrono::NaiveDate, f64)>, Failure> {
        let is_adjusted = history.is_adjusted();
        let own = history.bars.iter().map(|bar| {
            let price = if is_adjusted { bar.adjusted.unwrap_or(bar.close) } else { bar.close };
            (bar.date, float(price))
        });
        let from = currency_of(history)?;
        if from == self.currency {
            return Ok(own.collect());
        }
        // Rates of some days before, so that the first day has one, too.
        let wider = Span { from: span.from - chrono::Days::new(14), to: span.to };
        let (rates, is_inverse) = self.quotes.rate(from, &self.currency, &wider).await?;
        Ok(own
            .filter_map(|(date, price)| {
                let before = rates.bars.partition_point(|bar| bar.date <= date);
                let rate = float(rates.bars[..before].last()?.close);
                Some((date, if is_inverse { price / rate } else { price * rate }))
            })
            .collect())
    }
}

/// The currency of a history, or what to do where the source does not say it.
pub(super) fn currency_of(history: &History) -> Result<&str, Failure> {
    history.currency.as_deref().ok_or_else(|| {
        format!(
            "the currency of `{}` is not known: add a column `Currency` to its prices ({}), or give the holding a \
             `currency`",
            history.symbol.as_str(),
            history.source
        )
        .into()
    })
}
