//! The plugin `finance`: prices, portfolios, valuation, and the worth of cash flows.

mod arguments;
mod cash_flows;
mod competencies;
mod config;
mod convert;
mod dates;
mod dcf;
mod normal;
mod portfolio;
mod prices;
mod quotes;
mod risk;
mod roots;
mod statistics;

use std::sync::Arc;

use gathering_core::{LoadError, LoadErrorKind, Plugin, PluginManifest};
use serde_json::{Value, json};

use self::config::Config;
use self::quotes::Quotes;
use crate::base::Base;
use crate::{Builtin, NativePlugin, OwnPlaces};

/// The plugin.
pub(crate) fn builtin(own: OwnPlaces) -> Builtin {
    Builtin::new(manifest(), move |manifest, config| start(manifest, config, &own))
}

fn manifest() -> PluginManifest {
    let [npv, irr, xirr] = cash_flows::definitions();
    let manifest = json!({
        "metadata": {
            "id": "finance",
            "name": "Finance Tools",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Prices, portfolios and their risk, discounted cash flows",
            "author": "GatheRing Team",
            "license": "MIT OR Apache-2.0",
            "tags": ["finance", "stocks", "portfolio", "valuation"],
            "config_schema": config::schema(),
        },
        "tools": [
            prices::price_definition(),
            prices::history_definition(),
            portfolio::definition(),
            risk::definition(),
            dcf::definition(),
            npv,
            irr,
            xirr,
        ],
        "competencies": competencies::definitions(),
    });
    serde_json::from_value(manifest).expect("the manifest is part of the program, and a test reads it")
}

/// What the tools share.
struct Finance {
    quotes: Quotes,
}

fn start(manifest: PluginManifest, config: &Value, own: &OwnPlaces) -> Result<Box<dyn Plugin>, LoadError> {
    let refused = |message: String| LoadError::new(LoadErrorKind::InvalidPlugin, message);
    let config: Config = own.configure(config)?;
    let base = Base::open("finance", &config.base_path, &config.private)?;
    let quotes = Quotes::new(&config, Arc::new(base)).map_err(refused)?;
    let finance = Arc::new(Finance { quotes });
    let [price, history, value, risk] = std::array::from_fn(|_| finance.clone());
    NativePlugin::new(manifest)
        .async_tool("stock_price", move |arguments, _| {
            let finance = price.clone();
            async move { prices::stock_price(&finance, arguments).await }
        })
        .async_tool("price_history", move |arguments, _| {
            let finance = history.clone();
            async move { prices::price_history(&finance, arguments).await }
        })
        .async_tool("portfolio_value", move |arguments, _| {
            let finance = value.clone();
            async move { portfolio::portfolio_value(&finance, arguments).await }
        })
        .async_tool("portfolio_risk", move |arguments, _| {
            let finance = risk.clone();
            async move { risk::portfolio_risk(&finance, arguments).await }
        })
        .tool("dcf_model", dcf::dcf_model)
        .blocking_tool("npv", |arguments, _, _| cash_flows::npv(arguments))
        .blocking_tool("irr", |arguments, _, cancel| cash_flows::irr(arguments, cancel))
        .blocking_tool("xirr", |arguments, _, cancel| cash_flows::xirr(arguments, cancel))
        .finish()
}
