"""Griffe extension: Sphinx roles in docstrings, such as :func:`name`, become plain code."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(`[^`]+`)")


class DocstringRoles(Extension):
    """Rewrites every docstring that the API reference shows."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called by Griffe for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"\1", obj.docstring.value)
