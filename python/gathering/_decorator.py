"""`@tool`: a tool from a typed function."""

import functools
import inspect
import sys

from gathering._definitions import ToolDefinition, is_async
from gathering._worker import docstrings, inference


class FunctionTool(ToolDefinition):
    """A function that is a tool: it is called like the function that it was, and registered like any definition."""

    def __call__(self, /, *arguments, **named):
        return self.__wrapped__(*arguments, **named)

    def __get__(self, instance, owner=None):
        """In a class, the tool of an instance is the method of that instance."""
        if instance is None:
            return self
        bound = object.__new__(FunctionTool)
        bound.__dict__.update(self.__dict__)
        bound.function = self.function.__get__(instance, owner)
        bound.__wrapped__ = self.__wrapped__.__get__(instance, owner)
        return bound

    def __reduce_ex__(self, protocol):
        # A function is pickled as the place where it is found, and this stands in its place.
        module = sys.modules.get(self.__module__)
        if functools.reduce(lambda at, name: getattr(at, name, None), self.__qualname__.split("."), module) is self:
            return self.__qualname__
        return super().__reduce_ex__(protocol)


def tool(
    function=None, /, *, name=None, description=None, category="custom", required_competencies=(), parameters=None,
    returns=None, examples=(), registry=None,
):
    """Makes a tool of a function: its name, what it does, and the schemas of arguments and result are read off it.

    The description is the first paragraph of the docstring; what it says of arguments, in Google's, NumPy's or Sphinx' style,
    and text in `Annotated` describe them. A pydantic model as the type of an argument checks and makes it. What is given here
    goes before what is read. With `registry` the tool is registered at once. In a class, the tools of an instance are its
    methods.

    >>> from typing import Annotated
    >>> from gathering import tool
    >>> from gathering.core.tool_registry import ToolRegistry
    >>> tools = ToolRegistry()
    >>> @tool(category="finance", registry=tools)
    ... def interest(amount: Annotated[float, "in euros"], years: int = 1) -> float:
    ...     '''Says what some money bears at two per cent.'''
    ...     return round(amount * 1.02**years - amount, 2)
    >>> tools.execute("interest", amount=100)
    2.0
    >>> interest(100, 2)
    4.04
    >>> interest.parameters["properties"]["amount"]
    {'type': 'number', 'description': 'in euros'}
    """
    def make(function):
        said = docstrings.parse(inspect.getdoc(function) or "")
        signature = inspect.signature(function)
        hints = inference.hints_of(function, sys.modules.get(function.__module__, inspect))
        called, models = _with_models(function, hints)
        inferred = parameters
        if inferred is None:
            inferred = inference.parameters(_without_self(signature), hints, said.parameters)
            for argument, model in models.items():
                _describe(inferred, argument, model)
        made = FunctionTool(
            name=name or function.__name__,
            description=description or said.summary or function.__name__,
            category=category,
            function=called,
            required_competencies=list(required_competencies),
            parameters=inferred,
            returns=inference.returns(hints, said.returns) if returns is None else returns,
            examples=list(examples),
        )
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(made, attribute, getattr(function, attribute, None))
        made.__wrapped__ = function
        if registry is not None:
            registry.register(made)
        return made

    return make if function is None else make(function)


def _without_self(signature):
    """A method's first parameter is given by whoever binds it."""
    kept = list(signature.parameters.values())
    if kept and kept[0].name == "self":
        kept = kept[1:]
    return signature.replace(parameters=kept)


def _with_models(function, hints):
    """The function, and the arguments whose type is a pydantic model, which it is then called with."""
    models = {name: hint for name, hint in hints.items() if name != "return" and hasattr(hint, "model_json_schema")}
    if not models:
        return function, models

    def made(arguments):
        for name, model in models.items():
            if isinstance(arguments.get(name), dict):
                arguments[name] = model.model_validate(arguments[name])
        return arguments

    if is_async(function):

        @functools.wraps(function)
        async def call(*instance, **arguments):
            return await function(*instance, **made(arguments))
    else:

        @functools.wraps(function)
        def call(*instance, **arguments):
            return function(*instance, **made(arguments))

    return call, models


def _describe(schema, argument, model):
    """Puts the model's schema in the place of the argument's. Its references lead from the root of the whole schema."""
    described = model.model_json_schema()
    definitions = described.pop("$defs", {})
    written = schema["properties"][argument]
    schema["properties"][argument] = {**described, **{k: v for k, v in written.items() if k in ("default", "description")}}
    if definitions:
        schema.setdefault("$defs", {}).update(definitions)
