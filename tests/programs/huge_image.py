"""Fails if extraction copies a huge image as a whole."""

from __future__ import annotations

import resource
import tempfile

import numpy as np

from i2cnn import _native
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.schemes import DEEPID
from tests.helpers.faces import face_points

MOST_KB = 100_000


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


points = face_points(15_000, 15_000, 60, 0.1)
row = np.arange(30_000, dtype=np.uint8)
# 900 MB, or 2.7 GB in colour, if they were copied: rows with a stride of 0 take no memory.
gray = np.lib.stride_tricks.as_strided(row, (30_000, 30_000), (0, 1))
colour = np.lib.stride_tricks.as_strided(row, (30_000, 29_998, 3), (0, 1, 1))
with tempfile.TemporaryDirectory() as folder:
    writer = _native.PatchWriter(folder, DEEPID.boxes, DEEPID.mouth, 64, "raw", 95, 1)
    extract_patches(gray[:99, :99], face_points(50, 50, 20, 0.1), size=64)
    before = peak()
    for image in (gray, gray[:, ::-1], gray[::-1, ::-1], gray.T, colour, colour[:, :, ::-1]):
        assert np.ptp(extract_patches(image, points, size=64)) > 200
    writer.add(gray.T, points, [0], ["key"], 0)
    writer.finish()
grown = peak() - before
assert grown < MOST_KB, f"{grown} kB more"
