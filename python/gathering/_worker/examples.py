"""Reads the examples of a tool that are calls: `greet(name='World') == 'Hello, World!'`, or arguments and a result."""

import ast
import inspect

from gathering._worker import values
from gathering._worker.authoring import Problem

MAX_EXAMPLE = 1 << 20


def calls(written, tool, function, signature):
    """Those of the examples that can be tried: their places, arguments and, if it is said, the result."""
    found = []
    for place, example in enumerate(written):
        if isinstance(example, str):
            call = _text(example, (tool, function), signature)
        elif isinstance(example, dict) and isinstance(example.get("arguments"), dict):
            call = {"arguments": example["arguments"]}
            if "result" in example:
                call["result"] = example["result"]
        else:
            call = None
        if call is not None:
            found.append({"place": place, **call})
    return found


def _text(text, names, signature):
    """The call that a text is; None if it is none."""
    left, arrow, right = text.partition("->")
    while arrow:
        call = _call(_expression(left), names, signature)
        if call is not None:
            value = _literal(_expression(right))
            # What is no literal tells people what to expect.
            return call if value is None else {**call, "result": value[0]}
        more, arrow, right = right.partition("->")
        left += "->" + more
    expression = _expression(text)
    if isinstance(expression, ast.Compare) and len(expression.ops) == 1 and isinstance(expression.ops[0], ast.Eq):
        call = _call(expression.left, names, signature)
        if call is None:
            return None
        value = _literal(expression.comparators[0])
        if value is None:
            raise Problem(
                f"the example `{text:.200}` compares with something that is no literal: "
                "write the value itself, such as `== 42`, or leave it out"
            )
        return {**call, "result": value[0]}
    return _call(expression, names, signature)


def _expression(text):
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return expression.value if isinstance(expression, ast.Await) else expression


def _call(expression, names, signature):
    """The arguments by name, if the expression calls the tool with literals."""
    if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Name):
        return None
    if expression.func.id not in (*names, names[0].replace("-", "_")):
        return None
    if any(keyword.arg is None for keyword in expression.keywords):
        return None
    positional = [_literal(node) for node in expression.args]
    keywords = {keyword.arg: _literal(keyword.value) for keyword in expression.keywords}
    if any(value is None for value in (*positional, *keywords.values())):
        return None
    parameters = [p.name for p in signature.parameters.values() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if len(positional) > len(parameters):
        raise Problem(f"the example `{ast.unparse(expression):.200}` gives more arguments than the function takes")
    given = dict(zip(parameters, positional))
    twice = sorted(given.keys() & keywords.keys())
    if twice:
        raise Problem(f"the example `{ast.unparse(expression):.200}` gives `{twice[0]}` twice")
    return {"arguments": {name: value[0] for name, value in {**given, **keywords}.items()}}


def _literal(node):
    """The value of a literal as JSON has it, in a tuple; None if it is no literal."""
    import json

    try:
        value = ast.literal_eval(node)
        return (json.loads(values.encode(value, MAX_EXAMPLE)),)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, values.NoJson, values.TooLarge):
        return None
