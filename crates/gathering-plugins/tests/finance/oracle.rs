//! Figures, compared with those of numpy-financial, NumPy, pandas and SciPy.

use serde_json::json;

use crate::support::Finance;

const FLOWS: [&[f64]; 5] = [
    &[-1000.0, 300.0, 400.0, 500.0],
    &[-100.0, 39.0, 59.0, 55.0, 20.0],
    &[-5.0, 10.5, 1.0, -8.0, 1.0],
    &[-250_000.0, 100_000.0, 150_000.0, 200_000.0, 250_000.0, 300_000.0],
    &[100.0, -20.0, -30.0, -70.0],
];

#[tokio::test]
async fn present_values_and_rates_are_those_of_numpy_financial_and_scipy() {
    let finance = Finance::new().await;
    let mut computed = Vec::new();
    for flows in FLOWS {
        let npv = finance.call("npv", json!({"rate": 0.07, "cash_flows": flows})).await.unwrap();
        let irr = finance.call("irr", json!({"cash_flows": flows})).await.unwrap();
        computed.push(json!({"flows": flows, "npv": npv["npv"], "rates": irr["rates"]}));
    }
    let dates = ["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"];
    let amounts = [-10000, 2750, 4250, 3250, 2750];
    let dated = json!({"cash_flows": amounts, "dates": dates});
    let xirr = finance.call("xirr", dated.clone()).await.unwrap();
    let mut xnpv = dated.clone();
    xnpv["rate"] = json!(0.09);
    let xnpv = finance.call("npv", xnpv).await.unwrap();
    finance.put(
        "computed.json",
        &json!({"periodic": computed, "dated": dated, "xirr": xirr["rate"], "xnpv": xnpv["npv"]}).to_string(),
    );

    let script = r##"
import json
import numpy as np, numpy_financial as npf
from datetime import date
from scipy.optimize import brentq
computed = json.load(open("computed.json"))
for each in computed["periodic"]:
    flows = each["flows"]
    assert np.isclose(each["npv"], npf.npv(0.07, flows), rtol=1e-12), each
    # All real rates above -1, from the eigenvalues of the companion matrix.
    roots = np.roots(flows[::-1])
    rates = sorted(1 / r.real - 1 for r in roots if abs(r.imag) < 1e-9 and r.real > 0)
    assert np.allclose(each["rates"], rates, rtol=1e-8, atol=1e-9), (each, rates)
    if len(rates) == 1:
        assert np.isclose(each["rates"][0], npf.irr(flows), rtol=1e-9), each
days = [date.fromisoformat(day) for day in computed["dated"]["dates"]]
value = lambda rate: sum(a / (1 + rate) ** ((d - days[0]).days / 365) for a, d in zip(computed["dated"]["cash_flows"], days))
assert np.isclose(computed["xnpv"], value(0.09), rtol=1e-12)
assert np.isclose(computed["xirr"], brentq(value, -0.9, 10, xtol=1e-14), rtol=1e-10)
# What the documentation of Excel says about just these flows.
assert round(computed["xirr"], 6) == 0.373363 and round(computed["xnpv"], 2) == 2086.65
print("checked")
"##;
    if let Some(said) = finance.python(script) {
        assert_eq!(said.trim(), "checked");
    }
}

#[tokio::test]
async fn risk_is_that_of_pandas_on_files_that_pandas_wrote() {
    let finance = Finance::new().await;
    let written = finance.python(
        r##"
import numpy as np, pandas as pd
random = np.random.default_rng(7)
days = pd.bdate_range("2022-01-03", periods=600, name="Date")
market = random.standard_t(4, 600) * 0.008
for name, beta, start, currency in [("ACME", 1.3, 90, "USD"), ("SAP.DE", 0.8, 120, "EUR"), ("^INDEX", 1, 4000, "USD")]:
    noise = 0 if name == "^INDEX" else random.normal(0.0003, 0.01, 600)
    close = start * np.cumprod(1 + beta * market + noise)
    frame = pd.DataFrame({"Close": close, "Adj Close": close * 0.97, "Currency": currency}, index=days)
    # Exchanges close on different days.
    frame.drop(random.choice(days, 15, replace=False)).to_csv(f"prices/{name}.csv")
rate = 1.1 * np.cumprod(1 + random.normal(0, 0.005, 600))
pd.DataFrame({"Close": rate}, index=days).to_csv("prices/EURUSD=X.csv")
"##,
    );
    if written.is_none() {
        return;
    }
    let arguments = json!({
        "holdings": [{"symbol": "ACME", "weight": 3}, {"symbol": "SAP.DE", "weight": 1}], "benchmark": "^INDEX",
        "currency": "USD", "from": "2022-01-01", "to": "2025-01-01", "risk_free_rate": 0.03, "confidence": 0.975,
    });
    let risk = finance.call("portfolio_risk", arguments).await.unwrap();
    let monthly = json!({"symbol": "ACME", "from": "2022-01-01", "to": "2025-01-01", "interval": "1mo"});
    let monthly = finance.call("price_history", monthly).await.unwrap();
    finance.put("computed.json", &json!({"risk": risk, "monthly": monthly}).to_string());

    let script = r##"
import json
import numpy as np, pandas as pd
from scipy.stats import norm
computed = json.load(open("computed.json"))
read = lambda name, column: pd.read_csv(f"prices/{name}.csv", index_col="Date", parse_dates=True)[column]
euro = read("EURUSD=X", "Close")
prices = pd.DataFrame({
    "ACME": read("ACME", "Adj Close"),
    "SAP.DE": (sap := read("SAP.DE", "Adj Close")) * euro.reindex(sap.index, method="ffill"),
    "^INDEX": read("^INDEX", "Adj Close"),
}).dropna()
returns = prices.pct_change().dropna()
portfolio = returns[["ACME", "SAP.DE"]] @ [0.75, 0.25]
risk = computed["risk"]
near = lambda one, other: np.isclose(one, other, rtol=1e-6, atol=2e-8)
assert risk["returns"] == len(returns), (risk["returns"], len(returns))
assert near(risk["annual_return"], portfolio.mean() * 252)
assert near(risk["volatility"], portfolio.std() * np.sqrt(252))
assert near(risk["sharpe_ratio"], (portfolio.mean() - 0.03 / 252) / portfolio.std() * np.sqrt(252))
worth = pd.concat([pd.Series([1.0], index=prices.index[:1]), (1 + portfolio).cumprod()])
fall = 1 - worth / worth.cummax()
assert near(risk["max_drawdown"]["part"], fall.max())
assert risk["max_drawdown"]["trough"] == str(fall.idxmax().date())
assert risk["max_drawdown"]["peak"] == str(worth[:fall.idxmax()].idxmax().date())
assert near(risk["beta"], portfolio.cov(returns["^INDEX"]) / returns["^INDEX"].var())
assert near(risk["correlation"]["ACME"]["SAP.DE"], returns["ACME"].corr(returns["SAP.DE"]))
edge = np.quantile(portfolio, 0.025)
at_risk = risk["value_at_risk"]
assert near(at_risk["historical"], -edge)
assert near(at_risk["parametric"], -norm.ppf(0.025, portfolio.mean(), portfolio.std()))
assert near(at_risk["expected_shortfall"], -portfolio[portfolio <= edge].mean())
months = read("ACME", "Close").resample("MS").agg(["last"])["last"]
assert np.allclose([each["close"] for each in computed["monthly"]["prices"]], months)
print("checked")
"##;
    assert_eq!(finance.python(script).unwrap().trim(), "checked");
}

#[tokio::test]
async fn a_valuation_is_that_of_numpy_financial() {
    let finance = Finance::new().await;
    let growth = json!({
        "base_cash_flow": 100, "growth": [0.1, 0.08, 0.06], "discount_rate": 0.09, "terminal_growth": 0.02,
        "net_debt": 250, "shares": 50, "mid_year": true,
    });
    let multiple = json!({
        "cash_flows": [120, 130, 140], "terminal_multiple": 9, "terminal_metric": 240,
        "wacc": {"equity": 1500, "debt": 500, "cost_of_debt": 0.05, "tax_rate": 0.25, "risk_free_rate": 0.03,
            "beta": 1.2, "equity_risk_premium": 0.05},
    });
    let growth = finance.call("dcf_model", growth).await.unwrap();
    let multiple = finance.call("dcf_model", multiple).await.unwrap();
    finance.put("computed.json", &json!([growth, multiple]).to_string());

    let script = r##"
import json
import numpy as np, numpy_financial as npf
growth, multiple = json.load(open("computed.json"))
flows = 100 * np.cumprod([1.1, 1.08, 1.06])
def worth(rate, g):
    # Half a year earlier than at the ends of the years, the perpetuity included.
    whole = npf.npv(rate, [0, *flows[:-1], flows[-1] + flows[-1] * (1 + g) / (rate - g)])
    return (whole * (1 + rate) ** 0.5 - 250) / 50
assert np.isclose(growth["value_per_share"], worth(0.09, 0.02), rtol=1e-7)
table = growth["sensitivity"]
for rate, row in zip(table["discount_rates"], table["values"]):
    for g, value in zip(table["terminal_growths"], row):
        assert np.isclose(value, worth(rate, g), rtol=1e-6), (rate, g)
rate = 0.75 * (0.03 + 1.2 * 0.05) + 0.25 * 0.05 * 0.75
assert np.isclose(multiple["discount_rate"], rate, rtol=1e-7) and np.isclose(multiple["cost_of_equity"], 0.09)
assert np.isclose(multiple["enterprise_value"], npf.npv(rate, [0, 120, 130, 140 + 9 * 240]), rtol=1e-8)
g = multiple["terminal"]["implied_growth"]
assert np.isclose(140 * (1 + g) / (rate - g), 9 * 240, rtol=1e-4)
print("checked")
"##;
    if let Some(said) = finance.python(script) {
        assert_eq!(said.trim(), "checked");
    }
}
