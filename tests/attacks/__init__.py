"""The attack suite: hostile callers, tools, files and peers against a real server; `attack_suite.py` runs it.

One file per group: P paths, E processes, N network, R resources, S secrets, X HTTP, G registry, Y Python workers, F faults.
The groups M (MCP servers) and W (WebAssembly) and the cases of R11, R12 (archives, images) and X01 (JSON-RPC) come with their
doors.
"""

from attacks import egress, escapes, exhaustion, faults, gate, leaks, paths, protocol, registry, workers  # noqa: F401
