"""What reading a recogniser's folder needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from i2cnn.network.transform import Transform
from i2cnn.recogniser.features import TRANSFORM_FILE
from tests.helpers.programs import run as run_program
from tests.helpers.small_runs import JOB


def test_reading_needs_neither_evaluations_nor_scikit_learn() -> None:
    loaded = run_program("modules_of", "i2cnn.recogniser.recogniser").split()
    assert "i2cnn.recogniser.bundle" in loaded
    assert not {"scipy", "sklearn", "torch", "i2cnn.evaluation"} & set(loaded)


def test_a_recogniser_has_the_transform_of_its_training(run: Path) -> None:
    stored = Transform.load(run / "recogniser" / TRANSFORM_FILE)
    trained = Transform.from_training_folder(run / JOB)
    assert (stored.crop, stored.scale) == (trained.crop, trained.scale)
    np.testing.assert_array_equal(stored.mean, trained.mean)
