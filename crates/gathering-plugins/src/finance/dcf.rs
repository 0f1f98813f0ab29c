//! `dcf_model`: what a company is worth by the cash that it will give.

use gathering_core::{CallContext, ToolOutput};
use serde::Deserialize;
use serde_json::{Value, json};

use super::prices::rounded;
use crate::Failure;

/// The most years of an explicit forecast.
const MAX_YEARS: usize = 50;

pub(super) fn definition() -> Value {
    json!({
        "name": "dcf_model",
        "description": "Values a company by discounting its free cash flows: an explicit forecast (`cash_flows`, or \
            `base_cash_flow` with `growth`), then a terminal value by perpetual growth (Gordon) or by a multiple. The rate is \
            given as `discount_rate`, or follows from `wacc` (weighted average cost of capital, its cost of equity by CAPM). \
            Gives the enterprise value, the equity value, the value per share, and a table of how they depend on both \
            assumptions. All rates are fractions: 0.08 for 8 %.",
        "category": "finance",
        "required_competencies": ["valuation"],
        "parameters": {
            "type": "object",
            "properties": {
                "cash_flows": {
                    "type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": MAX_YEARS,
                    "description": "The free cash flow to the firm of each year of the forecast, the first a year from now; \
                        instead of `base_cash_flow`",
                },
                "base_cash_flow": {"type": "number", "description": "The free cash flow of the last year; instead of `cash_flows`"},
                "growth": {
                    "type": "array", "items": {"type": "number", "exclusiveMinimum": -1}, "minItems": 1, "maxItems": MAX_YEARS,
                    "description": "The growth of each year of the forecast from `base_cash_flow`, such as [0.1, 0.08, 0.05]",
                },
                "discount_rate": {"type": "number", "exclusiveMinimum": -1, "description": "By year; instead of `wacc`"},
                "wacc": {
                    "type": "object",
                    "description": "What the rate follows from: the market values of `equity` and `debt`, the `cost_of_debt` before \
                        tax, the `tax_rate`, and `cost_of_equity`, or for CAPM `risk_free_rate`, `beta` and \
                        `equity_risk_premium`",
                    "properties": {
                        "equity": {"type": "number", "exclusiveMinimum": 0},
                        "debt": {"type": "number", "default": 0, "minimum": 0},
                        "cost_of_debt": {"type": "number", "default": 0, "minimum": 0},
                        "tax_rate": {"type": "number", "default": 0, "minimum": 0, "maximum": 1},
                        "cost_of_equity": {"type": "number"},
                        "risk_free_rate": {"type": "number"},
                        "beta": {"type": "number"},
                        "equity_risk_premium": {"type": "number"},
                    },
                    "required": ["equity"],
                    "additionalProperties": false,
                },
                "terminal_growth": {"type": "number", "exclusiveMinimum": -1, "description": "The growth for ever after the forecast, \
                    lower than the rate; instead of `terminal_multiple`"},
                "terminal_multiple": {"type": "number", "exclusiveMinimum": 0, "description": "The terminal value as a multiple of \
                    `terminal_metric`; instead of `terminal_growth`"},
                "terminal_metric": {"type": "number", "description": "What the multiple is of, such as the EBITDA of the last year of \
                    the forecast; by default the cash flow of that year"},
                "mid_year": {"type": "boolean", "default": false, "description": "Whether the cash of a year comes in its middle on \
                    average, rather than at its end"},
                "net_debt": {"type": "number", "default": 0, "description": "Debt less cash: taken off the enterprise value"},
                "shares": {"type": "number", "exclusiveMinimum": 0, "description": "How many there are, diluted; without it there is no \
                    value per share"},
                "rate_step": {"type": "number", "default": 0.01, "exclusiveMinimum": 0, "maximum": 0.1, "description": "Between the rows of \
                    the table"},
                "growth_step": {"type": "number", "default": 0.005, "exclusiveMinimum": 0, "maximum": 0.1, "description": "Between its \
                    columns, for a terminal growth"},
                "multiple_step": {"type": "number", "default": 1, "exclusiveMinimum": 0, "description": "Between its columns, for a \
                    multiple"},
            },
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "discount_rate": {"type": "number"},
                "cost_of_equity": {"type": ["number", "null"], "description": "Of `wacc`"},
                "forecast": {"type": "array", "items": {"type": "object"}, "description": "Each with year, cash_flow, discount_factor, \
                    present_value"},
                "terminal": {"type": "object", "description": "method (`growth` or `multiple`), value (at the end of the forecast), \
                    present_value, share (of the enterprise value), and the implied_growth or implied_multiple"},
                "enterprise_value": {"type": "number"},
                "equity_value": {"type": "number"},
                "value_per_share": {"type": ["number", "null"]},
                "sensitivity": {"type": "object", "description": "`of` (`value_per_share` or `equity_value`), `discount_rates` of the \
                    rows, `terminal_growths` or `terminal_multiples` of the columns, `values` by row and column; null where growth \
                    reaches the rate"},
                "notes": {"type": "array", "items": {"type": "string"}, "description": "What deserves a second look"},
            },
            "required": ["discount_rate", "cost_of_equity", "forecast", "terminal", "enterprise_value", "equity_value",
                "value_per_share", "sensitivity", "notes"],
        },
        "examples": [
            {"description": "Growth that fades, then 2 % for ever", "arguments": {
                "base_cash_flow": 100, "growth": [0.1, 0.08, 0.06, 0.04, 0.03], "discount_rate": 0.09,
                "terminal_growth": 0.02, "net_debt": 250, "shares": 50}},
            {"description": "The cost of capital by CAPM, and a multiple at the end", "arguments": {
                "cash_flows": [120, 130, 140, 150, 160], "terminal_multiple": 9, "terminal_metric": 240, "shares": 40,
                "wacc": {"equity": 1500, "debt": 500, "cost_of_debt": 0.05, "tax_rate": 0.25, "risk_free_rate": 0.03,
                    "beta": 1.2, "equity_risk_premium": 0.05}}},
        ],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    cash_flows: Option<Vec<f64>>,
    base_cash_flow: Option<f64>,
    growth: Option<Vec<f64>>,
    discount_rate: Option<f64>,
    wacc: Option<Capital>,
    terminal_growth: Option<f64>,
    terminal_multiple: Option<f64>,
    terminal_metric: Option<f64>,
    mid_year: bool,
    net_debt: f64,
    shares: Option<f64>,
    rate_step: f64,
    growth_step: f64,
    multiple_step: f64,
}

/// What a company is financed with.
#[derive(Deserialize)]
struct Capital {
    equity: f64,
    #[serde(default)]
    debt: f64,
    #[serde(default)]
    cost_of_debt: f64,
    #[serde(default)]
    tax_rate: f64,
    cost_of_equity: Option<f64>,
    risk_free_rate: Option<f64>,
    beta: Option<f64>,
    equity_risk_premium: Option<f64>,
}

impl Capital {
    /// By the capital asset pricing model, where it is not given: risk-free rate + beta * premium (Sharpe 1964).
    fn cost_of_equity(&self) -> Result<f64, Failure> {
        match (self.cost_of_equity, self.risk_free_rate, self.beta, self.equity_risk_premium) {
            (Some(cost), None, None, None) => Ok(cost),
            (None, Some(risk_free), Some(beta), Some(premium)) => Ok(risk_free + beta * premium),
            _ => Err("`wacc` needs either `cost_of_equity`, or all of `risk_free_rate`, `beta` and `equity_risk_premium`".into()),
        }
    }

    /// The average cost of equity and debt after tax, weighted by their market values.
    fn average_cost(&self) -> Result<f64, Failure> {
        let all = self.equity + self.debt;
        let cost_of_equity = self.cost_of_equity()?;
        Ok(self.equity / all * cost_of_equity + self.debt / all * self.cost_of_debt * (1.0 - self.tax_rate))
    }
}

/// What follows the explicit forecast.
#[derive(Clone, Copy)]
enum Terminal {
    Growth(f64),
    Multiple { multiple: f64, metric: f64 },
}

/// A model whose assumptions are complete.
struct Model {
    cash_flows: Vec<f64>,
    mid_year: bool,
    net_debt: f64,
    shares: Option<f64>,
}

/// What a model comes to at a rate.
struct Worth {
    factors: Vec<f64>,
    /// At the end of the forecast.
    terminal: f64,
    terminal_now: f64,
    enterprise: f64,
    equity: f64,
    per_share: Option<f64>,
}

impl Model {
    /// None where growth reaches the rate, so that no sum is finite.
    fn worth(&self, rate: f64, terminal: Terminal) -> Option<Worth> {
        let shift = if self.mid_year { 0.5 } else { 0.0 };
        let factor = |years: f64| (1.0 + rate).powf(-years);
        let years = self.cash_flows.len();
        let factors: Vec<f64> = (1..=years).map(|year| factor(year as f64 - shift)).collect();
        let last = self.cash_flows[years - 1];
        // Cash that grows for ever comes in the middle of its years, too; what a multiple buys is paid at the end.
        let (value, age) = match terminal {
            Terminal::Growth(growth) if growth < rate => {
                (last * (1.0 + growth) / (rate - growth), years as f64 - shift)
            }
            Terminal::Growth(_) => return None,
            Terminal::Multiple { multiple, metric } => (multiple * metric, years as f64),
        };
        let terminal_now = value * factor(age);
        let explicit: f64 = self.cash_flows.iter().zip(&factors).map(|(flow, factor)| flow * factor).sum();
        let enterprise = explicit + terminal_now;
        let equity = enterprise - self.net_debt;
        let per_share = self.shares.map(|shares| equity / shares);
        equity.is_finite().then_some(Worth {
            factors,
            terminal: value,
            terminal_now,
            enterprise,
            equity,
            per_share,
        })
    }
}

pub(super) fn dcf_model(arguments: Arguments, _cx: &CallContext) -> Result<ToolOutput, Failure> {
    let cash_flows = forecast(&arguments)?;
    let (rate, cost_of_equity) = match (arguments.discount_rate, &arguments.wacc) {
        (Some(rate), None) => (rate, None),
        (None, Some(capital)) => (capital.average_cost()?, Some(capital.cost_of_equity()?)),
        _ => return Err("expected exactly one of `discount_rate` and `wacc`".into()),
    };
    let last = cash_flows[cash_flows.len() - 1];
    let terminal = match (arguments.terminal_growth, arguments.terminal_multiple) {
        (Some(growth), None) if growth < rate => Terminal::Growth(growth),
        (Some(growth), None) => {
            return Err(format!(
                "`terminal_growth` ({growth}) has to be lower than the discount rate ({}): else the value has no limit",
                rounded(rate, 6)
            )
            .into());
        }
        (None, Some(multiple)) => {
            Terminal::Multiple { multiple, metric: arguments.terminal_metric.unwrap_or(last) }
        }
        _ => return Err("expected exactly one of `terminal_growth` and `terminal_multiple`".into()),
    };
    let Arguments { mid_year, net_debt, shares, .. } = arguments;
    let model = Model { cash_flows, mid_year, net_debt, shares };
    let worth =
        model.worth(rate, terminal).ok_or("the value is beyond what a number holds: check the amounts")?;
    let forecast: Vec<_> = model
        .cash_flows
        .iter()
        .zip(&worth.factors)
        .enumerate()
        .map(|(year, (flow, factor))| {
            json!({
                "year": year + 1,
                "cash_flow": rounded(*flow, 6),
                "discount_factor": rounded(*factor, 8),
                "present_value": rounded(flow * factor, 6),
            })
        })
        .collect();
    let mut described = json!({
        "value": rounded(worth.terminal, 6),
        "present_value": rounded(worth.terminal_now, 6),
        "share": (worth.enterprise != 0.0).then(|| rounded(worth.terminal_now / worth.enterprise, 6)),
    });
    match terminal {
        Terminal::Growth(growth) => {
            described["method"] = "growth".into();
            described["growth"] = growth.into();
            described["implied_multiple"] = json!((last != 0.0).then(|| rounded(worth.terminal / last, 6)));
        }
        Terminal::Multiple { multiple, metric } => {
            described["method"] = "multiple".into();
            described["multiple"] = multiple.into();
            described["metric"] = metric.into();
            // Gordon's formula, solved for growth.
            let growth = (worth.terminal * rate - last) / (worth.terminal + last);
            described["implied_growth"] = json!(growth.is_finite().then(|| rounded(growth, 6)));
        }
    }
    let value = json!({
        "discount_rate": rounded(rate, 8),
        "cost_of_equity": cost_of_equity.map(|cost| rounded(cost, 8)),
        "forecast": forecast,
        "terminal": described,
        "enterprise_value": rounded(worth.enterprise, 6),
        "equity_value": rounded(worth.equity, 6),
        "value_per_share": worth.per_share.map(|value| rounded(value, 6)),
        "sensitivity": sensitivity(&model, &arguments, rate, terminal),
        "notes": notes(&worth, rate, terminal),
    });
    Ok(value.into())
}

fn forecast(arguments: &Arguments) -> Result<Vec<f64>, Failure> {
    match (&arguments.cash_flows, arguments.base_cash_flow, &arguments.growth) {
        (Some(flows), None, None) => Ok(flows.clone()),
        (None, Some(base), Some(growth)) => Ok(growth
            .iter()
            .scan(base, |flow, growth| {
                *flow *= 1.0 + growth;
                Some(*flow)
            })
            .collect()),
        _ => Err("expected either `cash_flows`, or `base_cash_flow` with `growth`".into()),
    }
}

/// The value at two steps around each of both assumptions.
fn sensitivity(model: &Model, arguments: &Arguments, rate: f64, terminal: Terminal) -> Value {
    let around =
        |middle: f64, step: f64| (-2..=2).map(move |steps| rounded(middle + f64::from(steps) * step, 10));
    let rates: Vec<f64> = around(rate, arguments.rate_step).filter(|rate| *rate > -1.0).collect();
    let (name, columns): (_, Vec<(f64, Terminal)>) = match terminal {
        Terminal::Growth(growth) => (
            "terminal_growths",
            around(growth, arguments.growth_step).map(|growth| (growth, Terminal::Growth(growth))).collect(),
        ),
        Terminal::Multiple { multiple, metric } => (
            "terminal_multiples",
            around(multiple, arguments.multiple_step)
                .filter(|multiple| *multiple > 0.0)
                .map(|multiple| (multiple, Terminal::Multiple { multiple, metric }))
                .collect(),
        ),
    };
    let value = |rate: f64, terminal: Terminal| {
        let worth = model.worth(rate, terminal)?;
        Some(rounded(worth.per_share.unwrap_or(worth.equity), 6))
    };
    let values: Vec<Vec<Option<f64>>> = rates
        .iter()
        .map(|rate| columns.iter().map(|(_, terminal)| value(*rate, *terminal)).collect())
        .collect();
    json!({
        "of": if model.shares.is_some() { "value_per_share" } else { "equity_value" },
        "discount_rates": rates,
        name: columns.iter().map(|(column, _)| column).collect::<Vec<_>>(),
        "values": values,
    })
}

fn notes(worth: &Worth, rate: f64, terminal: Terminal) -> Vec<String> {
    let mut notes = Vec::new();
    let share = worth.terminal_now / worth.enterprise;
    if share > 0.75 {
        notes.push(format!(
            "{:.0} % of the value lies after the forecast: a longer forecast would tell more",
            share * 100.0
        ));
    }
    if let Terminal::Growth(growth) = terminal
        && rate - growth < 0.03
    {
        notes.push(format!(
            "growth for ever is within {:.1} points of the discount rate: small changes of either change the value much",
            (rate - growth) * 100.0
        ));
    }
    if worth.equity < 0.0 {
        notes.push("the net debt is larger than the enterprise value".to_owned());
    }
    notes
}
