"""`i2cnn` where one module cannot be imported: `without.py MODULE WORDS...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from i2cnn.cli.main import main


class Blocker(MetaPathFinder):
    """Makes the import of one module and its submodules fail, as if it were not installed."""

    def __init__(self, blocked: str) -> None:
        self.blocked = blocked

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self.blocked or name.startswith(f"{self.blocked}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, Blocker(sys.argv[1]))
sys.exit(main(sys.argv[2:]))
