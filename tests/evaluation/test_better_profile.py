"""An evaluation with the profile `better`: jittered patches to train on, exact ones elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation.cost_plan import make_plan
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.run import jobs_of
from i2cnn.network.profiles import JITTER
from i2cnn.patches.jitter import Jitter
from i2cnn.patches.lmdb_facts import database_contents, database_size
from tests.helpers.small_runs import arguments, settings_of, small_set


def words_of(tmp_path: Path, profile: str) -> list[str]:
    """Command line of a small run with the profile, on the folder `data`."""
    words = arguments(tmp_path / "data", tmp_path / profile, k="1", iterations=2)
    return [f"--profile={profile}" if word.startswith("--profile") else word for word in words]


def test_training_patches_are_jittered_and_validation_patches_are_not(tmp_path: Path) -> None:
    small_set(tmp_path / "data")
    assert main([*words_of(tmp_path, "better"), "--keep"]) == 0
    folder = tmp_path / "better" / "fold_01" / "k1_seed0"
    training, validation = (
        database_contents(folder / name) for name in ("train_lmdb", "validation_lmdb")
    )
    assert training is not None
    assert training.jitter == Jitter(4, seed=1)
    assert validation is not None
    assert validation.jitter is None
    # Two people train, one validates, seven faces each.
    assert database_size(folder / "train_lmdb") == 14 * 5
    assert database_size(folder / "validation_lmdb") == 7


def test_the_plan_counts_jittered_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_set(tmp_path / "data")
    settings = settings_of(words_of(tmp_path, "better"))
    peaks = []
    for copies in (0, 4):
        monkeypatch.setitem(JITTER, "better", copies)
        plan = make_plan(tmp_path, settings, Execution(), jobs_of(settings))
        (estimate,) = plan.estimates
        peaks.append((estimate.peak_bytes, plan.speed.patch_bytes))
    (without, _), (jittered, patch_bytes) = peaks
    assert jittered - without == pytest.approx(4 * 14 * patch_bytes, rel=0.5)
