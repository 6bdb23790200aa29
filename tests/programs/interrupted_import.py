"""The `i2cnn` command, interrupted by Ctrl-C as it imports a module: MODULE WORDS..."""

from __future__ import annotations

import os
import signal
import sys
from importlib.abc import MetaPathFinder

from i2cnn.__main__ import main

module, *words = sys.argv[1:]


class Interrupt(MetaPathFinder):
    """Interrupts the process when a module is searched for."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = words
sys.exit(main())
