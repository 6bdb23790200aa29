"""Griffe extension: docstrings are put into the form that the API reference can show.

Our NumPy docstrings have Sphinx roles, shapes and choices, which Griffe shows as they are, or takes
for Python: `x : ndarray, (5, 2)` would be a tuple and `kind : {"a", "b"}` a default of "a".
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(`[^`]+`)")
_SHAPE = re.compile(r"^((?:\w[\w, ]* : )?ndarray(?: of \w+)?), (?=\()", re.MULTILINE)
_CHOICES = re.compile(r"^(\w[\w, ]* : )\{([^}]+)\}", re.MULTILINE)


class SiteDocstrings(Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called by Griffe for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(docstring: str) -> str:
    """The docstring with roles as code, and shapes and choices in words."""
    text = _ROLE.sub(r"\1", docstring)
    text = _SHAPE.sub(r"\1 of shape ", text)
    return _CHOICES.sub(r"\1one of \2", text)
