//! `portfolio_value`: what holdings are worth in one currency, what they gained, and what part each is.

use chrono::NaiveDate;
use gathering_core::ToolOutput;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Finance;
use super::arguments::{Amount, amount_schema, float, money, number, too_large};
use super::convert::{Converter, currency_of};
use super::prices::{rounded, symbol_schema};
use super::quotes::Symbol;
use crate::Failure;

/// The most holdings of a portfolio.
pub(super) const MAX_HOLDINGS: usize = 500;

pub(super) fn currency_schema(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[A-Z]{3}$", "description": description})
}

pub(super) fn definition() -> Value {
    let mut currency = currency_schema("The currency to value everything in, by ISO 4217, such as `EUR`");
    currency["default"] = "USD".into();
    json!({
        "name": "portfolio_value",
        "description": "Values holdings at their latest prices in one currency, at the latest exchange rates: value, weight, \
            and gain against what was paid, for each and in all. Amounts are exact decimals, rounded to hundredths only in \
            the result.",
        "category": "finance",
        "required_competencies": ["portfolio_management"],
        "parameters": {
            "type": "object",
            "properties": {
                "holdings": {
                    "type": "array", "minItems": 1, "maxItems": MAX_HOLDINGS,
                    "description": "What is held",
                    "items": {
                        "type": "object",
                        "properties": {
                            "symbol": symbol_schema(),
                            "quantity": amount_schema("How many; negative for a short position"),
                            "cost": amount_schema("What was paid for each, in the currency of the price; leave it out if it is \
                                not known"),
                            "currency": currency_schema("The currency of the price, where the source does not say it"),
                        },
                        "required": ["symbol", "quantity"],
                        "additionalProperties": false,
                    },
                },
                "currency": currency,
            },
            "required": ["holdings"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "currency": {"type": "string"},
                "value": {"type": "number", "description": "Of all holdings, in `currency`, as all amounts here"},
                "cost": {"type": ["number", "null"], "description": "Of the holdings whose `cost` was given, at today's rates"},
                "gain": {"type": ["number", "null"], "description": "Of those holdings"},
                "gain_percent": {"type": ["number", "null"]},
                "holdings": {"type": "array", "items": {"type": "object"}, "description": "Each with symbol, quantity, price and \
                    price_currency, exchange_rate, value, weight (part of the value, 1 in all), cost, gain, gain_percent, as_of, \
                    stale, source"},
                "as_of": {"type": "string", "description": "The day of the oldest price or rate in it"},
                "stale": {"type": "boolean", "description": "Whether any of them is stale"},
            },
            "required": ["currency", "value", "cost", "gain", "gain_percent", "holdings", "as_of", "stale"],
        },
        "examples": [
            {"description": "Two shares in dollars", "arguments":
                {"holdings": [{"symbol": "ACME", "quantity": 10, "cost": 95.5}, {"symbol": "GLOBEX", "quantity": 4}]}},
            {"description": "In euros, by the exchange rate", "arguments":
                {"holdings": [{"symbol": "ACME", "quantity": "2.5"}], "currency": "EUR"}},
        ],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": true},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    holdings: Vec<Holding>,
    currency: String,
}

#[derive(Deserialize)]
struct Holding {
    symbol: Symbol,
    quantity: Amount,
    cost: Option<Amount>,
    currency: Option<String>,
}

/// A holding with its price.
struct Valued {
    holding: Holding,
    price: Decimal,
    price_currency: String,
    exchange_rate: Decimal,
    value: Decimal,
    /// What was paid for all of it.
    cost: Option<Decimal>,
    /// The older of the price and the rate.
    date: NaiveDate,
    as_of: String,
    source: String,
}

pub(super) async fn portfolio_value(finance: &Finance, arguments: Arguments) -> Result<ToolOutput, Failure> {
    let mut converter = Converter::new(&finance.quotes, arguments.currency);
    let mut valued = Vec::new();
    for holding in arguments.holdings {
        valued.push(value_of(finance, &mut converter, holding).await?);
    }
    let total = sum(valued.iter().map(|each| each.value))?;
    let paid: Vec<_> = valued.iter().filter_map(|each| Some((each.value, each.cost?))).collect();
    let cost = sum(paid.iter().map(|(_, cost)| *cost))?;
    let gain = sum(paid.iter().map(|(value, cost)| value - cost))?;
    let is_known = !paid.is_empty();
    let oldest = valued.iter().map(|each| each.date).min().ok_or("there are no holdings")?;
    let holdings: Vec<_> = valued.iter().map(|each| described(finance, each, total)).collect();
    let value = json!({
        "currency": converter.currency,
        "value": money(total),
        "cost": is_known.then(|| money(cost)),
        "gain": is_known.then(|| money(gain)),
        "gain_percent": is_known.then(|| percent(gain, cost)),
        "holdings": holdings,
        "as_of": oldest.to_string(),
        "stale": finance.quotes.is_stale(oldest),
    });
    Ok(value.into())
}

fn sum(mut amounts: impl Iterator<Item = Decimal>) -> Result<Decimal, Failure> {
    amounts.try_fold(Decimal::ZERO, Decimal::checked_add).ok_or_else(too_large)
}

async fn value_of(
    finance: &Finance,
    converter: &mut Converter<'_>,
    holding: Holding,
) -> Result<Valued, Failure> {
    let history = finance.quotes.latest(&holding.symbol).await?;
    let price_currency = match (&history.currency, &holding.currency) {
        (Some(known), Some(given)) if known != given => {
            return Err(format!(
                "`{}` is priced in {known}, not in {given}: leave out its `currency`",
                holding.symbol.as_str()
            )
            .into());
        }
        (None, Some(given)) => given.clone(),
        _ => currency_of(&history)?.to_owned(),
    };
    let (mut date, mut source) = (history.latest.date, history.source);
    let mut exchange_rate = Decimal::ONE;
    if let Some(rate) = converter.latest(&price_currency).await? {
        exchange_rate = rate.rate;
        date = date.min(rate.latest.date);
        source = format!("{source}; rate: {}", rate.source);
    }
    let price = history.latest.price;
    let in_all = |each: Decimal| {
        let all = each.checked_mul(holding.quantity.0).and_then(|all| all.checked_mul(exchange_rate));
        all.ok_or_else(too_large)
    };
    let value = in_all(price)?;
    let cost = holding.cost.map(|Amount(each)| in_all(each)).transpose()?;
    let as_of = history.latest.as_of;
    Ok(Valued { holding, price, price_currency, exchange_rate, value, cost, date, as_of, source })
}

fn described(finance: &Finance, each: &Valued, total: Decimal) -> Value {
    let gain = each.cost.map(|cost| each.value - cost);
    json!({
        "symbol": each.holding.symbol.as_str(),
        "quantity": number(each.holding.quantity.0),
        "price": number(each.price),
        "price_currency": each.price_currency,
        "exchange_rate": number(each.exchange_rate),
        "value": money(each.value),
        "weight": (!total.is_zero()).then(|| rounded(float(each.value) / float(total), 6)),
        "cost": each.cost.map(money),
        "gain": gain.map(money),
        "gain_percent": each.cost.and_then(|cost| percent(each.value - cost, cost)),
        "as_of": each.as_of,
        "stale": finance.quotes.is_stale(each.date),
        "source": each.source,
    })
}

/// What part of the cost a gain is; none where nothing was paid.
fn percent(gain: Decimal, cost: Decimal) -> Option<f64> {
    (!cost.is_zero()).then(|| rounded(float(gain) / float(cost).abs() * 100.0, 4))
}
