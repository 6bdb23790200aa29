"""A run's results, read from its directory."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from i2cnn.report.results import Results, read_results
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest
from tests.helpers.runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two seeds."""
    folder = tmp_path_factory.mktemp("results") / "run"
    write_run(folder, seeds=2)
    return folder


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    """Results of that run."""
    return read_results(run)


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A run to damage."""
    return shutil.copytree(run, tmp_path / "copy")


def test_methods_are_in_the_reports_order(results: Results) -> None:
    assert [method.id for method in results.repetitions()] == [
        "k1_trained",
        "k1_vote",
        "k1_seeds2_trained",
        "k1_seeds2_vote",
        "rival_boosted-lbp_linear",
        "rival_boosted-lbp_polynomial",
        "rival_boosted-lbp_rbf",
        "k1_seeds2_untrained",
        "k1_untrained",
        "rival_pixels_linear",
        "rival_pixels_rbf",
    ]


def test_a_network_is_repeated_per_seed_and_a_rival_is_not(results: Results) -> None:
    seeds = {method.id: len(runs) for method, runs in results.repetitions().items()}
    assert seeds["k1_trained"] == 2
    assert seeds["rival_pixels_rbf"] == 1


def test_every_face_is_tested_once_per_seed(results: Results) -> None:
    for runs in results.repetitions().values():
        assert all(len({p.image for p in rows}) == len(rows) == 18 for rows in runs)


def test_only_networks_have_trainings(results: Results) -> None:
    assert {done.job.folder for done in results.jobs if done.record.training} == {
        f"fold_{fold:02d}/k1_seed{seed}" for fold in (1, 2, 3) for seed in (0, 1)
    }


@pytest.mark.parametrize(("old", "new"), [("fear", "happy"), ("A", "B")])
def test_edited_predictions_are_refused(copy: Path, old: str, new: str) -> None:
    for path in copy.glob("fold_*/k1_seed0/predictions_trained.csv"):
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=r"predictions_trained.csv: was edited or removed"):
        read_results(copy)


def test_removed_predictions_are_refused(copy: Path) -> None:
    (copy / "fold_01" / "rival_pixels" / "predictions_rbf.csv").unlink()
    with pytest.raises(InputError, match=r"predictions_rbf.csv: was edited or removed"):
        read_results(copy)


@pytest.mark.parametrize(
    ("old", "new"),
    [("fear,fear", "happy,happy"), (",fear\n", ",bored\n"), ("^1,", "0,"), (r".*fear.png.*\n", "")],
)
def test_predictions_of_other_faces_are_refused(copy: Path, old: str, new: str) -> None:
    """Their digest, in job.json, goes with them."""
    path = copy / "fold_01" / "rival_pixels" / "predictions_rbf.csv"
    edited = re.sub(rf"(?m){old}", new, path.read_text())
    assert edited != path.read_text()
    path.write_text(edited)
    record = json.loads(path.with_name("job.json").read_text())
    record["provenance"]["predictions"]["rbf"] = file_digest(path)
    path.with_name("job.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="rival_pixels: rbf has other faces or labels than"):
        read_results(copy)


def test_a_run_without_a_finished_job_has_no_results(copy: Path) -> None:
    for path in copy.glob("fold_*"):
        shutil.rmtree(path)
    with pytest.raises(InputError, match="no finished fold yet"):
        read_results(copy)


def test_another_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run directory"):
        read_results(tmp_path)
