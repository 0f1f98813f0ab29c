"""Python values as JSON: what has a form there is converted, the rest is refused with the place where it is.

The rule, which `docs/plugins.md` shows as a table: None, booleans, strings, integers of 64 bits and finite floats stay
what they are; lists and tuples become arrays; dictionaries become objects (integer keys become text); dataclasses and
pydantic models become objects; enums become their value; sets become sorted arrays; bytes become base64; dates and
times become ISO 8601, durations seconds; Decimal, UUID and paths become text; numpy scalars and arrays become numbers
and arrays.
"""

import json.encoder
from math import isfinite

MAX_DEPTH = 100
_MOST = 2**64 - 1
_LEAST = -(2**63)
_SIMPLE = frozenset((str, float, bool, type(None)))


class NoJson(Exception):
    """A value, or something in it, has no form in JSON."""

    def __init__(self, steps, message):
        self.pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in reversed(steps))
        self.message = message
        super().__init__(message)


class TooLarge(Exception):
    """The text is larger than the limit."""


def _write(value):
    return _encoder.encode(value)


if json.encoder.c_make_encoder is not None:
    _iterate = json.encoder.c_make_encoder(
        None, None, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )

    def _write(value):  # noqa: F811
        return "".join(_iterate(value, 0))

else:
    _encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))


def encode(value, limit):
    """The JSON text of `value` as UTF-8 bytes. NoJson if it has none, TooLarge if it is larger than `limit`."""
    kind = type(value)
    if kind is str and len(value) > limit:
        raise TooLarge
    try:
        if not _is_plain(value, kind, 0):
            raise ValueError
        text = _write(value)
        if len(text) > limit:
            raise TooLarge
        data = text.encode()
    except (ValueError, TypeError):  # UnicodeEncodeError is a ValueError
        # Something needs converting, or has no form: the slower way finds out what and where.
        text = _write(_convert(value, 0))
        if len(text) > limit:
            raise TooLarge from None
        data = text.encode()
    if len(data) > limit:
        raise TooLarge
    return data


def _is_plain(value, kind, depth):
    """Whether the encoder may have `value` as it is. Long lists of numbers or strings cost one pass in C."""
    if kind in _SIMPLE:
        return True
    if kind is int:
        return _LEAST <= value <= _MOST
    if depth >= MAX_DEPTH:
        return False
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return False
        items = value.values()
    elif kind is list or kind is tuple:
        items = value
    else:
        return False
    kinds = set(map(type, items))
    if kinds <= _SIMPLE:
        return True
    for item in items:
        if not _is_plain(item, type(item), depth + 1):
            return False
    return True


def _convert(value, depth):
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return _text(value)
    if kind is int:
        return _integer(value)
    if kind is float:
        return _float(value)
    if depth >= MAX_DEPTH:
        raise NoJson([], f"is nested deeper than {MAX_DEPTH}, or contains itself")
    if isinstance(value, dict):
        return _object(dict.items(value), depth)
    if isinstance(value, (list, tuple)):
        return _array(list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value), depth)
    try:
        return _convert_other(value, kind, depth)
    except NoJson:
        raise
    except Exception as error:
        raise NoJson([], f"is of type `{kind.__name__}`, which failed while it was converted: {type(error).__name__}") from None


def _convert_other(value, kind, depth):
    import base64
    import dataclasses
    import datetime
    import decimal
    import enum
    import os
    import uuid
    from collections.abc import Mapping

    if isinstance(value, enum.Enum):
        return _convert(value.value, depth + 1)
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, bool) or kind.__name__ in ("bool_", "bool") and kind.__module__ == "numpy":
        return bool(value)
    if isinstance(value, int):
        return _integer(int.__index__(value))
    if isinstance(value, float):
        return _float(float.__float__(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, (set, frozenset)):
        return _set(value, depth)
    if isinstance(value, (datetime.date, datetime.time)):
        return _text(value.isoformat())
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return _text(path if isinstance(path, str) else os.fsdecode(path))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object(((f.name, getattr(value, f.name)) for f in dataclasses.fields(value)), depth)
    if kind.__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return _convert(value.tolist(), depth + 1)
    if hasattr(kind, "model_dump"):
        return _convert(value.model_dump(), depth + 1)
    if isinstance(value, Mapping):
        return _object(value.items(), depth)
    raise NoJson([], f"is of type `{kind.__name__}`, which has no form in JSON{_hint(value)}")


def _hint(value):
    from collections.abc import Awaitable, Iterator

    if isinstance(value, Awaitable):
        return ": await it and return what it gives"
    if isinstance(value, Iterator):
        return ": return a list of what it gives"
    if callable(value):
        return ": call it and return what it gives"
    if hasattr(value, "to_dict"):
        return ": return its to_dict()"
    return ": return a dictionary, a list or text"


def _text(value):
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NoJson([], f"has the lone surrogate \\u{ord(value[error.start]):04x} at {error.start}, which is no character") from None
    return value


def _integer(value):
    if not _LEAST <= value <= _MOST:
        raise NoJson([], "is an integer beyond 64 bits, which readers would round: return it as text")
    return value


def _float(value):
    if not isfinite(value):
        raise NoJson([], f"is {value}, which is no number in JSON: return None or text")
    return value


def _array(items, depth):
    converted = []
    for index, item in enumerate(items):
        try:
            converted.append(_convert(item, depth + 1))
        except NoJson as error:
            raise _inside(index, error) from None
    return converted


def _object(items, depth):
    converted = {}
    for key, item in items:
        name = _key(key)
        if name in converted:
            raise NoJson([], f"has two keys that are written `{name}`")
        try:
            converted[name] = _convert(item, depth + 1)
        except NoJson as error:
            raise _inside(name, error) from None
    return converted


def _key(key):
    import enum

    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return _text(str.__str__(key))
    if isinstance(key, int) and not isinstance(key, bool):
        return str(_integer(int.__index__(key)))
    raise NoJson([], f"has a key that is a {type(key).__name__}: keys are text or integers")


def _set(value, depth):
    try:
        ordered = sorted(value)
    except TypeError:
        raise NoJson([], "is a set whose members have no order: return a list") from None
    return _array(ordered, depth)


def _inside(step, error):
    outer = NoJson([], error.message)
    outer.pointer = "/" + str(step).replace("~", "~0").replace("/", "~1") + error.pointer
    return outer
