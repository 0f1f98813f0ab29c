"""Exceptions of a plugin as data: type, message and where in the plugin's own code."""

MAX_MESSAGE = 4096
MAX_TRACEBACK = 8192


def message_of(error):
    """`Type: message`, shortened, whatever the exception's `__str__` does."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException as inner:
        text = f"(its message could not be read: {type(inner).__name__})"
    if not isinstance(text, str) or not text:
        return name
    parts = getattr(error, "exceptions", None)
    if isinstance(parts, tuple) and parts and all(isinstance(part, BaseException) for part in parts):
        text += ": " + "; ".join(message_of(part)[:200] for part in parts[:5])
    return _short(f"{name}: {text}", MAX_MESSAGE)


def traceback_of(error, root):
    """The lines of the traceback that lie in the plugin under the folder or file `root`, innermost last."""
    import linecache
    import os

    base = root if os.path.isdir(root) else os.path.dirname(root)
    lines = []
    step = error.__traceback__
    while step is not None and len(lines) < 1000:
        path = step.tb_frame.f_code.co_filename
        if _is_under(path, root):
            shown = os.path.relpath(path, os.path.dirname(root) if base == root else base)
            lines.append(f"{shown}, line {step.tb_lineno}, in {step.tb_frame.f_code.co_name}")
            source = linecache.getline(path, step.tb_lineno).strip()
            if source:
                lines.append("    " + source[:200])
        step = step.tb_next
    if isinstance(error, SyntaxError) and error.filename and _is_under(error.filename, root):
        shown = os.path.basename(error.filename)
        lines.append(f"{shown}, line {error.lineno}, column {error.offset}")
        if error.text:
            lines.append("    " + error.text.strip()[:200])
    if len(lines) > 60:
        lines = [*lines[:20], "...", *lines[-40:]]
    return _short("\n".join(lines), MAX_TRACEBACK)


def _is_under(path, root):
    return path == root or path.startswith(root + "/")


def _short(text, limit):
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
