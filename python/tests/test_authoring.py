"""What is found out about the code of tools: which function, which schemas, which examples."""

import sys
import unittest

from gathering._worker.authoring import examine


def examined(code, name="f", **said):
    """What is found out about one tool, or the problem."""
    outcome = examine([{"name": name, "code": code, **said}], None, {})
    return outcome["problem"] or outcome["tools"][0]


def parameters(signature, before="", **said):
    """The inferred schemas of the parameters of a function with this signature."""
    found = examined(f"{before}\ndef f{signature}:\n    'Doc.'\n", **said)
    return found["parameters"]


def schema_of(hint, before="from typing import *"):
    """The schema that a hint is read as."""
    found = parameters(f"(x: {hint})", before)
    return found["properties"]["x"]


class Functions(unittest.TestCase):
    def test_the_function_called_like_the_tool_is_the_tool_else_the_only_public_one(self):
        self.assertEqual(examined("def g(): 0\ndef f(): 0")["function"], "f")
        self.assertEqual(examined("def _h(): 0\ndef g(): return _h()")["function"], "g")
        self.assertEqual(examined("def read_it(): 0\ndef g(): 0", name="read-it")["function"], "read_it")
        self.assertEqual(examined("from functools import *\nf = lru_cache(lambda n: n)")["function"], "f")

    def test_several_functions_of_other_names_are_listed_and_none_is_an_error(self):
        several = examined("from math import sqrt\ndef a(): 0\ndef b(): 0\nclass C: pass")
        self.assertIn("several public functions (`a`, `b`) and none is called `f`", several["message"])
        self.assertIn("define one called `f`", examined("from math import sqrt")["message"])

    def test_each_public_function_of_code_without_tools_is_one(self):
        outcome = examine([], "'''Sums.'''\ndef a(): 0\ndef _h(): 0\nasync def b(): 0\n", {})
        self.assertEqual([tool["name"] for tool in outcome["tools"]], ["a", "b"])
        self.assertEqual(outcome["documentation"], "Sums.")
        self.assertIn("no public function", examine([], "x = 1", {})["problem"]["message"])

    def test_problems_have_their_line_and_column(self):
        broken = examined("x = 1\ndef f():\n    return return")
        self.assertEqual((broken["code"], broken["line"], broken["column"]), ("invalid_code", 3, 12))
        raising = examined("x = 1\n\nint('a')")
        self.assertEqual((raising["line"], raising["traceback"]), (3, "tools/f.py, line 3, in <module>\n    int('a')"))
        self.assertEqual(examined("import nothing_at_all")["code"], "missing_dependency")
        self.assertEqual(examined("import json, nothing_at_all as x")["line"], 1)
        for code in ("(" * 100000, "x = " + "-" * 100000 + "1", "raise SystemExit", "raise KeyboardInterrupt"):
            self.assertEqual(examined(code)["code"], "invalid_code")

    def test_lines_are_counted_as_python_counts_them(self):
        self.assertEqual(examined("a = '\u2028\x0b\x1c'\r\nb = 1\r\nint('a')")["line"], 3)

    def test_tools_with_the_same_code_share_a_module_and_others_do_not(self):
        shared, other = "seen = []\ndef a(): 0\ndef b(): 0", "def c(): 0"
        examine([{"name": name, "code": code} for name, code in (("a", shared), ("b", shared), ("c", other))], None, {})
        self.assertTrue(hasattr(sys.modules["gathering_tool_a"], "b"))
        self.assertFalse(hasattr(sys.modules["gathering_tool_c"], "seen"))

    def test_what_was_said_is_kept_and_must_fit_the_function(self):
        given = {"x": {"type": "integer", "minimum": 1}}
        said = examined("def f(x: str): 'Doc.'", parameters=given, returns={"type": "null"}, description="Mine.")
        self.assertEqual((said["parameters"], said["returns"], said["description"]), (given, {"type": "null"}, "Mine."))
        self.assertIn("`f` does not take: it takes `x`", examined("def f(x): 0", parameters={"y": {}})["message"])
        self.assertIn("needs `y`", examined("def f(x, y): 0", parameters={"x": {}})["message"])
        self.assertEqual(examined("def f(**kw): 0", parameters={"y": {}})["parameters"], {"y": {}})
        self.assertEqual(examined("def f(x): 0", parameters={"$ref": "#/$defs/a"})["function"], "f")
        self.assertIn("by position only", examined("def f(x, /): 0")["message"])


class Inference(unittest.TestCase):
    def test_hints_become_schemas(self):
        text, number = {"type": "string"}, {"type": "integer"}
        for hint, schema in {
            "int": number,
            "float": {"type": "number"},
            "bool": {"type": "boolean"},
            "str": text,
            "None": {"type": "null"},
            "Any": {},
            "object": {},
            "list": {"type": "array"},
            "list[int]": {"type": "array", "items": number},
            "List[List[str]]": {"type": "array", "items": {"type": "array", "items": text}},
            "Sequence[int]": {"type": "array", "items": number},
            "Iterable[str]": {"type": "array", "items": text},
            "set[int]": {"type": "array", "items": number, "uniqueItems": True},
            "frozenset": {"type": "array", "uniqueItems": True},
            "tuple[int, ...]": {"type": "array", "items": number},
            "tuple[int, str]": {"type": "array", "prefixItems": [number, text], "minItems": 2, "maxItems": 2},
            "dict": {"type": "object"},
            "dict[str, int]": {"type": "object", "additionalProperties": number},
            "Mapping[str, list[int]]": {"type": "object", "additionalProperties": {"type": "array", "items": number}},
            "Optional[int]": {"type": ["integer", "null"]},
            "int | None": {"type": ["integer", "null"]},
            "Union[int, str, None]": {"type": ["integer", "string", "null"]},
            "Optional[list[int]]": {"type": ["array", "null"], "items": number},
            "Union[list[int], str]": {"anyOf": [{"type": "array", "items": number}, text]},
            "Optional[Any]": {},
            "Literal['a', 'b']": {"type": "string", "enum": ["a", "b"]},
            "Literal['a', 1, None]": {"enum": ["a", 1, None]},
            "Optional[Literal['a']]": {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
            "Annotated[int, 'how many']": {"type": "integer", "description": "how many"},
            "Annotated[Optional[int], 5, 'how many']": {"type": ["integer", "null"], "description": "how many"},
            "Callable[[int], str]": {},
            "'list[int]'": {"type": "array", "items": number},
            "'Nothing'": {},
        }.items():
            with self.subTest(hint):
                self.assertEqual(schema_of(hint), schema)

    def test_classes_become_schemas(self):
        before = """
from __future__ import annotations
from typing import *
import enum, dataclasses, datetime, pathlib, uuid, decimal

class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Level(enum.IntEnum):
    LOW = 1

@dataclasses.dataclass
class Point:
    x: int
    label: str = ""
    next: Optional[Point] = None
    hidden: int = dataclasses.field(init=False, default=1)

class Options(TypedDict):
    color: Color
    points: list[Point]

Name = NewType("Name", str)
T = TypeVar("T", bound=int)
"""
        point = {
            "type": "object",
            "properties": {"x": {"type": "integer"}, "label": {"type": "string"}, "next": {"type": ["object", "null"]}},
            "required": ["x"],
            "additionalProperties": False,
        }
        color = {"type": "string", "enum": ["red", "blue"]}
        for hint, schema in {
            "Color": color,
            "Level": {"type": "integer", "enum": [1]},
            "Point": point,
            "Options": {
                "type": "object",
                "properties": {"color": color, "points": {"type": "array", "items": point}},
                "required": ["color", "points"],
                "additionalProperties": False,
            },
            "Name": {"type": "string"},
            "T": {"type": "integer"},
            "datetime.datetime": {"type": "string", "format": "date-time"},
            "datetime.date": {"type": "string", "format": "date"},
            "datetime.timedelta": {"type": "number"},
            "pathlib.Path": {"type": "string"},
            "uuid.UUID": {"type": "string", "format": "uuid"},
            "decimal.Decimal": {"type": "string"},
            "bytes": {"type": "string", "contentEncoding": "base64"},
        }.items():
            with self.subTest(hint):
                self.assertEqual(schema_of(hint, before), schema)

    def test_defaults_are_kept_where_they_have_a_form_in_json_and_fit(self):
        found = parameters("(a, b: int = 5, c='x', d=None, e: str = None, f: tuple = (1,), g: int = 'no', h=[], i: float = 1)")
        self.assertEqual(
            found["properties"],
            {
                "a": {},
                "b": {"type": "integer", "default": 5},
                "c": {"type": "string", "default": "x"},
                "d": {"default": None},
                "e": {"type": ["string", "null"], "default": None},
                "f": {"type": "array"},
                "g": {"type": "integer"},
                "h": {"default": []},
                "i": {"type": "number", "default": 1},
            },
        )
        self.assertEqual(found["required"], ["a"])
        odd = parameters("(a=float('nan'), b=2**70, c=object(), d: Literal[1] = 2)", "from typing import *")
        self.assertEqual(odd["properties"], {"a": {}, "b": {}, "c": {}, "d": {"type": "integer", "enum": [1]}})

    def test_only_a_function_with_keywords_takes_others(self):
        self.assertIs(parameters("(a)")["additionalProperties"], False)
        self.assertIs(parameters("(a, *more, **others)")["additionalProperties"], True)
        self.assertEqual(parameters("()"), {"type": "object", "properties": {}, "additionalProperties": False})

    def test_the_result_has_the_schema_of_its_hint_also_when_it_is_awaited(self):
        self.assertEqual(examined("def f() -> list[int]: 'D.'")["returns"], {"type": "array", "items": {"type": "integer"}})
        self.assertEqual(examined("async def f() -> int: 'D.'")["returns"], {"type": "integer"})
        code = "import typing\ndef f() -> typing.Awaitable[int]: 'D.'"
        self.assertEqual(examined(code)["returns"], {"type": "integer"})
        self.assertEqual(examined("def f(): 'D.'")["returns"], {})
        self.assertIs(examined("async def f(): 'D.'")["async_function"], True)

    def test_a_function_behind_a_decorator_is_seen_through(self):
        code = "import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(*a, **k): return g(*a, **k)\n    return w\n"
        found = examined(code + "@d\ndef f(x: int): 'D.'\n")
        self.assertEqual(found["parameters"]["properties"], {"x": {"type": "integer"}})


class Docstrings(unittest.TestCase):
    def described(self, docstring):
        found = examined(f"def f(a, b=1, *, c=2):\n    '''{docstring}'''\n")
        descriptions = {name: s.get("description") for name, s in found["parameters"]["properties"].items()}
        return found["description"], descriptions, found["returns"].get("description")

    def test_the_three_styles_say_the_same(self):
        google = """Does it.

    And more
    of it.

    Args:
        a (int): The a: first
            of all.
        b: The b.
        *c: The c.

    Returns:
        int: What came of it.

    Raises:
        ValueError: never
    """
        numpy = """Does it.

    And more
    of it.

    Parameters
    ----------
    a : int
        The a: first
        of all.
    b : int, optional
        The b.
    c
        The c.

    Returns
    -------
    int
        What came of it.

    Examples
    --------
    >>> f(1)
    """
        sphinx = """Does it.

    And more
    of it.

    :param int a: The a: first
        of all.
    :param b: The b.
    :type b: int
    :param c: The c.
    :returns: What came of it.
    :rtype: int
    """
        expected = (
            "Does it.\n\nAnd more of it.",
            {"a": "The a: first of all.", "b": "The b.", "c": "The c."},
            "What came of it.",
        )
        for style in (google, numpy, sphinx):
            with self.subTest(style[60:]):
                self.assertEqual(self.described(style), expected)

    def test_a_docstring_of_another_kind_is_a_description(self):
        self.assertEqual(self.described("Note: not a section.\n\n    Args without a colon\n    : x"),
                         ("Note: not a section.\n\nArgs without a colon : x", {"a": None, "b": None, "c": None}, None))
        self.assertEqual(self.described(""), ("", {"a": None, "b": None, "c": None}, None))


class Examples(unittest.TestCase):
    def calls(self, *examples, code="def f(a, b=1): 'D.'"):
        found = examined(code, examples=list(examples))
        return found.get("calls", found.get("message"))

    def test_calls_are_found_with_their_arguments_and_results(self):
        for example, arguments, result in (
            ("f(1)", {"a": 1}, ()),
            ("f(1, b=[2, {'x': None}])", {"a": 1, "b": [2, {"x": None}]}, ()),
            ("f(a='x') == 'y'", {"a": "x"}, ("y",)),
            ("f(-1) == (1, 2)", {"a": -1}, ([1, 2],)),
            ("await f(1) -> None", {"a": 1}, (None,)),
            ("f('a->b') -> 'c->d'", {"a": "a->b"}, ("c->d",)),
            ("f(1) -> what comes of it", {"a": 1}, ()),
            ({"arguments": {"a": 1}}, {"a": 1}, ()),
            ({"arguments": {}, "result": None}, {}, (None,)),
        ):
            with self.subTest(example):
                (call,) = self.calls(example)
                self.assertEqual(call["arguments"], arguments)
                self.assertEqual("result" in call, bool(result))
                self.assertEqual(call.get("result", None), result[0] if result else None)

    def test_what_is_no_call_is_left_alone(self):
        prose = ("f", "call f", "g(1)", "f(x)", "f(**{})", "f(1) + 1", "f(1", "", "f(1) < 2", {"a": 1}, 5, {"arguments": 5})
        self.assertEqual(self.calls(*prose), [])

    def test_a_call_that_cannot_be_meant_is_a_problem(self):
        self.assertIn("compares with something that is no literal", self.calls("f(1) == x"))
        self.assertIn("more arguments than the function takes", self.calls("f(1, 2, 3)"))
        self.assertIn("gives `a` twice", self.calls("f(1, a=2)"))


if __name__ == "__main__":
    unittest.main()
