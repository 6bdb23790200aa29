"""Networks of several seeds together: a job of its own, after theirs."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation.ensemble_job import EnsembleJob
from i2cnn.evaluation.inputs import read_inputs
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.network_files import VOTES_FILE, gram_file
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.rival_job import fused_rivals
from i2cnn.evaluation.run import jobs_of, wanted_jobs
from i2cnn.report.results import read_results
from i2cnn.svm.gram import balanced_sum, linear_gram
from i2cnn.svm.variants import TRAINED, UNTRAINED
from i2cnn.util.errors import InputError
from tests.helpers.runs import finish_job, write_run
from tests.helpers.small_runs import arguments, copy_of, small_set

SEEDS = ("fold_01/k1_seed0", "fold_01/k1_seed1")
TOGETHER = "fold_01/k1_seeds2"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished fold of two seeds."""
    base = tmp_path_factory.mktemp("seeds")
    data = small_set(base / "data")
    words = [*arguments(data, base / "run", k="1"), "--seeds=2", "--reference=person", "--keep"]
    assert main(words) == 0
    return base / "run"


def test_no_two_trainings_begin_with_the_same_weights() -> None:
    seeds = [
        NetworkJob(fold, 60, seed).training_seed for fold in range(1, 214) for seed in (0, 1, 2)
    ]
    assert len(set(seeds)) == len(seeds)


def predicted(run: Path, folder: str, method: str) -> list[str]:
    with open(run / folder / f"predictions_{method}.csv", newline="") as file:
        return [row["predicted"] for row in csv.DictReader(file)]


def test_votes_are_averaged(run: Path) -> None:
    votes = [np.load(run / folder / "votes.npy") for folder in SEEDS]
    labels = read_inputs(run).task.labels
    assert predicted(run, TOGETHER, "vote") == [labels[i] for i in sum(votes).argmax(axis=1)]
    # Each is the net's own answer.
    assert predicted(run, SEEDS[0], "vote") == [labels[i] for i in votes[0].argmax(axis=1)]


def test_kernels_are_added_each_at_mean_1(run: Path) -> None:
    fitted, _ = read_inputs(run).sides(1)
    exact, stored = [], []
    for folder in SEEDS:
        features = np.load(run / folder / "features_trained.npy")
        exact.append(linear_gram(features))
        stored.append(np.load(run / folder / "gram_trained.npy").astype(float))
    total = balanced_sum(exact, fitted)
    assert np.diag(total)[fitted].mean() == pytest.approx(2)
    np.testing.assert_allclose(total, sum(balanced_sum([g], fitted) for g in exact))
    # What is stored is as good.
    np.testing.assert_allclose(balanced_sum(stored, fitted), total, atol=1e-5)


def test_the_report_has_them_beside_single_nets(run: Path) -> None:
    methods = {m.id: (m.group, len(rows)) for m, rows in read_results(run).repetitions().items()}
    assert methods["k1_trained"] == ("trained", 2)
    for method in ("vote", "trained", "trained_person"):
        assert methods[f"k1_seeds2_{method}"] == ("ensemble", 1)
    assert methods["k1_seeds2_untrained"] == ("untrained", 1)
    page = (run / "report" / "report.html").read_text()
    assert "I2CNN-1, 2 nets together" in page


def test_what_is_missing_is_named(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    inputs = read_inputs(copy)
    job = EnsembleJob(1, 1, (0, 1))
    shutil.rmtree(copy / job.folder)
    (copy / SEEDS[1] / "gram_trained.npy").unlink()
    with pytest.raises(InputError, match=r"gram_trained.npy: missing; earlier versions"):
        job.run(copy, inputs, Execution())
    (copy / SEEDS[1] / "job.json").unlink()
    with pytest.raises(InputError, match=r"k1_seed1: is not done, and fold 1, k = 1, 2 seeds"):
        job.run(copy, inputs, Execution())


def test_it_describes_faces_for_fusion_where_its_networks_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write_run(tmp_path / "run", k=())
    fused = replace(inputs, settings=replace(inputs.settings, patch_counts=(1,), fuse=("hog",)))
    described = np.zeros((len(inputs.faces), 4), np.float32)
    monkeypatch.setattr("i2cnn.rivals.describe.describe", lambda *_: described)
    EnsembleJob(1, 1, (0, 1)).prepare(tmp_path / "run", fused)
    assert fused_rivals(tmp_path / "run", fused, 1)["hog"].features.shape == described.shape


def test_it_is_done_again_after_one_of_its_networks_was_repeated(tmp_path: Path) -> None:
    run = tmp_path / "run"
    inputs = write_run(run, seeds=2, rivals=())
    networks, job = [NetworkJob(1, 1, seed) for seed in (0, 1)], EnsembleJob(1, 1, (0, 1))
    features = np.random.default_rng(0).standard_normal((len(inputs.faces), 9))
    for network in networks:
        for net in (TRAINED, UNTRAINED):
            np.save(run / network.folder / gram_file(net), features @ features.T)
        np.save(run / network.folder / VOTES_FILE, np.eye(6))
    assert job.is_done(run, inputs)  # earlier versions did not note what it was made of
    (run / job.folder / "job.json").unlink()
    job.run(run, inputs, Execution())
    assert job.is_done(run, inputs)
    finish_job(run, networks[1], inputs, shift=5)
    assert not job.is_done(run, inputs)
    job.run(run, inputs, Execution())
    assert job.is_done(run, inputs)
    shutil.rmtree(run / networks[0].folder)
    assert not job.is_done(run, inputs)


def test_networks_together_are_all_that_the_run_has(tmp_path: Path) -> None:
    settings = write_run(tmp_path / "run", seeds=3, rivals=()).settings
    assert wanted_jobs(tmp_path / "run", settings) == jobs_of(settings)
    fewer = replace(settings, seeds=(0, 1))
    wanted = wanted_jobs(tmp_path / "run", fewer, only_folds=(2,))
    assert wanted == [NetworkJob(2, 1, 0), NetworkJob(2, 1, 1)]
