"""Writes a database where files may have 20 MB at most: `limited_file_size.py OUT`."""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from i2cnn.util.errors import InputError
from tests.helpers.databases import write_faces

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
try:
    write_faces(Path(sys.argv[1]), number=10, encoding="raw")
except InputError as error:
    print(error)
