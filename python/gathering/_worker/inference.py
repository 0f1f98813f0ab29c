"""Infers the schemas of a tool's arguments and result from the signature and the type hints of its function."""

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import inspect
import pathlib
import types
import typing
import uuid

_MAX_DEPTH = 12
_MAX_MEMBERS = 500
_LITERALS = (type(None), bool, int, float, str)
_TYPE_NAMES = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
_TEXTS = {
    datetime.datetime: {"format": "date-time"},
    datetime.date: {"format": "date"},
    datetime.time: {"format": "time"},
    uuid.UUID: {"format": "uuid"},
    decimal.Decimal: {},
    bytes: {"contentEncoding": "base64"},
    bytearray: {"contentEncoding": "base64"},
    memoryview: {"contentEncoding": "base64"},
}
_LISTS = (collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection, collections.abc.MutableSequence)
_AWAITABLES = (collections.abc.Awaitable, collections.abc.Coroutine)


def hints_of(function, module):
    """The type hints of `function` by name. What cannot be evaluated is left out."""
    function = inspect.unwrap(function)
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:
        written = getattr(function, "__annotations__", {})
        hints = {}
        for name, hint in written.items():
            try:
                hints[name] = eval(hint, vars(module)) if isinstance(hint, str) else hint
            except Exception:
                continue
        return hints


def parameters(signature, hints, descriptions):
    """The schema of the arguments: an object with the parameters of `signature`, and no others unless it takes `**`."""
    properties, required, takes_all = {}, [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        name = parameter.name
        of_hint = schema(hints.get(name, typing.Any))
        if parameter.default is parameter.empty:
            required.append(name)
        else:
            of_hint = _with_default(of_hint, parameter.default, name in hints)
        if name in descriptions and descriptions[name]:
            of_hint = {**of_hint, "description": descriptions[name]}
        properties[name] = of_hint
    whole = {"type": "object", "properties": properties}
    if required:
        whole["required"] = required
    whole["additionalProperties"] = takes_all
    return whole


def returns(hints, description):
    """The schema of the result."""
    whole = schema(_awaited(hints["return"])) if "return" in hints else {}
    return {**whole, "description": description} if description else whole


def _awaited(hint):
    if typing.get_origin(hint) in _AWAITABLES:
        return typing.get_args(hint)[-1]
    return hint


def _with_default(of_hint, default, is_hinted):
    """The schema with a default that the host can fill in. Any other stays with the function, which has it anyway."""
    if default is None:
        if not is_hinted or not of_hint:
            return {**of_hint, "default": None}
        return {**_either([of_hint, {"type": "null"}]), "default": None}
    if not _is_json(default, 0):
        return of_hint
    kind = _json_type(default)
    taken = of_hint.get("type")
    if not is_hinted or not of_hint:
        return {"type": kind, "default": default} if kind in ("string", "boolean") else {"default": default}
    if isinstance(taken, str) and taken != kind and not (taken == "number" and kind == "integer"):
        return of_hint
    if isinstance(taken, list) and kind not in taken:
        return of_hint
    if "enum" in of_hint and default not in of_hint["enum"]:
        return of_hint
    if kind == "object" and not default.keys() >= set(of_hint.get("required", ())):
        return of_hint
    return {**of_hint, "default": default}


def _json_type(value):
    return _TYPE_NAMES.get(type(value)) or ("array" if type(value) is list else "object")


def _is_json(value, depth):
    """Whether the value is just what JSON would give back."""
    kind = type(value)
    if kind is int:
        return -(2**63) <= value < 2**64
    if kind is float:
        return value == value and value not in (float("inf"), float("-inf"))
    if kind is str:
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if kind in _LITERALS:
        return True
    if depth > _MAX_DEPTH:
        return False
    if kind is list:
        return all(_is_json(item, depth + 1) for item in value)
    if kind is dict:
        return all(type(key) is str and _is_json(item, depth + 1) for key, item in value.items())
    return False


def schema(hint, seen=()):
    """The schema of the values of a type hint; `{}`, which takes anything, where it says nothing that JSON knows."""
    if len(seen) > _MAX_DEPTH:
        return {}
    try:
        return _schema(hint, seen)
    except (TypeError, AttributeError, NameError, ValueError):
        return {}


def _schema(hint, seen):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)

    def inner(part):
        return schema(part, (*seen, hint))

    if origin is typing.Annotated:
        return _annotated(inner(arguments[0]), arguments[1:])
    if hint is None:
        return {"type": "null"}
    if isinstance(hint, typing.TypeVar):
        return inner(hint.__bound__) if hint.__bound__ else {}
    if hasattr(hint, "__supertype__"):
        return inner(hint.__supertype__)
    if origin in (typing.Union, types.UnionType):
        return _either([inner(argument) for argument in arguments])
    if origin is typing.Literal:
        return _enumerated([value.value if isinstance(value, enum.Enum) else value for value in arguments])
    if origin in (typing.Final, typing.ClassVar) or getattr(origin, "_name", None) in ("Required", "NotRequired", "ReadOnly"):
        return inner(arguments[0])
    if hint in _TYPE_NAMES:
        return {"type": _TYPE_NAMES[hint]}
    base = origin or hint
    if not isinstance(base, type):
        return {}
    if base in seen or hint in seen:
        return {"type": "object"} if dataclasses.is_dataclass(base) or typing.is_typeddict(base) else {}
    if issubclass(base, enum.Enum):
        return _enumerated([member.value for member in base])
    for kind, details in _TEXTS.items():
        if issubclass(base, kind):
            return {"type": "string", **details}
    if issubclass(base, pathlib.PurePath):
        return {"type": "string"}
    if issubclass(base, datetime.timedelta):
        return {"type": "number"}
    if typing.is_typeddict(base):
        return _typed_dict(base, inner)
    if dataclasses.is_dataclass(base):
        return _dataclass(base, inner)
    if issubclass(base, tuple):
        return _tuple(arguments, inner)
    if issubclass(base, (set, frozenset, collections.abc.Set)):
        return {**_array(arguments, inner), "uniqueItems": True}
    if issubclass(base, (dict, collections.abc.Mapping)):
        return _mapping(arguments, inner)
    if issubclass(base, list) or base in _LISTS:
        return _array(arguments, inner)
    for kind in (bool, int, float, str):
        if issubclass(base, kind):
            return {"type": _TYPE_NAMES[kind]}
    return {"type": "object"} if hasattr(base, "model_json_schema") else {}


def _annotated(of_hint, notes):
    for note in notes:
        text = note if isinstance(note, str) else getattr(note, "description", None) or getattr(note, "documentation", None)
        if isinstance(text, str) and text.strip():
            return {**of_hint, "description": text.strip()[:4096]}
    return of_hint


def _either(schemas):
    """One of the schemas. Plain types are told in one list."""
    alternatives = []
    for alternative in schemas:
        if alternative == {}:
            return {}
        parts = alternative["anyOf"] if set(alternative) == {"anyOf"} else [alternative]
        alternatives.extend(part for part in parts if part not in alternatives)
    if len(alternatives) == 1:
        return alternatives[0]
    if all(set(part) == {"type"} for part in alternatives):
        names = []
        for part in alternatives:
            of_part = part["type"] if isinstance(part["type"], list) else [part["type"]]
            names.extend(name for name in of_part if name not in names)
        return {"type": names}
    rest = [part for part in alternatives if part != {"type": "null"}]
    if len(rest) == 1 and isinstance(rest[0].get("type"), str) and not {"enum", "anyOf"} & set(rest[0]):
        return {**rest[0], "type": [rest[0]["type"], "null"]}
    return {"anyOf": alternatives}


def _enumerated(members):
    if not members or len(members) > _MAX_MEMBERS or not all(_is_json(member, 0) for member in members):
        return {}
    kinds = {_json_type(member) for member in members}
    whole = {"enum": members}
    return {"type": kinds.pop(), **whole} if len(kinds) == 1 else whole


def _array(arguments, inner):
    items = inner(arguments[0]) if arguments else {}
    return {"type": "array", "items": items} if items else {"type": "array"}


def _tuple(arguments, inner):
    if not arguments:
        return {"type": "array"}
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return _array(arguments, inner)
    arguments = [argument for argument in arguments if argument != ()]
    items = [inner(argument) for argument in arguments]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _mapping(arguments, inner):
    values = inner(arguments[1]) if len(arguments) == 2 else {}
    return {"type": "object", "additionalProperties": values} if values else {"type": "object"}


def _typed_dict(base, inner):
    hints = typing.get_type_hints(base, include_extras=True)
    return _object({name: inner(hint) for name, hint in hints.items()}, [n for n in hints if n in base.__required_keys__])


def _dataclass(base, inner):
    hints = typing.get_type_hints(base, include_extras=True)
    fields = [field for field in dataclasses.fields(base) if field.init]
    needed = [f.name for f in fields if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    return _object({field.name: inner(hints.get(field.name, typing.Any)) for field in fields}, needed)


def _object(properties, required):
    whole = {"type": "object", "properties": properties}
    if required:
        whole["required"] = required
    whole["additionalProperties"] = False
    return whole
