//! `npv`, `irr` and `xirr`: what cash flows are worth, and what they yield.

use gathering_core::ToolOutput;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Amount, amount_schema, float};
use super::dates::{DayCount, date};
use super::roots;
use crate::{Cancel, Failure};

/// The most cash flows of one call: thirty years of days.
const MAX_FLOWS: usize = 10_000;

fn flows_schema(description: &str) -> Value {
    json!({
        "type": "array", "minItems": 1, "maxItems": MAX_FLOWS,
        "items": amount_schema("Negative for what is paid, positive for what is received"),
        "description": description,
    })
}

fn dates_schema(description: &str) -> Value {
    json!({"type": "array", "maxItems": MAX_FLOWS, "items": {"type": "string"}, "description": description})
}

fn day_count_schema() -> Value {
    json!({
        "type": "string", "enum": ["actual/365", "actual/360", "actual/actual", "30/360"], "default": "actual/365",
        "description": "How days become years, by the names of ISDA: `actual/365` as spreadsheets do, `30/360` is the bond \
            basis",
    })
}

fn guess_schema() -> Value {
    json!({
        "type": "number", "default": 0.1, "exclusiveMinimum": -1,
        "description": "Where several rates solve it, the one nearest to this is `rate`",
    })
}

fn rates_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "rate": {"type": "number", "description": "As a fraction: 0.08 for 8 %. Where several solve it, the nearest to `guess`"},
            "rates": {"type": "array", "items": {"type": "number"}, "description": "All rates that solve it, lowest first"},
            "unique": {"type": "boolean", "description": "Whether there is just one; if not, none of them alone means much"},
        },
        "required": ["rate", "rates", "unique"],
    })
}

pub(super) fn definitions() -> [Value; 3] {
    let annotations =
        json!({"read_only": true, "destructive": false, "idempotent": true, "open_world": false});
    let npv = json!({
        "name": "npv",
        "description": "The net present value of cash flows at a rate: the sum of amount / (1 + rate) ^ t. Without `dates`, t \
            counts periods, and the first flow is at t = 0 (today), as in numpy-financial; spreadsheets' NPV puts it at 1, \
            which `first_period` = 1 does. With `dates` it is XNPV: t is in years since the first date.",
        "category": "finance",
        "required_competencies": ["financial_analysis"],
        "parameters": {
            "type": "object",
            "properties": {
                "rate": {"type": "number", "exclusiveMinimum": -1, "description": "By period, or by year with `dates`, as a fraction: \
                    0.08 for 8 %"},
                "cash_flows": flows_schema("In the order of time"),
                "dates": dates_schema("The day of each cash flow, such as `2025-03-31`"),
                "day_count": day_count_schema(),
                "first_period": {"type": "integer", "default": 0, "enum": [0, 1], "description": "The t of the first flow, without \
                    `dates`"},
            },
            "required": ["rate", "cash_flows"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {"npv": {"type": "number", "description": "In the currency of the flows, not rounded"}},
            "required": ["npv"],
        },
        "examples": [
            {"description": "An investment of 1000 at 8 %", "arguments": {"rate": 0.08, "cash_flows": [-1000, 300, 400, 500]}},
            {"description": "By days", "arguments":
                {"rate": 0.05, "cash_flows": [-1000, 1080], "dates": ["2024-01-15", "2025-03-01"]}},
        ],
        "annotations": annotations,
    });
    let irr = json!({
        "name": "irr",
        "description": "The internal rate of return of cash flows at equal periods: the rate at which their net present value is \
            zero. Finds every solution, and says so when there are several; none is an error.",
        "category": "finance",
        "required_competencies": ["financial_analysis"],
        "parameters": {
            "type": "object",
            "properties": {
                "cash_flows": flows_schema("In the order of time, one for each period, the first today"),
                "guess": guess_schema(),
            },
            "required": ["cash_flows"],
            "additionalProperties": false,
        },
        "returns": rates_schema(),
        "examples": [
            {"description": "What an investment yields by period", "arguments": {"cash_flows": [-1000, 300, 400, 500]}},
            {"description": "Two rates solve this one", "arguments": {"cash_flows": [-100, 230, -132]}},
        ],
        "annotations": annotations,
    });
    let xirr = json!({
        "name": "xirr",
        "description": "The internal rate of return of cash flows on given days, by year: the rate at which their net present \
            value is zero. Finds every solution, and says so when there are several; none is an error.",
        "category": "finance",
        "required_competencies": ["financial_analysis"],
        "parameters": {
            "type": "object",
            "properties": {
                "cash_flows": flows_schema("In any order of time"),
                "dates": dates_schema("The day of each cash flow, such as `2025-03-31`"),
                "day_count": day_count_schema(),
                "guess": guess_schema(),
            },
            "required": ["cash_flows", "dates"],
            "additionalProperties": false,
        },
        "returns": rates_schema(),
        "examples": [
            {"description": "A purchase, a dividend and a sale", "arguments":
                {"cash_flows": [-1000, 25, 1100], "dates": ["2024-01-15", "2024-07-15", "2025-03-01"]}},
        ],
        "annotations": annotations,
    });
    [npv, irr, xirr]
}

#[derive(Deserialize)]
pub(super) struct NpvArguments {
    rate: f64,
    cash_flows: Vec<Amount>,
    dates: Option<Vec<String>>,
    day_count: DayCount,
    first_period: u8,
}

pub(super) fn npv(arguments: NpvArguments) -> Result<ToolOutput, Failure> {
    let NpvArguments { rate, cash_flows, dates, day_count, first_period } = arguments;
    let flows = match dates {
        Some(dates) => dated(&cash_flows, &dates, day_count)?,
        None => periodic(&cash_flows, f64::from(first_period)),
    };
    let npv: f64 = flows.iter().map(|(time, amount)| amount * (1.0 + rate).powf(-time)).sum();
    if npv.is_finite() {
        Ok(json!({"npv": npv}).into())
    } else {
        Err(format!(
            "at a rate of {rate} the present value is beyond what a number holds: use a rate further from -1"
        )
        .into())
    }
}

#[derive(Deserialize)]
pub(super) struct IrrArguments {
    cash_flows: Vec<Amount>,
    guess: f64,
}

pub(super) fn irr(arguments: IrrArguments, cancel: &Cancel) -> Result<ToolOutput, Failure> {
    solved(&periodic(&arguments.cash_flows, 0.0), arguments.guess, cancel)
}

#[derive(Deserialize)]
pub(super) struct XirrArguments {
    cash_flows: Vec<Amount>,
    dates: Vec<String>,
    day_count: DayCount,
    guess: f64,
}

pub(super) fn xirr(arguments: XirrArguments, cancel: &Cancel) -> Result<ToolOutput, Failure> {
    let XirrArguments { cash_flows, dates, day_count, guess } = arguments;
    solved(&dated(&cash_flows, &dates, day_count)?, guess, cancel)
}

/// Flows by their time in periods.
fn periodic(amounts: &[Amount], first: f64) -> Vec<(f64, f64)> {
    amounts.iter().enumerate().map(|(period, amount)| (first + period as f64, float(amount.0))).collect()
}

/// Flows by their time in years since the first date that is given.
fn dated(amounts: &[Amount], dates: &[String], day_count: DayCount) -> Result<Vec<(f64, f64)>, Failure> {
    let (flows, days) = (amounts.len(), dates.len());
    if flows != days {
        return Err(format!("there are {flows} cash flows and {days} dates: each flow needs its date").into());
    }
    let days = dates.iter().map(|text| date(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(days
        .iter()
        .zip(amounts)
        .map(|(day, amount)| (day_count.years(days[0], *day), float(amount.0)))
        .collect())
}

fn solved(flows: &[(f64, f64)], guess: f64, cancel: &Cancel) -> Result<ToolOutput, Failure> {
    let rates = roots::rates(flows, cancel)?;
    let distance = |rate: f64| (rate.ln_1p() - guess.ln_1p()).abs();
    let nearest = rates.iter().copied().min_by(|one, other| distance(*one).total_cmp(&distance(*other)));
    let Some(rate) = nearest else { return Err(no_rate(flows).into()) };
    Ok(json!({"rate": rate, "unique": rates.len() == 1, "rates": rates}).into())
}

fn no_rate(flows: &[(f64, f64)]) -> String {
    let has =
        |is_positive: bool| flows.iter().any(|(_, amount)| *amount != 0.0 && (*amount > 0.0) == is_positive);
    match (has(true), has(false)) {
        (false, false) => "all cash flows are zero: any rate solves them",
        (true, false) => "all cash flows are received, none is paid: no rate makes them worth nothing",
        (false, true) => "all cash flows are paid, none is received: no rate makes them worth nothing",
        (true, true) => {
            "no rate makes these cash flows worth nothing: their net present value has one sign at every rate; compare them \
             by `npv`"
        }
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rates(flows: &[(f64, f64)]) -> Vec<f64> {
        roots::rates(flows, &Cancel::default()).expect("few changes of sign")
    }

    fn value(flows: &[(f64, f64)], rate: f64) -> (f64, f64) {
        let terms = flows.iter().map(|(time, amount)| amount * (1.0 + rate).powf(-time));
        terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
    }

    proptest! {
        #[test]
        fn every_rate_makes_the_flows_worth_nothing(
            amounts in proptest::collection::vec(-1000.0..1000.0f64, 2..30),
            days in proptest::collection::vec(0u32..4000, 30),
        ) {
            let flows: Vec<_> = days.iter().map(|day| f64::from(*day) / 365.0).zip(amounts).collect();
            for rate in rates(&flows) {
                let (sum, size) = value(&flows, rate);
                prop_assert!(sum.abs() <= 1e-7 * size, "{rate}: {sum} of {size}");
            }
        }

        #[test]
        fn between_neighbouring_rates_the_sign_of_the_value_never_changes(
            amounts in proptest::collection::vec(-1000.0..1000.0f64, 2..12),
        ) {
            let flows: Vec<_> = amounts.iter().enumerate().map(|(t, amount)| (t as f64, *amount)).collect();
            let mut edges = vec![-0.9];
            edges.extend(rates(&flows).into_iter().filter(|rate| (-0.9..50.0).contains(rate)));
            edges.push(50.0);
            for pair in edges.windows(2) {
                let inside = (1..40).map(|i| pair[0] + (pair[1] - pair[0]) * f64::from(i) / 40.0);
                let signs: Vec<_> = inside
                    .map(|rate| value(&flows, rate))
                    .filter(|(sum, size)| sum.abs() > 1e-9 * size)
                    .map(|(sum, _)| sum > 0.0)
                    .collect();
                prop_assert!(signs.windows(2).all(|two| two[0] == two[1]), "{pair:?}: {signs:?}");
            }
        }

        #[test]
        fn an_investment_and_its_returns_have_just_one_rate_and_it_is_found(
            returns in proptest::collection::vec(1.0..1000.0f64, 1..60), rate in -0.5..2.0f64,
        ) {
            let later: Vec<_> = returns.iter().enumerate().map(|(t, amount)| (t as f64 + 1.0, *amount)).collect();
            let price = value(&later, rate).0;
            let flows = [vec![(0.0, -price)], later].concat();
            let found = rates(&flows);
            prop_assert_eq!(found.len(), 1);
            prop_assert!((found[0] - rate).abs() < 1e-8, "{} for {rate}", found[0]);
        }
    }

    #[test]
    fn several_rates_a_rate_that_only_touches_and_none_are_told_apart() {
        let found = rates(&[(0.0, -100.0), (1.0, 230.0), (2.0, -132.0)]);
        assert_eq!(found.iter().map(|rate| (rate * 1e9).round() / 1e9).collect::<Vec<_>>(), [0.1, 0.2]);

        let touching = rates(&[(0.0, -100.0), (1.0, 220.0), (2.0, -121.0)]);
        assert_eq!(touching.len(), 1);
        assert!((touching[0] - 0.1).abs() < 1e-6, "{touching:?}");

        assert!(rates(&[(0.0, -100.0), (1.0, 100.0), (2.0, -100.0)]).is_empty());
        assert!(rates(&[(0.0, 100.0), (1.0, 100.0)]).is_empty());
    }
}
