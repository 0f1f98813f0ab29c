//! The configuration of the finance plugin.

use serde::Deserialize;
use serde_json::{Value, json};

/// Where prices come from.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceKind {
    /// CSV files in a folder.
    Csv,
    /// The chart endpoint of Yahoo Finance, or a service like it.
    Yahoo,
}

/// What the operator may set; the schema fills in what is left out.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) base_path: String,
    pub(super) source: SourceKind,
    pub(super) prices: String,
    pub(super) yahoo_url: String,
    pub(super) timeout_seconds: u64,
    pub(super) cache_seconds: u64,
    pub(super) stale_after_days: i64,
    pub(super) private: Vec<String>,
}

pub(super) fn schema() -> Value {
    json!({
        "base_path": {
            "type": "string",
            "default": ".",
            "description": "The folder that the tools work in; they cannot leave it",
        },
        "source": {
            "type": "string", "enum": ["csv", "yahoo"], "default": "csv",
            "description": "Where prices come from: `csv`, files in the folder `prices`; `yahoo`, the service at `yahoo_url`",
        },
        "prices": {
            "type": "string", "default": "prices", "minLength": 1,
            "description": "The folder of the source `csv`, inside `base_path`: `AAPL.csv` with the columns Date and Close, and \
                if there are Open, High, Low, Adj Close, Volume and Currency; exchange rates as `EURUSD=X.csv`",
        },
        "yahoo_url": {
            "type": "string", "default": "https://query1.finance.yahoo.com", "minLength": 1,
            "description": "The service of the source `yahoo`, which has the endpoint `/v8/finance/chart/{symbol}`. Yahoo allows \
                personal use only, and refuses who asks often",
        },
        "timeout_seconds": {
            "type": "integer", "default": 20, "minimum": 1, "maximum": 300,
            "description": "How long the service may take for an answer",
        },
        "cache_seconds": {
            "type": "integer", "default": 300, "minimum": 0, "maximum": 86_400,
            "description": "How long an answer of the service is kept, and given again",
        },
        "stale_after_days": {
            "type": "integer", "default": 4, "minimum": 0, "maximum": 3650,
            "description": "From how many days on a price is called stale; 4 lets long weekends pass",
        },
        "private": crate::core::private_schema(),
    })
}
