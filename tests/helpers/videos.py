"""Videos for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from i2cnn.util.images import as_bgr

RATE = 10


def write_video(path: Path, frames: Iterable[np.ndarray]) -> Path:
    """Write pictures of one size as a video of ten frames per second."""
    writer = None
    for frame in frames:
        if writer is None:
            code = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
            writer = cv2.VideoWriter(str(path), code, RATE, frame.shape[1::-1])
        writer.write(as_bgr(frame))
    assert writer is not None
    writer.release()
    return path
