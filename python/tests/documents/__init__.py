"""The Python of the two documents that this package keeps to, and reading it by heading."""

import re
from pathlib import Path

_HERE = Path(__file__).parent


def blocks(document, heading):
    """The Python blocks under a heading of `later` or `earlier`, as they are written there."""
    text = (_HERE / f"{document}.md").read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```python\n(.*?)^```$", section[1], re.DOTALL | re.MULTILINE)


def block(document, heading, completions=()):
    """The first of them, with each `(written, completed)` of `completions` put in: what the document left to the reader."""
    text = blocks(document, heading)[0]
    for written, completed in completions:
        assert text.count(written) == 1, f"{written!r} is not in {heading} once"
        text = text.replace(written, completed)
    return text
