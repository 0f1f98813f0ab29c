"""Running a piece of Python as a session would."""

import unittest

from gathering._worker.evaluate import evaluate


def outcome(code, output_limit=1000, result_limit=1000):
    return evaluate(code, output_limit, result_limit)


class Results(unittest.TestCase):
    def test_the_value_of_the_last_expression_is_the_result(self):
        self.assertEqual(outcome("1 + 1")["result"], 2)
        self.assertEqual(outcome("import math\nmath.floor(2.5)")["result"], 2)
        self.assertEqual(outcome("x = 3")["result"], None)
        self.assertEqual(outcome("")["result"], None)

    def test_definitions_see_each_other_and_themselves(self):
        code = "def f(n):\n    return n * f(n - 1) if n else ONE\nONE = 1\nclass C:\n    x = f(5)\n[f(3), C.x, [ONE for _ in range(2)]]"

        self.assertEqual(outcome(code)["result"], [6, 120, [1, 1]])

    def test_a_value_without_a_form_in_json_is_shown_as_its_repr(self):
        self.assertEqual(outcome("{1, 'a'}.__class__")["result"], "<class 'set'>")
        self.assertEqual(outcome("'x' * 5000", result_limit=10)["result"], "'xxxxxxxxx... (5002 characters)")

    def test_await_works_at_the_top(self):
        self.assertEqual(outcome("import asyncio\nawait asyncio.sleep(0)\nawait asyncio.sleep(0, 7)")["result"], 7)


class Prints(unittest.TestCase):
    def test_what_is_printed_is_the_output_that_of_child_processes_too(self):
        code = "import os, sys\nprint('one')\nos.system('echo two')\nprint('three', file=sys.stderr)"

        self.assertEqual(outcome(code)["output"], "one\ntwo\nthree\n")

    def test_a_long_output_is_cut_and_says_so(self):
        cut = outcome("print('x' * 100)", output_limit=10)

        self.assertEqual((cut["output"], cut["truncated"]), ("x" * 10, True))
        self.assertFalse(outcome("print('x')")["truncated"])


class Errors(unittest.TestCase):
    def test_what_is_raised_is_told_with_the_lines_of_the_code(self):
        raised = outcome("print('before')\ndef g():\n    raise ValueError('no')\ng()")

        self.assertEqual((raised["result"], raised["error"]), (None, "ValueError: no"))
        self.assertEqual(raised["output"], "before\n")
        self.assertEqual(raised["traceback"], "line 4, in <module>\n    g()\nline 3, in g\n    raise ValueError('no')")

    def test_a_syntax_error_has_its_line_and_column(self):
        broken = outcome("x = 1\ny = (")

        self.assertIn("SyntaxError: '(' was never closed", broken["error"])
        self.assertEqual(broken["traceback"], "line 2, column 5\n    y = (")

    def test_leaving_with_success_is_no_error(self):
        self.assertIsNone(outcome("import sys\nsys.exit()")["error"])
        self.assertEqual(outcome("import sys\nsys.exit(3)")["error"], "SystemExit: 3")


if __name__ == "__main__":
    unittest.main()
