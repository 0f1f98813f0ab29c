"""Reads docstrings in the styles of Google, NumPy and Sphinx: the summary, the parameters, the result."""

import re

_PARAMETERS = ("args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters")
_RETURNS = ("returns", "return", "yields", "yield")
_OTHERS = (
    "raises", "raise", "examples", "example", "note", "notes", "see also", "references", "attributes", "warnings",
    "warning", "warns", "todo", "todos",
)
_HEADINGS = (*_PARAMETERS, *_RETURNS, *_OTHERS)

_FIELD = re.compile(r":(\w+)(?:\s+([^:]*?))?:\s*(.*)")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(([^)]*)\))?\s*:(?!:)\s*(.*)")
_NUMPY_ENTRY = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::\s*.*)?$")


class Said:
    """What a docstring says."""

    def __init__(self, summary, parameters, returns):
        self.summary, self.parameters, self.returns = summary, parameters, returns


def parse(text):
    """What `text`, which was cleaned as by `inspect.cleandoc`, says."""
    lines = text.splitlines()
    summary, sections = _sections(lines)
    parameters, returns = {}, ""
    for heading, underlined, body in sections:
        if heading in _PARAMETERS:
            for name, description in (_numpy if underlined else _google)(body):
                parameters.setdefault(name, description)
        elif heading in _RETURNS:
            returns = returns or _result(body, underlined)
    summary, fields, of_fields = _sphinx(summary)
    return Said(summary, {**fields, **parameters}, returns or of_fields)


def _sections(lines):
    """The text before the first section, and each section as its heading, whether that is underlined, and its lines."""
    before, sections = [], []
    current = before
    at = 0
    while at < len(lines):
        line = lines[at]
        word = line.strip().rstrip(":").lower()
        underline = lines[at + 1].strip() if at + 1 < len(lines) else ""
        if word in _HEADINGS and len(underline) >= 3 and set(underline) <= {"-", "="}:
            current = []
            sections.append((word, True, current))
            at += 2
            continue
        if word in _HEADINGS and line.strip().endswith(":") and line == line.lstrip():
            current = []
            sections.append((word, False, current))
            at += 1
            continue
        if sections and not sections[-1][1] and line.strip() and line == line.lstrip():
            # The section has ended; what comes after it belongs to no other.
            current = []
        current.append(line)
        at += 1
    return before, sections


def _google(lines):
    """`name (type): description`, with further lines indented deeper."""
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    first = min(indents, default=0)
    name, words = None, []
    for line in lines:
        entry = _ENTRY.match(line.strip()) if len(line) - len(line.lstrip()) == first else None
        if entry:
            if name:
                yield name, _joined(words)
            name, words = entry[1], [entry[3]]
        elif name:
            words.append(line)
    if name:
        yield name, _joined(words)


def _numpy(lines):
    """`name : type`, and below it the description, indented."""
    names, words = [], []
    for line in lines:
        if line.strip() and line == line.lstrip():
            for name in names:
                yield name, _joined(words)
            entry = _NUMPY_ENTRY.match(line.strip())
            names = [name.strip().lstrip("*") for name in entry[1].split(",")] if entry else []
            words = []
        else:
            words.append(line)
    for name in names:
        yield name, _joined(words)


def _result(lines, underlined):
    if underlined:
        indented = [line for line in lines if line.strip() and line != line.lstrip()]
        return _joined(indented or lines)
    text = _joined(lines)
    typed = re.match(r"[\w\[\], .|]{1,60}:\s+(.*)", text)
    return typed[1] if typed else text


def _sphinx(lines):
    """The text without its fields, the descriptions of parameters, and that of the result."""
    before, parameters, returns = [], {}, ""
    take = before.append
    for line in lines:
        field = _FIELD.match(line.strip())
        if field:
            kind, of, text = field[1], (field[2] or "").split(), field[3]
            words = [text]
            take = words.append
            if kind in ("param", "parameter", "arg", "argument", "key", "keyword") and of:
                parameters[of[-1].lstrip("*")] = words
            elif kind in ("return", "returns"):
                returns = words
        else:
            take(line)
    described = {name: _joined(words) for name, words in parameters.items()}
    return _text(before), described, _joined(returns) if returns else ""


def _joined(lines):
    return " ".join(word for line in lines for word in line.split())[:4096]


def _text(lines):
    """Paragraphs of one line each."""
    paragraphs, words = [], []
    for line in [*lines, ""]:
        if line.strip():
            words.extend(line.split())
        elif words:
            paragraphs.append(" ".join(words))
            words = []
    return "\n\n".join(paragraphs)[:16384]
