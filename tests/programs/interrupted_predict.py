"""The `i2cnn` command, interrupted by Ctrl-C when a picture's turn comes: PICTURE WORDS..."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from i2cnn.cli import predict
from i2cnn.cli.main import main
from i2cnn.cli.pictures import Picture
from i2cnn.util.errors import InputError

work_ahead = predict.work_ahead


def work_and_interrupt(work: Callable[..., Any], pictures: Sequence[Picture]) -> Iterator[Any]:
    for item in work_ahead(work, pictures):
        if str(item[0].path) == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
            raise InputError("is never reached")
        yield item


predict.work_ahead = work_and_interrupt
sys.exit(main(sys.argv[2:]))
