"""Layers of other packages: modules that entry points name, loaded where a net may need them.

A net of Caffe 1.0's layers never loads them.
"""

from __future__ import annotations

import functools
import importlib.metadata

from i2cnn.torchcaffe.errors import CaffeError

#: Group of the entry points. The value is a module, which registers its layers on import.
GROUP = "i2cnn.torchcaffe.layers"


@functools.cache
def load_plugins() -> None:
    """Import the modules of all entry points, once.

    Raises
    ------
    InputError
        One of them cannot be imported.
    """
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            raise CaffeError(
                f"layers of {point.name!r} ({point.value}) cannot be loaded: {error}; repair or "
                "remove the package that they come with"
            ) from None
