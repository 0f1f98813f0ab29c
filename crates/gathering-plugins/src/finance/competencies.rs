//! The competencies of the finance plugin.

use serde_json::{Value, json};

pub(super) fn definitions() -> Value {
    json!([
        {
            "id": "financial_analysis",
            "name": "Financial Analysis",
            "description": "Reading prices, and what cash flows are worth",
            "category": "financial_analysis",
            "capabilities": ["Look up prices and their history", "Compute net present values and internal rates of return"],
            "tools_enabled": ["stock_price", "price_history", "npv", "irr", "xirr"],
        },
        {
            "id": "portfolio_management",
            "name": "Portfolio Management",
            "description": "What a portfolio is worth, what it gained, and how much it may lose",
            "category": "financial_analysis",
            "prerequisites": ["financial_analysis"],
            "capabilities": ["Value holdings in one currency", "Measure volatility, drawdown, beta and value at risk"],
            "tools_enabled": ["portfolio_value", "portfolio_risk"],
        },
        {
            "id": "valuation",
            "name": "Company Valuation",
            "description": "What a company is worth by the cash that it will give",
            "category": "financial_analysis",
            "level": "advanced",
            "prerequisites": ["financial_analysis"],
            "capabilities": ["Build discounted cash flow models", "Estimate the cost of capital", "Read sensitivity tables"],
            "tools_enabled": ["dcf_model"],
        },
    ])
}
