"""Run directories: what was made from something else, or edited by hand, is refused."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from i2cnn.cli.demo import _SETTINGS as DEMO
from i2cnn.cli.main import main
from i2cnn.evaluation.inputs import prepare
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.rival_job import RivalJob
from i2cnn.evaluation.run import jobs_of
from i2cnn.evaluation.settings import run_scheme
from i2cnn.report.results import read_results
from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json
from tests.check_report import check
from tests.helpers.runs import write_run
from tests.helpers.small_runs import JOB, arguments, copy_of, data_of, settings_of, small_set
from tests.helpers.trees import photos


def test_other_settings_are_refused(run: Path, capsys) -> None:
    data = data_of(run)
    assert main([*arguments(data, run), "--max-iter=9"]) == 1
    assert "max_iter: 6 there, 9 asked for" in capsys.readouterr().err


def test_more_may_be_asked_for_later(run: Path, tmp_path: Path) -> None:
    """Other patch counts and rivals join a run; what was done is not done again."""
    copy = copy_of(run, tmp_path / "copy")
    data = data_of(run)
    before = (copy / JOB / "job.json").stat().st_mtime_ns
    command = [w for w in arguments(data, copy, k="1") if not w.startswith("--rivals")]
    assert main([*command, "--rivals=pixels"]) == 0
    settings = json.loads((copy / "run.json").read_text())["settings"]
    assert settings["patch_counts"] == [5, 1]
    assert settings["rivals"] == ["pixels"]
    assert (copy / JOB / "job.json").stat().st_mtime_ns == before
    metrics = json.loads((copy / "report" / "metrics.json").read_text())
    assert [m["id"] for m in metrics["methods"]] == [
        "k5_trained",
        "k1_trained",
        "k5_vote",
        "k1_vote",
        "k5_untrained",
        "k1_untrained",
        "rival_pixels_linear",
        "rival_pixels_rbf",
    ]
    assert check(copy) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("run.json", '"max_iter": 6', '"max_iter": 7'),
        ("folds.json", '"seed": 0', '"seed": 1'),
        (f"{JOB}/predictions_trained.csv", "neutral", "happy"),
        (f"{JOB}/predictions_trained.csv", "S0", "S1"),
    ],
)
def test_edited_runs_are_refused(run: Path, tmp_path: Path, capsys, name, old, new) -> None:
    copy = copy_of(run, tmp_path / "copy")
    text = (copy / name).read_text()
    assert old in text
    (copy / name).write_text(text.replace(old, new))
    assert main(["report", str(copy)]) == 1
    error = capsys.readouterr().err
    assert name in error
    assert "edited" in error


def test_edited_faces_are_refused_once_a_job_is_done(run: Path, tmp_path: Path, capsys) -> None:
    copy = copy_of(run, tmp_path / "copy")
    lines = (copy / "faces.csv").read_text().splitlines()
    cells = lines[1].split(",")
    cells[9] = str(float(cells[9]) + 1)  # a landmark
    (copy / "faces.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    data = data_of(run)
    assert main(arguments(data, copy)) == 1
    error = capsys.readouterr().err
    assert "made from other faces" in error
    assert f"delete {copy / JOB}" in error


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_run_is_not_written_into_its_data_set(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(photos(tmp_path / "photos", "joy/a_1.png", "calm/a_1.png"))
    assert main(["evaluate", "--dataset=folder", ".", f"--out={tmp_path / 'photos'}", *more]) == 1
    assert "photos: is the folder of the data set; choose another --out" in capsys.readouterr().err
    assert {p.name for p in Path().iterdir()} == {"joy", "calm"}


def test_what_is_asked_for_twice_is_refused() -> None:
    for change in ({"patch_counts": (5, 5)}, {"rivals": ("lbp", "lbp")}, {"seeds": (0, 0)}):
        with pytest.raises(InputError, match="one is given twice"):
            replace(DEMO, **change)  # type: ignore[arg-type]


def test_an_edited_scheme_is_refused(tmp_path: Path) -> None:
    scheme = tmp_path / "mine.toml"
    scheme.write_text(
        'mouth = 1.1\nscales = [1.0]\n[[region]]\nname = "all"\nanchor = "face"\n'
        "centre = [0, 0]\nsize = [3, 3]\n"
    )
    words = arguments(small_set(tmp_path / "data"), tmp_path / "run", k="1")
    settings = settings_of([*words, f"--scheme={scheme}"])
    assert run_scheme(settings).counts == (1, 2)
    scheme.write_text(scheme.read_text().replace("[3, 3]", "[3, 4]"))
    with pytest.raises(InputError, match="was edited since the run began"):
        run_scheme(settings)


def test_two_processes_do_not_work_on_one_job(tmp_path: Path) -> None:
    data = small_set(tmp_path / "data")
    words = arguments(data, tmp_path / "run", k="1")
    inputs = prepare(tmp_path / "run", settings_of(words))
    job = NetworkJob(1, 1, 0)
    with job.opened(tmp_path / "run", inputs) as folder:
        descriptor = os.open(folder.path, os.O_RDONLY)  # as another process would
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
        with (
            pytest.raises(InputError, match="worker of an earlier command"),
            job.opened(tmp_path / "run", inputs),
        ):
            pass


def test_a_job_that_a_worker_of_an_earlier_command_has_done_meanwhile_stays(tmp_path: Path) -> None:
    inputs = write_run(run := tmp_path / "run", rivals=("pixels",))
    folder = run / RivalJob(1, "pixels").folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    RivalJob(1, "pixels").run(run, inputs, Execution())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_job_that_was_begun_with_other_faces_is_not_continued(tmp_path: Path) -> None:
    inputs = write_run(run := tmp_path / "run", rivals=("pixels",))
    job = RivalJob(1, "pixels")
    shutil.rmtree(run / job.folder)
    with job.opened(run, inputs):
        pass
    other = replace(inputs, faces=[replace(inputs.faces[0], box=(0, 0, 9, 9)), *inputs.faces[1:]])
    with pytest.raises(InputError, match="made from other faces"):
        job.run(run, other, Execution())


def test_too_many_folds_do_not_bind_a_run(tmp_path: Path, capsys) -> None:
    data = small_set(tmp_path / "data")
    words = [w for w in arguments(data, tmp_path / "run") if not w.startswith("--folds")]
    assert main([*words, "--folds=9"]) == 1
    assert "use --folds 4" in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()


def test_labels_that_changed_are_refused(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    path = copy / "dataset.json"
    content = json.loads(path.read_text())
    content["task"]["labels"] = content["task"]["labels"][:-1]
    path.write_text(json.dumps(content))
    data = data_of(run)
    settings = settings_of(arguments(data, copy))
    with pytest.raises(InputError, match=r"its labels are .* now, and were"):
        prepare(copy, settings)


def test_only_flat_trainings_are_starred(run: Path) -> None:
    """Six iterations learn nothing: the trained row says so, the untrained one is what it is."""
    (done,) = [done for done in read_results(run).jobs if done.record.training]
    assert done.job.fold == 1
    assert done.record.training.flat
    rows = json.loads((run / "report" / "metrics.json").read_text())["methods"]
    flat = {"trained": [1], "vote": [1], "untrained": []}
    assert {r["group"]: r["flat_folds"] for r in rows} == flat
    assert rows[0]["mean_without_flat_folds"] is None
    assert rows[-1]["mean_without_flat_folds"] == rows[-1]["mean"]


def test_seeds_are_added_to_a_run(tmp_path: Path, capsys) -> None:
    """Three trainings a fold: means over seeds and folds, their spread, and which were flat."""
    command = arguments(small_set(tmp_path / "data"), tmp_path / "run", k="1", iterations=3)
    assert main(command) == 0
    first = tmp_path / "run" / "fold_01" / "k1_seed0" / "job.json"
    before = first.stat().st_mtime_ns
    capsys.readouterr()
    assert main([*command, "--seeds=3"]) == 0
    assert first.stat().st_mtime_ns == before
    printed = " ".join(capsys.readouterr().out.split())
    assert "means over 3 seeds" in printed
    assert "k = 1: fold 1 (seed 0, 1, 2)" in printed
    content = json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())
    row = content["methods"][0]
    seeds = []
    for seed in range(3):
        file = tmp_path / "run" / "fold_01" / f"k1_seed{seed}" / "predictions_trained.csv"
        with open(file, newline="") as stream:
            rows = list(csv.DictReader(stream))
        seeds.append(sum(r["truth"] == r["predicted"] for r in rows) / len(rows))
    assert row["seed_means"] == pytest.approx(seeds)
    assert row["mean"] == pytest.approx(sum(seeds) / 3)
    assert check(tmp_path / "run") == []


def test_a_folder_that_is_no_run(tmp_path: Path, capsys) -> None:
    assert main(["report", str(tmp_path)]) == 1
    assert "not a run directory of `i2cnn evaluate`" in capsys.readouterr().err


def test_a_run_keeps_to_its_pictures(run: Path, tmp_path: Path, capsys) -> None:
    data = tmp_path / "data"
    shutil.copytree(data_of(run), data)
    copy = copy_of(run, tmp_path / "copy")
    assert main(arguments(data, copy)) == 0
    first, second = sorted(data.glob("*.png"))[:2]
    picture = first.read_bytes()
    first.write_bytes(second.read_bytes())
    assert main(arguments(data, copy)) == 1
    assert f"{first}: is another picture than when {copy} began" in capsys.readouterr().err
    first.write_bytes(picture)
    assert main(arguments(data, copy)) == 0
    # Of one person, it has two labels.
    twin = next(p for p in data.glob(f"{first.name[:3]}*.png") if p.name[4:6] != first.name[4:6])
    kept = twin.read_bytes()
    twin.write_bytes(picture)
    words = arguments(data, tmp_path / "twins", k="none")
    assert main([*words, "--rivals=pixels"]) == 0
    assert f"{first.name} and {twin.name} are the same picture, labelled" in capsys.readouterr().err
    twin.write_bytes(kept)
    # The same picture of two people would be on two sides of a fold.
    other = next(p for p in sorted(data.glob("*.png")) if p.name[:3] != first.name[:3])
    other.write_bytes(picture)
    assert main(arguments(data, tmp_path / "new")) == 1
    assert "are the same picture, of" in capsys.readouterr().err


def test_a_job_may_end_while_a_report_looks_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write_run(tmp_path / "run", k=(), rivals=("pixels",))
    job = jobs_of(inputs.settings)[0]
    (tmp_path / "run" / job.folder / "job.json").unlink()
    noted = tmp_path / "run" / job.folder / "inputs.json"
    noted.write_text("{}")

    def read_late(path: Path) -> Any:
        noted.unlink(missing_ok=True)
        return read_json(path)

    monkeypatch.setattr("i2cnn.evaluation.jobs.read_json", read_late)
    assert not job.is_done(tmp_path / "run", inputs)
