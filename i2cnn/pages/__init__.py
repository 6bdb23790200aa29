"""Pages for a browser: of `i2cnn serve` and `i2cnn faces --review`, and what `predict` saves."""

from __future__ import annotations

import importlib.util

from i2cnn.util.errors import InputError

#: Names of this machine that a browser on it may use.
LOOPBACK = "127.0.0.1"
PORT = 8000


def check_installed() -> None:
    """InputError unless the packages that serve pages are installed."""
    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{', '.join(missing)} missing; pip install 'i2cnn[serve]'")
