"""The compiled extension and its stub `_native.pyi` say the same."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import i2cnn
from i2cnn import _native

STUB = Path(i2cnn.__file__).with_name("_native.pyi")


def stubs(body: list[ast.stmt], prefix: str = "") -> dict[str, ast.FunctionDef | ast.ClassDef]:
    """Functions, classes and methods of the stub by dotted name."""
    found: dict[str, ast.FunctionDef | ast.ClassDef] = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found |= {prefix + node.name: node} | stubs(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            found[prefix + node.name] = node
    return found


def compiled(owner: object, prefix: str = "") -> dict[str, Any]:
    """Functions, classes and methods of the extension by dotted name."""
    found: dict[str, Any] = {}
    for name, value in vars(owner).items():
        own = name == "__init__" or not name.startswith("_")
        if own and callable(value):
            found[prefix + name] = getattr(owner, name)
            if inspect.isclass(value):
                found |= compiled(value, f"{prefix}{name}.")
    return found


STUBS = stubs(ast.parse(STUB.read_text()).body)
FUNCTIONS = {name: node for name, node in STUBS.items() if isinstance(node, ast.FunctionDef)}
COMPILED = compiled(_native)


def test_the_stub_has_the_names_of_the_extension() -> None:
    assert sorted(STUBS) == sorted(COMPILED)


@pytest.mark.parametrize("name", COMPILED)
def test_the_stub_has_the_docstring_of_the_extension(name: str) -> None:
    assert inspect.getdoc(COMPILED[name])
    assert ast.get_docstring(STUBS[name]) == inspect.getdoc(COMPILED[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_stub_has_the_signature_of_the_extension(name: str) -> None:
    arguments = FUNCTIONS[name].args
    required = len(arguments.args) - len(arguments.defaults)
    ours = [(a.arg, i < required) for i, a in enumerate(arguments.args) if a.arg != "self"]
    theirs = inspect.signature(COMPILED[name]).parameters.values()
    assert ours == [(p.name, p.default is p.empty) for p in theirs]


@pytest.mark.parametrize("name", [n for n, node in FUNCTIONS.items() if node.args.args[1:]])
def test_the_signature_names_the_bound_parameters(name: str) -> None:
    # A call that fits no binding is answered by what would fit: "1. (image: ..., points: ...)".
    with pytest.raises(TypeError) as refused:
        COMPILED[name.removesuffix(".__init__")]()
    fitting = str(refused.value).split("1. ")[1].splitlines()[0]
    bound = [word for word in re.findall(r"(\w+): ", fitting) if word != "self"]
    assert bound == list(inspect.signature(COMPILED[name]).parameters)
