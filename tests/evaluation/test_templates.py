"""A run's networks come from the templates that it began with, or it is not continued."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.run import evaluate, wanted_jobs
from i2cnn.evaluation.settings import Settings, agree, read_settings
from i2cnn.evaluation.templates import keep_templates, template_digest
from i2cnn.evaluation.workers import Workers
from i2cnn.network.profiles import JITTER, SIZES, template_dir
from i2cnn.util.errors import InputError
from tests.helpers.runs import write_run

#: What a template may say anew: a comment, or another rate.
COMMENT, RATE = "# a remark\n", "base_lr: 0.123\n"


@pytest.fixture
def solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The solver in a copy of the templates of `quick`."""
    folder = shutil.copytree(template_dir("quick"), tmp_path / "templates")
    monkeypatch.setattr("i2cnn.evaluation.templates.template_dir", lambda _: folder)
    return folder / "solver.prototxt"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a finished run in `run`, which an earlier version has made."""
    return write_run(tmp_path / "run", rivals=("pixels",)).settings


def more(settings: Settings) -> Settings:
    """The same with networks still to do."""
    return replace(settings, seeds=(0, 1))


def test_networks_of_other_templates_are_not_mixed(
    tmp_path: Path, settings: Settings, solver: Path
) -> None:
    run = tmp_path / "run"
    before = read_settings(run / "run.json")
    keep_templates(run / "run.json", "quick")
    assert read_settings(run / "run.json") == before
    solver.write_text(COMMENT + solver.read_text())
    wanted_jobs(run, more(settings))
    solver.write_text(solver.read_text().replace("base_lr", "#") + RATE)
    with pytest.raises(InputError, match=r"other prototxt templates .* now; .* another --out"):
        wanted_jobs(run, more(settings))
    # What trains no network goes on.
    wanted_jobs(run, replace(settings, rivals=("pixels", "lbp")))
    for folder in run.glob("fold_*/k*"):
        shutil.rmtree(folder)
    wanted_jobs(run, settings)


@pytest.mark.parametrize(("table", "value"), [(JITTER, 4), (SIZES, 96)])
def test_networks_of_other_patches_are_not_mixed(
    table: dict[str, int],
    value: int,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    keep_templates(run / "run.json", "quick")
    wanted_jobs(run, more(settings))
    monkeypatch.setitem(table, "quick", value)
    with pytest.raises(InputError, match="other prototxt templates or patches"):
        wanted_jobs(run, more(settings))


def test_a_run_of_an_earlier_version_gets_no_more_networks(
    tmp_path: Path, settings: Settings
) -> None:
    run = tmp_path / "run"
    with pytest.raises(InputError, match="an earlier version of i2cnn did not note"):
        wanted_jobs(run, more(settings))
    assert wanted_jobs(run, settings)


def test_a_run_is_bound_when_its_networks_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    inputs = write_run(run, rivals=("pixels",))
    monkeypatch.setattr("i2cnn.evaluation.run.prepare", lambda *_: inputs)
    monkeypatch.setattr("i2cnn.evaluation.run.run_all", lambda *_: [])
    monkeypatch.setattr("i2cnn.evaluation.run._bundle", lambda *_: None)  # there are no weights
    for gone, bound in (("none", False), ("k1_seed0", True)):
        for folder in run.glob(f"fold_*/{gone}"):
            shutil.rmtree(folder)
        evaluate(run, inputs.settings, Execution(), Workers(1))
        assert (template_digest("quick") in (run / "run.json").read_text()) == bound


def test_more_may_be_asked_for_and_the_templates_stay(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "run" / "run.json"
    keep_templates(path, "quick")
    agree(path, more(settings))
    assert template_digest("quick") in path.read_text()
