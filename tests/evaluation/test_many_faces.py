"""More faces than have exact SVMs: projected ones, said and recorded; the rest is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from i2cnn.evaluation import inputs, projected_scores, speed
from i2cnn.evaluation.cost_plan import make_plan
from i2cnn.evaluation.inputs import check_size, prepare, read_inputs
from i2cnn.evaluation.jobs import Execution, JobFolder
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.projected_scores import ProjectedScores
from i2cnn.evaluation.settings import SETTINGS_FILE, read_settings
from i2cnn.svm.pair_weights import SVM_FILE, PairWeights
from i2cnn.svm.variants import variants
from i2cnn.util.errors import InputError
from tests.helpers.small_runs import JOB, arguments, copy_of, settings_of, small_set


def test_projected_svms_of_a_run(run: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    read, path = read_inputs(run), copy_of(run / JOB, tmp_path / "job")
    shape = PairWeights.load(path / SVM_FILE).weights.shape
    (path / SVM_FILE).unlink()
    monkeypatch.setattr(projected_scores, "EXACT_FACES", 10)
    folder = JobFolder(path, NetworkJob(1, 5, 0), read)
    features = np.random.default_rng(0).random((len(read.faces), *shape[1:]), np.float32)
    features[..., :7] += np.eye(7, dtype=np.float32)[read.labels][:, None] * 4
    whole, _ = variants(read.scheme, 5)
    methods = ProjectedScores(folder, {}).of("trained", [whole], features)
    assert set(methods) == {"trained"}
    found = methods["trained"]
    assert found["accuracy"] == found["linear_accuracy"] == 1
    assert found["landmarks"] == len(read.sides(1)[0])
    assert PairWeights.load(path / SVM_FILE).slope is not None
    error = capsys.readouterr().err
    assert error.count("28 faces are more than 10: linear SVMs on their products with") == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--reference=person"], "--reference person"),
        (["--fuse=hog"], "--fuse hog"),
        (["--seeds=2"], "--seeds 2"),
        (["--rivals=hog,sae"], "--rivals hog"),
        ([], None),
        (["--rivals=sae"], None),
    ],
)
def test_what_needs_all_products_is_refused(
    options: list[str], named: str | None, tmp_path: Path
) -> None:
    settings = settings_of([*arguments(tmp_path, tmp_path / "run"), *options])
    check_size(settings, 10_000)
    if named is None:
        check_size(settings, 10_001)
        return
    with pytest.raises(InputError, match=f"10001 faces are too many .* which {named} need"):
        check_size(settings, 10_001)


def test_a_run_is_not_bound_to_what_it_cannot_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(inputs, "EXACT_FACES", 20)
    words = arguments(small_set(tmp_path / "data"), run := tmp_path / "run", k="none")
    without, exact = (settings_of([*words, f"--rivals={name}"]) for name in ("sae", "hog"))
    with pytest.raises(InputError, match="28 faces are too many"):
        make_plan(run, exact, Execution(), [])
    with pytest.raises(InputError, match="28 faces are too many"):
        prepare(run, exact)
    assert not list(run.iterdir())
    prepare(run, without)
    with pytest.raises(InputError, match="28 faces are too many"):
        prepare(run, exact)
    assert read_settings(run / SETTINGS_FILE) == without


@pytest.mark.parametrize(("exact", "longer"), [(True, 4), (False, 2)])
def test_projected_svms_take_time_with_the_faces_alone(
    exact: bool, longer: int, monkeypatch
) -> None:
    monkeypatch.setattr(speed, "_SVM_FACES", 20)
    monkeypatch.setattr(speed.time, "monotonic", itertools.count().__next__)
    once, twice = (speed.svm_seconds(faces, 2, exact) for faces in (20_000, 40_000))
    assert twice == longer * once
