"""The finance plugin: prices, portfolios, valuation and the worth of cash flows, in Rust."""

from gathering._face import builtin_plugin

__all__ = ["FinancePlugin"]


class FinancePlugin(builtin_plugin("finance")):
    """Financial analysis and calculations.

    >>> from gathering.core.tool_registry import ToolRegistry
    >>> from gathering.plugins import PluginManager
    >>> from gathering.plugins.finance import FinancePlugin
    >>> tools = ToolRegistry()
    >>> manager = PluginManager(tools)
    >>> manager.load_plugin("finance", FinancePlugin)
    >>> "portfolio_value" in tools
    True
    >>> manager.unload_plugin("finance")
    """

    plugin_id = "finance"
