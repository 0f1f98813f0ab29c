//! The finance plugin, each tool on real input, checked by numpy-financial, NumPy, pandas and SciPy.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, or says so")]

mod oracle;
mod sources;
mod support;
mod yahoo;

use serde_json::json;
use support::Finance;

#[tokio::test]
async fn every_example_runs_and_every_tool_has_a_competency() {
    let finance = Finance::new().await;
    finance.put_prices();
    let tools = finance.host().snapshot().tools().list().clone();
    let of_finance =
        tools.iter().filter(|tool| tool.plugin_id.as_ref().is_some_and(|id| id.as_str() == "finance"));

    for tool in of_finance {
        assert!(!tool.examples.is_empty(), "`{}` has no example", tool.name);
        assert!(!tool.required_competencies.is_empty(), "`{}` requires nothing", tool.name);
        for example in &tool.examples {
            let outcome = finance.call(tool.name.as_str(), example["arguments"].clone()).await;
            assert!(outcome.is_ok(), "`{}` {example}: {outcome:?}", tool.name);
        }
    }
}

#[tokio::test]
async fn the_tools_of_the_document_give_what_it_says() {
    let finance = Finance::new().await;
    finance.put("prices/AAPL.csv", "Date,Close,Currency\n2025-01-02,243.85,USD\n2025-01-03,243.36,USD\n");

    let price = finance.call("stock_price", json!({"symbol": "aapl"})).await.unwrap();
    let holdings = json!([{"symbol": "AAPL", "quantity": 3, "cost": "200.10"}]);
    let value = finance.call("portfolio_value", json!({"holdings": holdings})).await.unwrap();

    assert_eq!((&price["symbol"], &price["price"]), (&json!("AAPL"), &json!(243.36)));
    assert_eq!((&price["as_of"], &price["stale"]), (&json!("2025-01-03"), &json!(true)));
    assert_eq!(price["source"], "csv: prices/AAPL.csv");
    assert_eq!((&value["value"], &value["gain"]), (&json!(730.08), &json!(129.78)));
    assert_eq!(value["gain_percent"], json!(21.6192));
}

#[tokio::test]
async fn cash_flows_that_no_rate_solves_and_those_that_several_do_are_told() {
    let finance = Finance::new().await;

    let several = finance.call("irr", json!({"cash_flows": [-100, 230, -132], "guess": 0.3})).await.unwrap();
    let none = finance.call("irr", json!({"cash_flows": [-100, 100, -100]})).await.unwrap_err();
    let paid = finance.call("irr", json!({"cash_flows": [-100, -1]})).await.unwrap_err();
    let dates =
        finance.call("xirr", json!({"cash_flows": [-1, 2], "dates": ["2024-02-30", "2024-03-01"]})).await;

    assert_eq!(several["unique"], false);
    assert!((several["rate"].as_f64().unwrap() - 0.2).abs() < 1e-12, "{several}");
    assert!(none.starts_with("no rate makes these cash flows worth nothing"), "{none}");
    assert_eq!(paid, "all cash flows are paid, none is received: no rate makes them worth nothing");
    assert_eq!(dates.unwrap_err(), "`2024-02-30` is no date: expected one such as `2025-03-31`");
}

#[tokio::test]
async fn a_model_whose_growth_has_no_limit_is_refused_and_assumptions_are_never_guessed() {
    let finance = Finance::new().await;
    let growth = json!({"cash_flows": [10], "discount_rate": 0.05, "terminal_growth": 0.05});

    let limit = finance.call("dcf_model", growth).await.unwrap_err();
    let rate =
        finance.call("dcf_model", json!({"cash_flows": [10], "terminal_growth": 0.02})).await.unwrap_err();

    assert_eq!(
        limit,
        "`terminal_growth` (0.05) has to be lower than the discount rate (0.05): else the value has no limit"
    );
    assert_eq!(rate, "expected exactly one of `discount_rate` and `wacc`");
}
