//! Prices from a folder of CSV files.

use serde_json::json;

use crate::support::Finance;

#[tokio::test]
async fn without_a_price_the_error_says_how_to_set_one_and_what_there_is() {
    let finance = Finance::new().await;
    finance.put("prices/ACME.csv", "Date,Close\n2025-01-02,10\n");

    let error = finance.call("stock_price", json!({"symbol": "GLOBEX"})).await.unwrap_err();

    assert_eq!(
        error,
        "there are no prices of `GLOBEX` in the folder `prices`: put a file `prices/GLOBEX.csv` there with the columns Date \
         and Close, or have the operator set another `source` of the plugin `finance` (there are prices of ACME)"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_with_its_line() {
    let finance = Finance::new().await;
    for (text, expected) in [
        ("Date,Open\n", "it has no column `Close`; its first line is `Date,Open`"),
        ("Date,Close\n2025-01-02,ten\n", "line 2: `ten` is no price: expected a number above zero"),
        (
            "Date,Close\n2025-01-02,1\n02/03/2025,2\n",
            "line 3: `02/03/2025` is no date: expected one such as `2025-03-31`",
        ),
        ("Date,Close\n2025-01-02,1\n2025-01-02,2\n", "the day 2025-01-02 stands there twice"),
        (
            "Date,Close,Currency\n2025-01-02,1,USD\n2025-01-03,2,EUR\n",
            "line 3: the currency changes from `USD` to `EUR`",
        ),
    ] {
        finance.put("prices/BAD.csv", text);
        let error = finance.call("stock_price", json!({"symbol": "BAD"})).await.unwrap_err();
        assert_eq!(error, format!("`prices/BAD.csv`: {expected}"));
    }
    let outside = finance.call("stock_price", json!({"symbol": "../secret"})).await.unwrap_err();
    assert!(outside.contains("symbol"), "{outside}");
}

#[tokio::test]
async fn amounts_are_exact_pence_are_pounds_and_rates_go_both_ways() {
    let finance = Finance::new().await;
    finance.put("prices/TINY.csv", "Date,Close,Currency\n2025-01-02,0.1,USD\n");
    finance.put("prices/VOD.L.csv", "Date,Close,Currency\n2025-01-02,70.5,GBp\n");
    finance.put("prices/GBPUSD=X.csv", "Date,Close\n2025-01-01,1.25\n");

    let holdings =
        json!([{"symbol": "TINY", "quantity": 3}, {"symbol": "VOD.L", "quantity": 1000, "cost": "0.5"}]);
    let dollars = finance.call("portfolio_value", json!({"holdings": holdings})).await.unwrap();
    let pounds =
        finance.call("portfolio_value", json!({"holdings": holdings, "currency": "GBP"})).await.unwrap();
    let yen =
        finance.call("portfolio_value", json!({"holdings": holdings, "currency": "JPY"})).await.unwrap_err();

    assert_eq!(dollars["value"], json!(881.55));
    assert_eq!((&dollars["cost"], &dollars["gain"]), (&json!(625.0), &json!(256.25)));
    assert_eq!(dollars["holdings"][1]["price"], json!(0.705));
    assert_eq!(dollars["as_of"], "2025-01-01");
    assert_eq!(pounds["value"], json!(705.24));
    assert!(
        yen.starts_with("there is no exchange rate from USD to JPY: there are no prices of `USDJPY=X`"),
        "{yen}"
    );
}

#[tokio::test]
async fn a_currency_that_is_not_known_is_asked_for() {
    let finance = Finance::new().await;
    finance.put("prices/ACME.csv", "Date,Close\n2025-01-02,10\n");

    let unknown =
        finance.call("portfolio_value", json!({"holdings": [{"symbol": "ACME", "quantity": 2}]})).await;
    let holdings = json!([{"symbol": "ACME", "quantity": 2, "currency": "USD"}]);
    let given = finance.call("portfolio_value", json!({"holdings": holdings})).await.unwrap();

    assert_eq!(
        unknown.unwrap_err(),
        "the currency of `ACME` is not known: add a column `Currency` to its prices (csv: prices/ACME.csv), or give the \
         holding a `currency`"
    );
    assert_eq!(given["value"], json!(20.0));
}
