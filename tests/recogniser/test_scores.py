"""Labels and scores: one rule for both, and probabilities only where they are calibrated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.evaluation.inputs import read_inputs
from i2cnn.faces.finder import Detection
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.files import file_digest
from i2cnn.util.images import read_image
from tests.helpers.small_runs import JOB, copy_of

PICTURES = sorted(embedded_root().glob("*.png"))[::60]


@pytest.fixture
def uncalibrated(run: Path, tmp_path: Path) -> Path:
    """A recogniser of before there was a calibration."""
    folder = copy_of(run / "recogniser", tmp_path / "recogniser")
    with np.load(folder / "svm.npz") as file:
        np.savez(folder / "svm.npz", **{k: v for k, v in file.items() if k != "slope"})
    about = json.loads((folder / "recogniser.json").read_text())
    about["files"]["svm.npz"] = file_digest(folder / "svm.npz")
    (folder / "recogniser.json").write_text(json.dumps(about))
    return folder


def test_the_label_has_the_highest_score(run: Path, uncalibrated: Path) -> None:
    for model in ("smile", "faces-7", run / "recogniser", uncalibrated):
        recogniser = Recogniser(model, device="cpu")
        for path in PICTURES:
            (face,) = recogniser.predict(read_image(path))
            assert max(face.scores, key=lambda label: face.scores[label]) == face.label
            assert sum(face.scores.values()) == pytest.approx(1)


def test_an_older_recogniser_goes_on_and_claims_no_probabilities(
    run: Path, uncalibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = read_image(PICTURES[0])
    (old,) = Recogniser(uncalibrated, device="cpu").predict(picture)
    (new,) = Recogniser(run / "recogniser", device="cpu").predict(picture)
    assert (old.calibrated, new.calibrated) == (False, True)
    command = ["predict", str(PICTURES[0]), "--device=cpu", "--model", str(uncalibrated)]
    assert main(command) == 0
    assert "Scores are not calibrated: they are no probabilities." in capsys.readouterr().out


@pytest.mark.parametrize("name", ["smile", "faces-7"])
def test_recognisers_that_ship_are_calibrated(name: str) -> None:
    (face,) = Recogniser(name).predict(read_image(PICTURES[0]))
    assert face.calibrated


def test_a_result_is_plain_json() -> None:
    (face,) = Recogniser("smile").predict(read_image(PICTURES[0]))
    again = json.loads(json.dumps(face.to_dict()))
    assert again == face.to_dict()
    assert again["scores"] == face.scores
    assert len(again["points"]) == 5


def test_the_report_tells_how_well_probabilities_hold(run: Path) -> None:
    metrics = json.loads((run / "report" / "metrics.json").read_text())
    assert 0 < metrics["calibration_error"]["5"] < 1
    assert "expected calibration error" in (run / "report" / "report.html").read_text()
    job = json.loads((run / JOB / "job.json").read_text())["methods"]["trained"]
    assert sum(one["faces"] for one in job["calibration"]) == metrics["methods"][0]["faces"]


def test_its_accuracy_is_that_of_the_labels_that_it_gives(run: Path) -> None:
    recogniser = Recogniser(run / "recogniser", device="cpu")
    inputs = read_inputs(run)
    tested = [inputs.faces[row] for row in inputs.sides(1)[1]]
    named = [
        recogniser.predict_face(
            read_image(inputs.root / face.image), Detection(face.box, face.points, face.found)
        )
        for face in tested
    ]
    right = [p.label == face.label for p, face in zip(named, tested, strict=True)]
    assert recogniser.bundle.about["test_accuracy"] == pytest.approx(np.mean(right))
