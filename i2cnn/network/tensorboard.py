"""A training's curve for TensorBoard, beside `training.json`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from i2cnn.network.loop import Validation
from i2cnn.util.errors import InputError

#: Folder of the events, in a training's folder.
EVENTS_FOLDER = "tensorboard"


def check_tensorboard() -> None:
    """InputError unless TensorBoard is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise InputError("--tensorboard needs TensorBoard: pip install 'i2cnn[tensorboard]'")


@contextmanager
def curve_log(folder: Path) -> Iterator[Callable[[Validation], None]]:
    """A function that writes each validation as events; `tensorboard --logdir RUN` shows them.

    Parameters
    ----------
    folder : Path
        The training folder. A training that is resumed adds a file of events.
    """
    from torch.utils.tensorboard import SummaryWriter  # slow to import

    # Absolute, because training works inside its folder.
    with SummaryWriter(str(folder.resolve() / EVENTS_FOLDER)) as writer:

        def log(point: Validation) -> None:
            writer.add_scalar("loss/training", point.train_loss, point.iteration)
            writer.add_scalar("loss/validation", point.loss, point.iteration)
            writer.add_scalar("accuracy/validation", point.accuracy, point.iteration)
            writer.flush()

        yield log
