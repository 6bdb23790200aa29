"""Runs beyond the paper's protocol: references, other people who train too, fusion."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.datasets.labels import EIGHT, SEVEN, SIX
from i2cnn.evaluation.extras import find_extras
from i2cnn.evaluation.inputs import Inputs, prepare, read_inputs
from i2cnn.evaluation.reference_pictures import read_dataset
from i2cnn.evaluation.run_card import run_card
from i2cnn.evaluation.settings import Settings
from i2cnn.faces.finder import Detection
from i2cnn.faces.table import Face, write_faces_csv
from i2cnn.models.card import Card, read_card
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.report.page import write_report
from i2cnn.report.publish import publish
from i2cnn.util.errors import InputError
from i2cnn.util.files import write_json
from i2cnn.util.images import read_image
from tests.check_report import check
from tests.helpers.runs import write_run
from tests.helpers.small_runs import arguments, settings_of, small_set
from tests.helpers.trees import photos


def rivals_only(data: Path, out: Path, *more: str) -> list[str]:
    """Command line of one rival on one fold, without a network."""
    words = [w for w in arguments(data, out, k="none") if not w.startswith("--rivals")]
    return [*words, "--rivals=hog", "--points=given", *more]


def job_of(run: Path, job: str = "rival_hog") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "fold_01" / job / "job.json").read_text())
    return content


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_set(tmp_path_factory.mktemp("data") / "set", subjects=8, takes=2)


@pytest.fixture(scope="module")
def referenced(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of HOG with references of all, and of fewer, pictures."""
    out = tmp_path_factory.mktemp("runs") / "run"
    options = ["--reference=person", "--reference-pictures=1,5,all", "--reference-classes=2"]
    assert main(rivals_only(data, out, *options)) == 0
    return out


def test_a_reference_makes_methods_of_its_own(referenced: Path) -> None:
    methods = job_of(referenced)["methods"]
    assert set(methods) == {
        name + end for name in ("linear", "polynomial", "rbf") for end in ("", "_person")
    }
    assert methods["linear_person"]["accuracy"] > methods["linear"]["accuracy"]
    assert "reference" not in methods["linear"]


def test_the_rule_and_the_curves_are_written_down(referenced: Path) -> None:
    found = job_of(referenced)["methods"]["linear_person"]["reference"]
    assert found["shrinkage"] in (0.0, 1.0, 3.0, 9.0, 27.0)
    assert set(found["pictures"]) == {"1", "5"}
    assert set(found["classes"]) == {"2"}
    assert np.mean(found["pictures"]["5"]) > np.mean(found["pictures"]["1"])


def test_the_report_keeps_references_in_a_block_of_their_own(referenced: Path) -> None:
    report = write_report(referenced)
    assert [m.method.reference for m in report.main_methods] == [""] * len(report.main_methods)
    assert {r.referenced.method.id for r in report.references} == {
        f"rival_hog_{kernel}_person" for kernel in ("linear", "polynomial", "rbf")
    }
    assert "No label of a tested person is used" in report.page.read_text()
    assert check(referenced) == []


def test_neutral_pictures_serve_as_references_and_leave_the_test(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert main(rivals_only(data, out, "--reference=neutral", "--task=six")) == 0
    rows = (out / "fold_01/rival_hog/predictions_linear_neutral.csv").read_text()
    assert "neutral" not in rows
    assert len(rows.splitlines()) - 1 == 2 * 2 * 6  # people, takes, labels
    assert job_of(out)["methods"]["linear_neutral"]["reference"]["mix"] == 0


def test_a_first_frame_is_the_reference_of_its_own_clip(data: Path, tmp_path: Path) -> None:
    inputs = prepare(tmp_path, settings_of(rivals_only(data, tmp_path)))
    faces = [
        Face("a", "S1", clip, frame, label, (0, 0, 1, 1), np.zeros((5, 2)), "given")
        for clip in ("001", "002")
        for frame, label in ((1, "neutral"), (9, "happy"))
    ]
    settings = settings_of(rivals_only(data, tmp_path, "--reference=first", "--task=six"))
    album = Inputs(settings, SIX, tmp_path, faces, inputs.folds).album
    assert album.pictures is not None
    assert album.groups is not None
    assert list(album.pictures) == [True, False, True, False]
    assert album.groups[0] == album.groups[1] != album.groups[2]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, happy, surprised and bored, who have the names of two of the set."""
    folder = tmp_path_factory.mktemp("others") / "photos"
    labels = {"HA": "happy", "SU": "surprise", "SA": "bored"}
    for theirs, name in (("S19", "S01"), ("S20", "S02")):
        for path in embedded_root().glob(f"{theirs}.*1.*.png"):
            if label := labels.get(path.name[4:6]):
                (folder / label).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / label / f"{name}_1.png")
    return folder


@pytest.fixture(scope="module")
def joined(data: Path, others: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose folds other people join."""
    out = tmp_path_factory.mktemp("joined") / "run"
    assert main(rivals_only(data, out, f"--train-also={others}", "--reference=person")) == 0
    return out


def test_other_people_train_and_are_never_tested(joined: Path) -> None:
    inputs = read_inputs(joined)
    assert len(inputs.extras) == 4
    fitted, tested = inputs.sides(1)
    extras = {i for i, face in enumerate(inputs.all_faces) if face.subject.startswith("extra:")}
    assert extras <= set(fitted)
    assert not extras & set(tested)
    assert list(inputs.fitted_faces(1).counted) == [row not in extras for row in fitted]


def test_a_report_says_that_other_people_train(joined: Path) -> None:
    metrics = json.loads((joined / "report" / "metrics.json").read_text())
    assert "people of another set (photos) train in every fold" in metrics["departures"]


def test_a_published_run_keeps_the_others_faces_but_not_their_place(
    joined: Path, others: Path, tmp_path: Path
) -> None:
    publish(joined, tmp_path / "published")
    assert len(read_inputs(tmp_path / "published").extras) == 4
    texts = [p.read_text() for p in tmp_path.rglob("*.*") if p.suffix in (".json", ".html")]
    assert texts
    assert not any(str(others.parent) in text for text in texts)


def test_a_card_says_that_other_people_trained(tmp_path: Path) -> None:
    inputs = write_run(tmp_path / "run", k=(), rivals=("pixels",))
    other = replace(inputs.faces[0], subject="extra:D", image="/photos/x.png")
    settings = replace(inputs.settings, train_also="/photos")
    joined = replace(inputs, settings=settings, extras=[other])
    card = run_card(joined, 1, "HOG", "1 patch per face", {"linear_accuracy": 0.5})
    assert card.method == "1 patch per face, and a linear SVM."
    assert (
        "learned from 2 people of rendered faces and 1 person of a folder of faces" in card.warning
    )
    assert "never seen a photograph" not in card.warning
    assert "named 50% of 6 faces of 1 unseen person right" in card.warning
    assert [(d["pictures"], d["licence"]) for d in card.data] == [
        (12, "CC0 1.0"),
        (1, "That of the data set."),
    ]


def test_who_the_other_people_are_is_in_the_digest_but_not_their_folder(tmp_path: Path) -> None:
    inputs = write_run(tmp_path / "run", k=(), rivals=("pixels",))
    other = replace(inputs.faces[0], subject="extra:D", image="/photos/x.png")
    joined, moved, renamed = (
        replace(inputs, extras=[replace(other, **change)]).digest
        for change in ({}, {"image": "/elsewhere/x.png"}, {"subject": "extra:E"})
    )
    assert joined == moved != renamed


def test_a_folder_of_other_people_may_move(data: Path, tmp_path: Path) -> None:
    before, after = (
        settings_of(rivals_only(data, tmp_path, f"--train-also={tmp_path / name}"))
        for name in ("here", "there")
    )
    assert before.digest == after.digest


def test_pictures_of_other_people_are_kept_to(tmp_path: Path) -> None:
    inputs, run, folder = write_run(tmp_path / "run", k=()), tmp_path / "run", tmp_path / "here"
    folder.mkdir()
    (folder / "x.png").write_bytes(b"one picture")
    write_json(run / "pictures.json", {})
    write_faces_csv(run / "extras.csv", [replace(inputs.faces[0], image="x.png")])
    find_extras(run, replace(inputs.settings, train_also=str(folder)), SIX)
    moved = replace(inputs.settings, train_also=str(folder.rename(tmp_path / "there")))
    (other,) = find_extras(run, moved, SIX)
    Path(other.image).write_bytes(b"another")
    with pytest.raises(InputError, match=r"there/x.png: is another picture than when .* began"):
        find_extras(run, moved, SIX)


def test_a_picture_of_the_set_must_not_train_as_well(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other" / "happy").mkdir(parents=True)
    (tmp_path / "other" / "surprise").mkdir()
    shutil.copy(data / "S01.HA1.010.png", tmp_path / "other" / "happy" / "x_1.png")
    shutil.copy(embedded_root() / "S20.SU1.019.png", tmp_path / "other" / "surprise" / "x_1.png")
    words = rivals_only(data, tmp_path / "run", f"--train-also={tmp_path / 'other'}")
    assert main(words) == 1
    assert "is the same picture as S01.HA1.010.png of the data set" in capsys.readouterr().err
    # The run is not bound to it: without the picture, it goes on.
    assert not (tmp_path / "run" / "extras.csv").exists()


def test_nobody_of_the_set_has_the_name_of_one_of_the_others(others: Path, tmp_path: Path) -> None:
    """They would train the network as one of the others, and be tested."""
    folder = small_set(tmp_path / "set")
    table = (folder / "landmarks.csv").read_text()
    (folder / "landmarks.csv").write_text(table.replace(",S01,", ",extra:S01,"))
    settings = settings_of(rivals_only(folder, tmp_path, f"--train-also={others}"))
    with pytest.raises(InputError, match="extra:S01 is a person of the data set and of --train"):
        prepare(tmp_path / "run", settings)


def test_other_people_without_a_label_of_the_task_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    for label in ("bored", "tired"):
        (other / label).mkdir(parents=True)
        shutil.copy(next(data.glob("*.png")), other / label / "a_1.png")
    assert main(rivals_only(data, tmp_path / "run", f"--train-also={other}")) == 1
    assert "none of its labels (bored, tired)" in capsys.readouterr().err


def test_a_network_is_fused_with_a_rival(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [*arguments(data, out), "--fuse=hog", "--reference=person"]
    assert main(words) == 0
    methods = job_of(out, "k5_seed0")["methods"]
    assert {"trained", "trained_hog", "trained_person", "trained_hog_person"} <= set(methods)
    assert {"untrained_hog", "untrained_hog_person"} <= set(methods)
    # The trained net knows the people that the rule is chosen on.
    for name in ("", "_hog"):
        trained, untrained = (
            methods[f"{net}{name}_person"]["reference"] for net in ("trained", "untrained")
        )
        assert trained == untrained
    assert check(out) == []
    card = the_recogniser_names_as_its_card_says(out, data)
    assert card.as_is.accuracy == methods["trained"]["linear_accuracy"]


def test_a_run_without_a_network_makes_a_recogniser_by_hog(
    referenced: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = the_recogniser_names_as_its_card_says(referenced, data)
    assert "(HOG) and named" in card.warning
    assert sum(map(sum, card.confusion)) == 28
    capsys.readouterr()
    options = ["--reference=person", "--reference-pictures=1,5,all", "--reference-classes=2"]
    assert main(rivals_only(data, referenced, *options)) == 0
    said = capsys.readouterr()
    assert f"recogniser: {referenced / 'recogniser'}" in said.out
    assert "making a recogniser" not in said.err  # it is there


def test_very_many_faces_make_no_recogniser_by_hog(
    referenced: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    shutil.copytree(referenced, run)
    shutil.rmtree(run / "recogniser")
    monkeypatch.setattr("i2cnn.evaluation.run.EXACT_FACES", 27)
    options = ["--reference=person", "--reference-pictures=1,5,all", "--reference-classes=2"]
    assert main(rivals_only(data, run, *options)) == 0
    assert "no recogniser: fitted exactly" in capsys.readouterr().err
    assert not (run / "recogniser").exists()


def the_recogniser_names_as_its_card_says(run: Path, data: Path) -> Card:
    """It names the tested faces as well as its card says, with references and without."""
    recogniser, inputs = Recogniser(run / "recogniser", device="cpu"), read_inputs(run)
    _, tested = inputs.sides(1)
    right = {"as it is": 0, "from a reference": 0}
    for person in set(inputs.subjects[tested]):
        faces = [inputs.faces[row] for row in tested if inputs.subjects[row] == person]
        detections = [Detection((0, 0, 1, 1), face.points, "given") for face in faces]
        described = [
            recogniser.describe(read_image(data / face.image), detection)
            for face, detection in zip(faces, detections, strict=True)
        ]
        references = (None, recogniser.reference_of(described))
        for how, reference in zip(right, references, strict=True):
            for face, detection, features in zip(faces, detections, described, strict=True):
                found = recogniser.name(features, detection, reference)
                right[how] += found.label == face.label
    card = read_card(run / "recogniser")
    assert card is not None
    assert card.reference is not None
    for share, number in zip((card.as_is, card.reference), right.values(), strict=True):
        assert number == round(share.accuracy * len(tested))
    assert set(card.calibration) == {"as_is", "reference"}
    return card


def test_a_person_of_one_picture_is_named_without_a_reference(tmp_path: Path) -> None:
    folder, out = small_set(tmp_path / "set"), tmp_path / "run"
    lines = (folder / "landmarks.csv").read_text().splitlines()
    tested = "S03"
    kept = [line for line in lines if not re.match(rf"{tested}\.(?!HA)", line)]
    (folder / "landmarks.csv").write_text("\n".join(kept) + "\n")
    assert main([*arguments(folder, out, k="1", iterations=3), "--reference=person"]) == 0
    assert read_inputs(out).fold(1).test == (tested,)
    trained = job_of(out, "k1_seed0")["methods"]["trained"]
    assert trained["linear_reference_accuracy"] == trained["linear_accuracy"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--reference=neutral"], "add --task six"),
        (["--reference=neutral", "--task=six", "--train-also=synthetic"], "leave --train-also out"),
        (["--reference-pictures=3"], "need --reference person"),
        (["--fuse=hog"], "--k none asks for no network"),
        (["--train-also=nowhere"], "nowhere"),
    ],
)
def test_what_does_not_go_together_is_refused(
    data: Path, tmp_path: Path, options: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(rivals_only(data, tmp_path / "run", *options)) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"S03\.NE", "S03 has no neutral picture"),
        (r"S03\.(?!NE)", "S03 would test in fold . and only has neutral pictures"),
    ],
)
def test_someone_who_lacks_pictures_is_named(pattern: str, reason: str, tmp_path: Path) -> None:
    folder = small_set(tmp_path / "set")
    lines = (folder / "landmarks.csv").read_text().splitlines()
    kept = [line for line in lines if not re.match(pattern, line)]
    (folder / "landmarks.csv").write_text("\n".join(kept) + "\n")
    settings = settings_of(rivals_only(folder, tmp_path, "--reference=neutral", "--task=six"))
    with pytest.raises(InputError, match=reason):
        prepare(tmp_path / "run", settings)


def test_still_images_have_no_first_frame(tmp_path: Path) -> None:
    folder = small_set(tmp_path / "set")
    settings = settings_of(rivals_only(folder, tmp_path, "--reference=first", "--task=six"))
    with pytest.raises(InputError, match="is a still image, not a frame of a clip; start"):
        prepare(tmp_path / "run", settings)


def test_other_expressions_of_a_folder_are_left_out_with_references_too(tmp_path: Path) -> None:
    words = rivals_only(photos(tmp_path, *(f"{x}/a_1.png" for x in EIGHT.labels)), tmp_path)
    words += ["--dataset=folder", "--task=six", "--reference=neutral"]
    assert set(read_dataset(settings_of(words)).task.labels) == set(SEVEN.labels)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {"reference": "person"},
        lambda s: {"train_also": "synthetic"},
        lambda s: {"reference": "person", "reference_pictures": (3,)},
    ],
)
def test_what_a_run_did_not_have_at_first_is_in_its_digest_only_when_used(
    data: Path, tmp_path: Path, change: Callable[[Settings], dict[str, Any]]
) -> None:
    plain = settings_of(rivals_only(data, tmp_path))
    values = plain.to_json()
    assert not set(values) & set(change(plain))
    assert Settings.from_json(values) == plain
    assert Settings.from_json(values | change(plain)).digest != plain.digest


def test_an_unknown_reference_is_refused(data: Path, tmp_path: Path) -> None:
    values = settings_of(rivals_only(data, tmp_path)).to_json()
    with pytest.raises(InputError, match="choose none, person, neutral, first"):
        Settings.from_json(values | {"reference": "mother"})
