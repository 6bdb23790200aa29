"""Prints the modules that importing one module loads: `modules_of.py MODULE`."""

from __future__ import annotations

import importlib
import sys

importlib.import_module(sys.argv[1])
print("\n".join(sorted(sys.modules)))
