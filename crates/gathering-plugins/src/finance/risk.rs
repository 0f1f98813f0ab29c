//! `portfolio_risk`: how much a portfolio moves, and how much it may lose.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use gathering_core::ToolOutput;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Finance;
use super::arguments::{Amount, amount_schema, float};
use super::convert::Converter;
use super::dates::Span;
use super::normal;
use super::portfolio::currency_schema;
use super::prices::{Interval, rounded, symbol_schema};
use super::quotes::Symbol;
use super::statistics::{correlation, covariance, deviation, drawdown, mean, quantile, returns};
use crate::Failure;

/// The fewest returns that anything is computed from.
const FEWEST: usize = 10;

pub(super) fn definition() -> Value {
    json!({
        "name": "portfolio_risk",
        "description": "Measures the risk of a portfolio from the history of its prices: volatility, Sharpe ratio, maximum \
            drawdown, value at risk (historical and parametric) with expected shortfall, beta against a benchmark, and the \
            correlation of the holdings. Simple returns on the days that all have prices, of adjusted closes where the source \
            has them; weights are held constant.",
        "category": "finance",
        "required_competencies": ["portfolio_management"],
        "parameters": {
            "type": "object",
            "properties": {
                "holdings": {
                    "type": "array", "minItems": 1, "maxItems": 50,
                    "description": "What is held: each with a `quantity`, weighted by its latest value, or each with a `weight`",
                    "items": {
                        "type": "object",
                        "properties": {
                            "symbol": symbol_schema(),
                            "quantity": amount_schema("How many"),
                            "weight": {"type": "number", "description": "The part of the portfolio; weights are scaled to 1 in all"},
                        },
                        "required": ["symbol"],
                        "additionalProperties": false,
                    },
                },
                "benchmark": {
                    "type": "string",
                    "description": "The symbol that beta is measured against, such as `^GSPC`; without it there is no beta",
                },
                "from": {"type": "string", "description": "The first day, such as `2024-01-31`; three years before `to` by default"},
                "to": {"type": "string", "description": "The last day; today by default"},
                "interval": {
                    "type": "string", "enum": ["1d", "1wk", "1mo"], "default": "1d",
                    "description": "Between which prices returns are taken; a year has 252, 52 or 12",
                },
                "risk_free_rate": {
                    "type": "number", "default": 0, "minimum": -0.5, "maximum": 10,
                    "description": "A year's return without risk, as a fraction: 0.03 for 3 %",
                },
                "confidence": {
                    "type": "number", "default": 0.95, "exclusiveMinimum": 0.5, "exclusiveMaximum": 1,
                    "description": "Of the value at risk: 0.95 for the loss that 95 % of the periods stay below",
                },
                "horizon": {
                    "type": "integer", "default": 1, "minimum": 1, "maximum": 252,
                    "description": "Of the value at risk, in intervals: by the square root of time",
                },
                "currency": currency_schema("Take all prices in this currency, at the rates of their days; needed where holdings \
                    have different ones"),
            },
            "required": ["holdings"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "currency": {"type": ["string", "null"]},
                "from": {"type": "string", "description": "The first day with a price of all"},
                "to": {"type": "string", "description": "The last"},
                "returns": {"type": "integer", "description": "How many returns this is computed from"},
                "weights": {"type": "object", "description": "By symbol, 1 in all"},
                "annual_return": {"type": "number", "description": "Arithmetic: the mean return, times the periods of a year"},
                "volatility": {"type": "number", "description": "A year's standard deviation, as a fraction"},
                "sharpe_ratio": {"type": ["number", "null"], "description": "Null where nothing moves"},
                "max_drawdown": {"type": "object", "description": "`part` lost from `peak` to `trough` (days)"},
                "value_at_risk": {"type": "object", "description": "`historical` and `parametric` loss as fractions of the value, and \
                    the `expected_shortfall`, the mean of the losses beyond the historical one; with confidence and horizon"},
                "beta": {"type": ["number", "null"]},
                "correlation": {"type": "object", "description": "Between symbols, by symbol and symbol"},
                "as_of": {"type": "string"},
                "stale": {"type": "boolean"},
                "sources": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["from", "to", "returns", "weights", "annual_return", "volatility", "sharpe_ratio", "max_drawdown",
                "value_at_risk", "beta", "correlation", "as_of", "stale", "sources"],
        },
        "examples": [
            {"description": "Two shares against an index", "arguments": {
                "holdings": [{"symbol": "ACME", "weight": 0.6}, {"symbol": "GLOBEX", "weight": 0.4}],
                "benchmark": "^INDEX", "from": "2023-01-01", "risk_free_rate": 0.03, "confidence": 0.99}},
        ],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": true},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    holdings: Vec<Holding>,
    benchmark: Option<Symbol>,
    from: Option<String>,
    to: Option<String>,
    interval: Interval,
    risk_free_rate: f64,
    confidence: f64,
    horizon: u32,
    currency: Option<String>,
}

#[derive(Deserialize)]
struct Holding {
    symbol: Symbol,
    quantity: Option<Amount>,
    weight: Option<f64>,
}

type Series = BTreeMap<NaiveDate, f64>;

/// The prices that a measurement is made from, one series for each holding and, last, for the benchmark.
struct Prices {
    currency: Option<String>,
    days: Vec<NaiveDate>,
    series: Vec<Vec<f64>>,
    oldest: NaiveDate,
    sources: Vec<String>,
}

pub(super) async fn portfolio_risk(finance: &Finance, arguments: Arguments) -> Result<ToolOutput, Failure> {
    let holdings = &arguments.holdings;
    for (at, holding) in holdings.iter().enumerate() {
        if holdings[..at].iter().any(|other| other.symbol == holding.symbol) {
            return Err(
                format!("`{}` stands there twice: add up its holdings", holding.symbol.as_str()).into()
            );
        }
    }
    let prices = prices(finance, &arguments).await?;
    let weights = weights(holdings, &prices)?;
    let all: Vec<Vec<f64>> = prices.series.iter().map(|series| returns(series)).collect();
    let count = prices.days.len().saturating_sub(1);
    if count < FEWEST {
        return Err(format!(
            "there are {count} returns on days that all symbols have prices of, fewer than {FEWEST}: ask for a longer time"
        )
        .into());
    }
    let portfolio: Vec<f64> = (0..count)
        .map(|day| weights.iter().zip(&all).map(|(weight, each)| weight * each[day]).sum())
        .collect();
    let per_year = arguments.interval.per_year();
    let (mean_return, spread) = (mean(&portfolio), deviation(&portfolio));
    let excess = mean_return - arguments.risk_free_rate / per_year;
    let mut worth = vec![1.0];
    worth.extend(portfolio.iter().scan(1.0, |worth, each| {
        *worth *= 1.0 + each;
        Some(*worth)
    }));
    if worth.iter().any(|worth| *worth <= 0.0) {
        return Err(
            "with these weights the portfolio loses more than all that it is worth: its risk has no measure"
                .into(),
        );
    }
    let fall = drawdown(&worth);
    let beta = arguments.benchmark.as_ref().and_then(|_| {
        let benchmark = all.last()?;
        let variance = covariance(benchmark, benchmark);
        (variance > 0.0).then(|| covariance(&portfolio, benchmark) / variance)
    });
    let value = json!({
        "currency": prices.currency,
        "from": prices.days[0].to_string(),
        "to": prices.days[count].to_string(),
        "returns": count,
        "weights": holdings.iter().zip(&weights)
            .map(|(holding, weight)| (holding.symbol.as_str().to_owned(), json!(rounded(*weight, 8))))
            .collect::<serde_json::Map<_, _>>(),
        "annual_return": rounded(mean_return * per_year, 8),
        "volatility": rounded(spread * per_year.sqrt(), 8),
        "sharpe_ratio": (spread > 0.0).then(|| rounded(excess / spread * per_year.sqrt(), 8)),
        "max_drawdown": {
            "part": rounded(fall.part, 8),
            "peak": prices.days[fall.peak].to_string(),
            "trough": prices.days[fall.trough].to_string(),
        },
        "value_at_risk": value_at_risk(&portfolio, arguments.confidence, arguments.horizon),
        "beta": beta.map(|beta| rounded(beta, 8)),
        "correlation": correlations(holdings, &all),
        "as_of": prices.oldest.to_string(),
        "stale": finance.quotes.is_stale(prices.oldest),
        "sources": prices.sources,
    });
    Ok(value.into())
}

/// The losses that a part `confidence` of the periods stays below. A gain is a negative loss.
fn value_at_risk(portfolio: &[f64], confidence: f64, horizon: u32) -> Value {
    let root = f64::from(horizon).sqrt();
    let edge = quantile(portfolio, 1.0 - confidence);
    let beyond: Vec<f64> = portfolio.iter().copied().filter(|each| *each <= edge).collect();
    // J.P. Morgan, RiskMetrics Technical Document (1996), section 1.2, with the mean of the sample.
    let parametric = -(mean(portfolio) * f64::from(horizon)
        + normal::quantile(1.0 - confidence) * deviation(portfolio) * root);
    json!({
        "confidence": confidence,
        "horizon": horizon,
        "historical": rounded(-edge * root, 8),
        "parametric": rounded(parametric, 8),
        "expected_shortfall": rounded(-mean(&beyond) * root, 8),
    })
}

fn correlations(holdings: &[Holding], all: &[Vec<f64>]) -> Value {
    let rows = holdings.iter().zip(all).map(|(holding, one)| {
        let row = holdings.iter().zip(all).map(|(other, second)| {
            let coefficient = correlation(one, second).map(|coefficient| rounded(coefficient, 8));
            (other.symbol.as_str().to_owned(), json!(coefficient))
        });
        (holding.symbol.as_str().to_owned(), Value::Object(row.collect()))
    });
    Value::Object(rows.collect())
}

/// The parts of the portfolio, 1 in all.
fn weights(holdings: &[Holding], prices: &Prices) -> Result<Vec<f64>, Failure> {
    let parts: Vec<f64> =
        if holdings.iter().all(|holding| holding.weight.is_some() && holding.quantity.is_none()) {
            holdings.iter().filter_map(|holding| holding.weight).collect()
        } else if holdings.iter().all(|holding| holding.quantity.is_some() && holding.weight.is_none()) {
            let last = |series: &Vec<f64>| series.last().copied().unwrap_or_default();
            let quantity = |holding: &Holding| holding.quantity.map_or(0.0, |quantity| float(quantity.0));
            holdings
                .iter()
                .zip(&prices.series)
                .map(|(holding, series)| quantity(holding) * last(series))
                .collect()
        } else {
            return Err("expected a `weight` for every holding, or a `quantity` for every holding".into());
        };
    let sum: f64 = parts.iter().sum();
    if sum > 0.0 && sum.is_finite() {
        Ok(parts.iter().map(|part| part / sum).collect())
    } else {
        Err("the weights of the holdings add up to nothing: expected a sum above zero".into())
    }
}

/// Fetches the prices, in one currency, on the days that all have in common.
async fn prices(finance: &Finance, arguments: &Arguments) -> Result<Prices, Failure> {
    let span = Span::parse(arguments.from.as_deref(), arguments.to.as_deref(), 3)?;
    let symbols = arguments.holdings.iter().map(|holding| &holding.symbol);
    let mut histories = Vec::new();
    for symbol in symbols.chain(&arguments.benchmark) {
        histories.push(finance.quotes.history(symbol, &span).await?);
    }
    // A benchmark may well be in another currency, or, being an index, in none.
    let own = &histories[..arguments.holdings.len()];
    let shared = own[0].currency.clone();
    let is_one = own.iter().all(|history| history.currency == shared);
    if !is_one && arguments.currency.is_none() {
        let named: Vec<_> = own
            .iter()
            .map(|each| {
                format!("{}: {}", each.symbol.as_str(), each.currency.as_deref().unwrap_or("unknown"))
            })
            .collect();
        return Err(format!(
            "the holdings have different currencies ({}): give `currency`",
            named.join(", ")
        )
        .into());
    }
    let mut all: Vec<Series> = Vec::new();
    for (at, history) in histories.iter().enumerate() {
        let is_benchmark = at == own.len();
        let wanted = match &arguments.currency {
            Some(currency) if !is_benchmark || history.currency.is_some() => currency.clone(),
            _ => history.currency.clone().unwrap_or_default(),
        };
        let mut known = history.clone();
        known.bars = arguments.interval.gather(known.bars).into_iter().collect();
        if known.currency.is_none() && wanted.is_empty() {
            known.currency = Some(String::new());
        }
        let converter = Converter::new(&finance.quotes, wanted);
        all.push(converter.closes(&known, &span).await?.into_iter().collect());
    }
    let days: Vec<NaiveDate> =
        all[0].keys().copied().filter(|day| all[1..].iter().all(|other| other.contains_key(day))).collect();
    let series = all.iter().map(|each| days.iter().map(|day| each[day]).collect()).collect();
    let oldest = histories.iter().map(|history| history.latest.date).min().unwrap_or(span.to);
    let sources = histories.into_iter().map(|history| history.source).collect();
    Ok(Prices { currency: arguments.currency.clone().or(shared), days, series, oldest, sources })
}
