//! Prices over HTTP, from a service on the loopback that answers as Yahoo's does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::Finance;

/// A service that answers a symbol with a status and a body. Its address, and how often it was asked.
async fn service(answers: HashMap<&'static str, (u16, Value)>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            count.fetch_add(1, Ordering::SeqCst);
            let request = String::from_utf8(request).unwrap();
            let path = request.strip_prefix("GET /v8/finance/chart/").unwrap();
            let symbol = path.split(['?', ' ']).next().unwrap();
            let (status, body) = answers.get(symbol).cloned().unwrap_or_else(|| (404, unknown()));
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    (address, asked)
}

/// What the service says of a symbol that it does not know.
fn unknown() -> Value {
    json!({"chart": {"result": null, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}})
}

/// The form of the answers to <https://query1.finance.yahoo.com/v8/finance/chart/AAPL?interval=1d>.
fn charted(currency: &str) -> Value {
    json!({"chart": {"error": null, "result": [{
        "meta": {
            "currency": currency, "symbol": "AAPL", "exchangeName": "NMS", "instrumentType": "EQUITY", "gmtoffset": -18000,
            "timezone": "EST", "exchangeTimezoneName": "America/New_York", "regularMarketTime": 1_735_938_001,
            "regularMarketPrice": 243.36, "chartPreviousClose": 250.42, "priceHint": 2,
        },
        "timestamp": [1_735_828_200, 1_735_914_600, 1_735_938_001],
        "indicators": {
            "quote": [{
                "open": [248.92999267578125, 243.36000061035156, 243.36], "high": [249.10000610351562, 244.17999267578125, 244.18],
                "low": [241.82000732421875, 241.88999938964844, 241.89], "close": [243.85000610351562, null, 243.36],
                "volume": [55740700, null, 40244100],
            }],
            "adjclose": [{"adjclose": [243.26, null, 242.77]}],
        },
    }]}})
}

#[tokio::test]
async fn prices_come_over_http_with_their_time_and_are_kept_for_a_while() {
    let (address, asked) = service(HashMap::from([("AAPL", (200, charted("USD")))])).await;
    let finance = Finance::with(json!({"source": "yahoo", "yahoo_url": address})).await;

    let price = finance.call("stock_price", json!({"symbol": "AAPL"})).await.unwrap();
    let again = finance.call("stock_price", json!({"symbol": "AAPL"})).await.unwrap();
    let span = json!({"symbol": "AAPL", "from": "2025-01-01", "to": "2025-01-31"});
    let history = finance.call("price_history", span).await.unwrap();

    assert_eq!(price, again);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!((&price["price"], &price["currency"]), (&json!(243.36), &json!("USD")));
    assert_eq!((&price["as_of"], &price["stale"]), (&json!("2025-01-03T16:00:01-05:00"), &json!(true)));
    assert_eq!((&price["previous_close"], &price["source"]), (&json!(243.85), &json!("yahoo")));
    let prices = history["prices"].as_array().unwrap();
    assert_eq!(prices.len(), 2);
    assert_eq!((&prices[0]["date"], &prices[0]["open"]), (&json!("2025-01-02"), &json!(248.93)));
    assert_eq!((&prices[1]["close"], &prices[1]["volume"]), (&json!(243.36), &json!(40_244_100)));
}

#[tokio::test]
async fn what_the_service_does_not_know_or_refuses_is_told_and_never_made_up() {
    let refused = json!({"finance": {"error": {"code": "Too Many Requests"}}});
    let empty = json!({"chart": {"result": [], "error": null}});
    let (address, _) = service(HashMap::from([("BUSY", (429, refused)), ("EMPTY", (200, empty))])).await;
    let finance = Finance::with(json!({"source": "yahoo", "yahoo_url": address})).await;
    let ask = async |symbol: &str| finance.call("stock_price", json!({"symbol": symbol})).await.unwrap_err();

    let (unknown, busy, empty) = (ask("NONE").await, ask("BUSY").await, ask("EMPTY").await);

    assert!(unknown.starts_with("the source does not know `NONE`"), "{unknown}");
    assert!(unknown.contains("No data found, symbol may be delisted"), "{unknown}");
    assert!(busy.starts_with("the source refuses to give prices of `BUSY` now"), "{busy}");
    assert!(
        empty.contains("answered something unexpected: there is no `chart.result`, for `EMPTY`"),
        "{empty}"
    );
}
