"""GatheRing: tools, competencies and file handlers for AI agents."""

__version__ = "0.5.0"
__all__ = ["AsyncClient", "Client", "ClientError", "tool"]


def __getattr__(name):
    # What is not asked for costs nothing: workers import this package thousands of times.
    if name == "tool":
        from gathering._decorator import tool

        return tool
    if name in ("AsyncClient", "Client", "ClientError"):
        from gathering._process import client

        return getattr(client, name)
    raise AttributeError(f"module 'gathering' has no attribute '{name}'")
