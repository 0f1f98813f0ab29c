"""Python values as JSON: each line of the rule in `gathering._worker.values`, and what is refused where."""

import collections
import datetime
import decimal
import enum
import json
import pathlib
import types
import unittest
import uuid
from dataclasses import dataclass

from gathering._worker import values

try:
    import numpy
except ImportError:
    numpy = None

LIMIT = 1 << 20


def converted(value, limit=LIMIT):
    return json.loads(values.encode(value, limit))


@dataclass
class Point:
    x: int
    at: datetime.date


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    LARGE = 3


class Text(str):
    pass


class Model:
    """Looks like a pydantic model."""

    def model_dump(self):
        return {"a": decimal.Decimal("1.10")}


class Conversions(unittest.TestCase):
    def test_what_json_has_stays_what_it_is(self):
        for value in [None, True, False, "", "é\n\"\\", 0, -(2**63), 2**64 - 1, 1.5, -0.0, 1e300, [], {}, {"a": [1, {"b": None}]}]:
            self.assertEqual(converted(value), value)
            self.assertIs(type(converted(value)), type(value))

    def test_what_json_lacks_is_converted_by_the_rule(self):
        day = datetime.date(2024, 2, 29)
        moment = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)
        named = collections.namedtuple("Named", "a b")
        for value, expected in [
            ((1, 2), [1, 2]),
            (named(1, 2), [1, 2]),
            ({1: "a", -2: "b"}, {"1": "a", "-2": "b"}),
            ({Colour.RED: 1}, {"red": 1}),
            (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
            (types.MappingProxyType({"a": 1}), {"a": 1}),
            (Point(1, day), {"x": 1, "at": "2024-02-29"}),
            (Model(), {"a": "1.10"}),
            (Colour.RED, "red"),
            (Size.LARGE, 3),
            (Text("a"), "a"),
            ({3, 1, 2}, [1, 2, 3]),
            (frozenset({"b", "a"}), ["a", "b"]),
            (b"\x00\xff", "AP8="),
            (bytearray(b"a"), "YQ=="),
            (memoryview(b"a"), "YQ=="),
            (day, "2024-02-29"),
            (moment, "2024-02-29T12:30:00+00:00"),
            (datetime.time(1, 2, 3), "01:02:03"),
            (datetime.timedelta(minutes=1.5), 90.0),
            (decimal.Decimal("1.10"), "1.10"),
            (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (pathlib.PurePosixPath("a/b"), "a/b"),
            ([1, (2, {3: b""})], [1, [2, {"3": ""}]]),
        ]:
            with self.subTest(repr(value)):
                self.assertEqual(converted(value), expected)

    def test_numpy_becomes_numbers_and_arrays(self):
        if numpy is None:
            self.skipTest("NOT RUN: numpy is not installed")
        for value, expected in [
            (numpy.int64(3), 3),
            (numpy.float32(0.5), 0.5),
            (numpy.float64(0.5), 0.5),
            (numpy.bool_(True), True),
            (numpy.str_("a"), "a"),
            (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
            ({"a": [numpy.int8(1)]}, {"a": [1]}),
        ]:
            with self.subTest(repr(value)):
                self.assertEqual(converted(value), expected)
        with self.assertRaisesRegex(values.NoJson, "is nan, which is no number in JSON"):
            converted(numpy.array([numpy.nan]))


class Refusals(unittest.TestCase):
    def refused(self, value):
        with self.assertRaises(values.NoJson) as caught:
            values.encode(value, LIMIT)
        return caught.exception.pointer, caught.exception.message

    def test_what_has_no_form_is_refused_with_its_place_and_what_to_do(self):
        async def wait():
            return None

        waiting = wait()
        self.addCleanup(waiting.close)
        for value, pointer, message in [
            ({"a": [1, object()]}, "/a/1", "is of type `object`, which has no form in JSON: return a dictionary, a list or text"),
            ({"a/b~c": float("nan")}, "/a~1b~0c", "is nan, which is no number in JSON: return None or text"),
            ([float("inf")], "/0", "is inf, which is no number in JSON: return None or text"),
            (2**64, "", "is an integer beyond 64 bits, which readers would round: return it as text"),
            (-(2**63) - 1, "", "is an integer beyond 64 bits, which readers would round: return it as text"),
            ("a\ud800", "", "has the lone surrogate \\ud800 at 1, which is no character"),
            ({"x": {1.5: 2}}, "/x", "has a key that is a float: keys are text or integers"),
            ({True: 1}, "", "has a key that is a bool: keys are text or integers"),
            ({1: "a", "1": "b"}, "", "has two keys that are written `1`"),
            ({1, "a"}, "", "is a set whose members have no order: return a list"),
            (Point(1j, None), "/x", "is of type `complex`, which has no form in JSON: return a dictionary, a list or text"),
            (iter([1]), "", "is of type `list_iterator`, which has no form in JSON: return a list of what it gives"),
            (waiting, "", "is of type `coroutine`, which has no form in JSON: await it and return what it gives"),
            (print, "", "is of type `builtin_function_or_method`, which has no form in JSON: call it and return what it gives"),
        ]:
            with self.subTest(repr(value)):
                self.assertEqual(self.refused(value), (pointer, message))

    def test_what_contains_itself_is_refused_and_ends(self):
        loop = []
        loop.append(loop)

        pointer, message = self.refused(loop)

        self.assertEqual(message, "is nested deeper than 100, or contains itself")
        self.assertEqual(pointer, "/0" * 100)

    def test_what_raises_while_it_is_converted_is_refused(self):
        class Broken:
            def model_dump(self):
                raise RuntimeError("no")

        self.assertEqual(
            self.refused([Broken()]), ("/0", "is of type `Broken`, which failed while it was converted: RuntimeError")
        )

    def test_a_hundred_levels_are_taken(self):
        value = 1
        for _ in range(values.MAX_DEPTH):
            value = [value]

        self.assertEqual(converted(value), value)


class Limits(unittest.TestCase):
    def test_text_is_counted_in_bytes(self):
        self.assertEqual(values.encode("éé", 6), '"éé"'.encode())
        with self.assertRaises(values.TooLarge):
            values.encode("éé", 5)

    def test_what_is_too_large_is_refused_before_or_after_a_conversion(self):
        for value in ["a" * 100, ["a"] * 100, {"a": b"a" * 100}]:
            with self.subTest(type(value)), self.assertRaises(values.TooLarge):
                values.encode(value, 50)


if __name__ == "__main__":
    unittest.main()
