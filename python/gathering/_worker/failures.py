"""Exceptions of a plugin as data: type, message and where in the plugin's own code."""

MAX_MESSAGE = 4096
MAX_TRACEBACK = 8192
MAX_PATH = 4096
MAX_HOST = 253


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


def denied_of(error):
    """What the system denied, if that is what the exception comes from: a file, a host, or any host; else None.

    Libraries wrap such errors in their own, so what led to the exception is looked at too.
    """
    seen, waiting = set(), [error]
    while waiting and len(seen) < 32:
        error = waiting.pop(0)
        if id(error) in seen:
            continue
        seen.add(id(error))
        try:
            denied = (_denied_file(error) or _denied_host(error)) if isinstance(error, OSError) else None
            causes = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
        except Exception:
            # Exceptions may have attributes that raise; then nothing is known of this one.
            continue
        if denied:
            return denied
        waiting.extend(cause for cause in causes if isinstance(cause, BaseException))
    return None


def _denied_file(error):
    import errno
    import os

    if error.errno not in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS):
        return None
    if not isinstance(error.filename, (str, bytes)):
        return None
    path = os.path.realpath(os.fsdecode(error.filename))
    if len(path) > MAX_PATH or not path.isprintable():
        return None
    return {"path": path, "write": error.errno == errno.EROFS}


def _denied_host(error):
    import errno
    import socket

    if not isinstance(error, socket.gaierror) and error.errno not in (errno.EPERM, errno.EACCES, errno.ENETUNREACH):
        return None
    # Nothing else has these errors; EPERM and EACCES are those of a socket if they came up while one was made.
    is_network = isinstance(error, socket.gaierror) or error.errno == errno.ENETUNREACH
    step, found = error.__traceback__, None
    while step is not None:
        seen = step.tb_frame.f_locals
        if step.tb_frame.f_code is socket.socket.__init__.__code__:
            is_network = seen.get("family") in (socket.AF_INET, socket.AF_INET6)
        address = seen.get("address")
        host, port = address[:2] if isinstance(address, tuple) and len(address) > 1 else (seen.get("host"), seen.get("port"))
        if isinstance(host, str) and 0 < len(host) <= MAX_HOST and isinstance(port, int) and 0 < port < 65536:
            found = {"host": host, "port": port}
        step = step.tb_next
    return found or ({"network": True} if is_network else None)


def _is_under(path, root):
    return path == root or path.startswith(root + "/")


def _short(text, limit):
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
