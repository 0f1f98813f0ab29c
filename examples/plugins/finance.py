"""Stock prices from Yahoo Finance, and what a portfolio is worth.

`stock_price` needs the internet. `portfolio_value` needs it only for the holdings whose price is not given.
"""

from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins.base import Plugin, PluginMetadata


class FinancePlugin(Plugin):
    """Financial analysis and calculations."""

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            id="finance",
            name="Finance Tools",
            version="1.0.0",
            description="Financial analysis and calculations",
            python_dependencies=["yfinance", "pandas"],
        )

    def register_tools(self) -> list[ToolDefinition]:
        return [
            ToolDefinition(
                name="stock_price",
                description="Get current stock price",
                category=ToolCategory.FINANCE,
                function=self.get_stock_price,
                parameters={
                    "type": "object",
                    "properties": {
                        "symbol": {"type": "string"},
                    },
                    "required": ["symbol"],
                },
                plugin_id="finance",
            ),
            ToolDefinition(
                name="portfolio_value",
                description="Calculate portfolio value",
                category=ToolCategory.FINANCE,
                function=self.calculate_portfolio,
                parameters={
                    "type": "object",
                    "properties": {
                        "holdings": {
                            "description": "What is held; a price that is not given is looked up",
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "properties": {
                                    "symbol": {"type": "string", "minLength": 1},
                                    "shares": {"type": "number", "exclusiveMinimum": 0},
                                    "price": {"type": "number", "minimum": 0},
                                },
                                "required": ["symbol", "shares"],
                                "additionalProperties": False,
                            },
                        },
                    },
                    "required": ["holdings"],
                    "additionalProperties": False,
                },
                returns={"type": "object", "required": ["total", "positions"]},
                examples=[{"holdings": [{"symbol": "AAPL", "shares": 10, "price": 180.5}]}],
                plugin_id="finance",
            ),
        ]

    def get_stock_price(self, symbol: str) -> dict:
        import yfinance as yf

        ticker = yf.Ticker(symbol)
        return {"symbol": symbol, "price": ticker.info["regularMarketPrice"]}

    def calculate_portfolio(self, holdings: list) -> dict:
        import pandas as pd

        table = pd.DataFrame(holdings, columns=["symbol", "shares", "price"])
        for symbol in table.loc[table["price"].isna(), "symbol"].unique():
            price = self.get_stock_price(symbol)["price"]
            table.loc[(table["symbol"] == symbol) & table["price"].isna(), "price"] = price
        table["value"] = table["shares"] * table["price"].astype(float)
        total = table["value"].sum()
        table["weight"] = table["value"] / total if total else 0.0
        rounded = table.round({"value": 2, "weight": 4})
        return {"total": round(float(total), 2), "positions": rounded.to_dict("records")}
