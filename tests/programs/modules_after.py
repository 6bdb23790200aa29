"""Prints the top-level packages that a command line imports: `modules_after.py [WORDS...]`."""

from __future__ import annotations

import contextlib
import io
import sys

if len(sys.argv) > 1:
    from i2cnn.cli.main import main

    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main(sys.argv[1:])
else:
    import i2cnn  # noqa: F401
print("\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
