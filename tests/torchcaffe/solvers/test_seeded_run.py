"""A run of genuine Caffe with random weights, crops, mirrors and dropout, from its seed alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from i2cnn.torchcaffe import pycaffe as caffe
from tests.helpers.golden import GOLDEN, assert_close

SEEDED = GOLDEN / "seeded"


def test_a_run_follows_from_its_seed(golden: Path) -> None:
    for name in ("train_val.prototxt", "solver.prototxt"):
        shutil.copy(SEEDED / name, golden)
    expected = np.load(SEEDED / "run.npz", allow_pickle=False)
    caffe.set_mode_cpu()
    solver = caffe.get_solver("solver.prototxt")
    losses = []
    for _ in range(20):
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
    # Sums in another order: float32 rounding, as in the other golden runs.
    np.testing.assert_allclose(losses, expected["losses"], rtol=0, atol=5e-6)
    compared = 0
    for name, blobs in solver.net.params.items():
        for i, blob in enumerate(blobs):
            assert_close(blob.data, expected[f"{name}/{i}"])
            compared += 1
    assert compared == 6
