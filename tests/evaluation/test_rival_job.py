"""A rival's job and the features that it shares with others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.evaluation.inputs import Inputs, read_inputs
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.rival_job import FEATURES_FOLDER, RivalJob
from i2cnn.evaluation.run import evaluate
from i2cnn.evaluation.workers import Workers
from i2cnn.faces.table import Face
from i2cnn.util.errors import InputError
from tests.helpers.small_runs import arguments, copy_of, settings_of, small_set


def test_all_faces_are_described_once_for_all_folds(run: Path, tmp_path: Path) -> None:
    inputs = read_inputs(run)
    RivalJob(1, "pixels").prepare(tmp_path, inputs)
    (path,) = (tmp_path / FEATURES_FOLDER).iterdir()
    assert len(np.load(path)) == len(inputs.faces)
    before = path.stat().st_mtime_ns
    RivalJob(2, "pixels").prepare(tmp_path, inputs)
    assert path.stat().st_mtime_ns == before


def test_a_rival_that_cannot_describe_the_faces_does_not_lose_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe(rival: str, faces: list[Face], *_: object) -> np.ndarray:
        if rival == "ldp":
            raise InputError("a.png: no face is found")
        if rival == "gabor":
            raise ZeroDivisionError("ours")
        return np.eye(len(faces), dtype=np.float32)

    monkeypatch.setattr("i2cnn.rivals.describe.describe", describe)
    words = arguments(small_set(tmp_path / "data"), run := tmp_path / "run", k="none")
    settings = settings_of([*words, "--rivals=ldp,gabor,sae,pixels"])
    monkeypatch.setattr(RivalJob, "work", lambda self, run, folder, *_: folder.finish({}))
    failures = evaluate(run, settings, Execution(), Workers())
    assert [f.job for f in failures] == [
        RivalJob(fold, rival) for rival in ("ldp", "gabor") for fold in (1, 2, 3, 4)
    ]
    (log,) = run.glob("fold_*/*/error.txt")
    assert "in describe\n    raise ZeroDivisionError" in log.read_text()
    assert {f.reason for f in failures} == {
        "a.png: no face is found",
        f"ZeroDivisionError: ours (see {log})",
    }
    assert len(list(run.glob("fold_*/*/job.json"))) == 2 * 4


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\0\x01\0(", "of too few faces"])
def test_damaged_features_are_named(run: Path, tmp_path: Path, content: bytes | str) -> None:
    copy = copy_of(run, tmp_path / "copy")
    inputs = read_inputs(copy)
    inputs = replace(inputs, settings=replace(inputs.settings, rivals=("pixels",)))
    job = RivalJob(1, "pixels")
    job.prepare(copy, inputs)
    (path,) = (copy / FEATURES_FOLDER).iterdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, np.load(path)[1:])
    with pytest.raises(InputError, match=rf"{path.name}: damaged .*; delete it and repeat"):
        job.run(copy, inputs, Execution())


def test_only_rivals_with_svms_are_fused(run: Path) -> None:
    settings = read_inputs(run).settings
    with pytest.raises(InputError, match=r"--fuse ldp: it has no Gram matrix .*; choose pixels"):
        replace(settings, fuse=("ldp",))


def test_a_rival_with_its_own_classifier_has_no_reference(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    inputs = read_inputs(copy)
    inputs = replace(inputs, settings=replace(inputs.settings, rivals=("ldp",), reference="person"))
    job = RivalJob(1, "ldp")
    (method,) = job.methods(inputs)
    assert (method.id, method.title) == ("rival_ldp_template", "LDP + template matching")
    job.prepare(copy, inputs)
    job.run(copy, inputs, Execution())
    assert set(job.result(copy)["methods"]) == {"template"}


def of_clips(inputs: Inputs, labels: tuple[str, ...]) -> Inputs:
    """The same faces as frames of clips, of these labels only."""
    faces = [replace(f, sequence="001") for f in inputs.faces if f.label in labels]
    return replace(inputs, faces=faces)


def test_a_rival_of_clips_is_not_applicable_to_still_images(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    inputs = read_inputs(copy)
    inputs = replace(inputs, settings=replace(inputs.settings, rivals=("itbn",)))
    job = RivalJob(1, "itbn")
    ((method, reason),) = job.not_applicable(inputs).items()
    assert (method.title, reason) == ("ITBN", "it needs clips, and there are still images")
    assert job.methods(inputs) == []
    job.prepare(copy, inputs)
    job.run(copy, inputs, Execution())
    assert job.result(copy)["methods"] == {}
    assert not (copy / FEATURES_FOLDER).exists()


def test_a_rival_of_clips_needs_expressions_that_are_clips(run: Path) -> None:
    inputs = read_inputs(run)
    neutral, *others = inputs.task.labels
    job = RivalJob(1, "itbn")
    (reason,) = job.not_applicable(of_clips(inputs, (neutral, *others))).values()
    assert "a neutral first frame is none; --task six" in reason
    assert not job.not_applicable(of_clips(inputs, tuple(others)))


def test_measures_from_first_frames_and_of_still_images_are_not_mixed(run: Path) -> None:
    inputs, job = read_inputs(run), RivalJob(1, "geometric")
    clips = of_clips(inputs, inputs.task.labels)
    assert not job.not_applicable(inputs)
    assert not job.not_applicable(clips)
    (reason,) = job.not_applicable(replace(clips, extras=inputs.faces[:1])).values()
    assert "from their first frames, and there are still images" in reason
