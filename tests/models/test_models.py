"""Recognisers that ship: found by name, small, with cards, and as good as these say."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import i2cnn.models
from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.models import FOR_A_PICTURE, FOR_AN_ALBUM, find_model, models
from i2cnn.models.card import read_card, write_card
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.helpers.programs import run as run_program

ROOT = Path(__file__).parents[2]
SHIPPED = ("faces-7", "smile")
MOST_BYTES = 12 << 20


def folder_of_another_package() -> Path:
    return Path(i2cnn.models.__file__).parent / "smile"


def fails() -> Path:
    raise OSError("gone")


def join(monkeypatch: pytest.MonkeyPatch, **functions: str) -> None:
    """Let another package offer recognisers."""
    points = [
        EntryPoint(name, f"{__name__}:{function}", "i2cnn.models")
        for name, function in functions.items()
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)


def test_these_ship() -> None:
    assert set(SHIPPED) <= set(models())
    assert {FOR_A_PICTURE, FOR_AN_ALBUM} <= set(SHIPPED)


def test_a_folder_of_the_same_name_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("smile", "mine"):
        (tmp_path / name).mkdir()
    assert find_model("smile") == models()["smile"]
    for given in ("mine", "./smile", Path("smile")):
        assert find_model(given) == Path(given)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recogniser_is_small(name: str) -> None:
    files = list(find_model(name).iterdir())
    assert {p.name for p in files} == {
        "recogniser.json",
        "svm.npz",
        "reference.npz",
        "card.json",
        "card.md",
    }
    assert sum(p.stat().st_size for p in files) < MOST_BYTES


def test_what_is_built_carries_them(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    built = {p.name: p for p in (tmp_path / "i2cnn" / "models").iterdir() if p.is_dir()}
    for name in SHIPPED:
        assert {p.name for p in built[name].iterdir()} == {
            p.name for p in find_model(name).iterdir()
        }


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_is_what_its_numbers_say(name: str) -> None:
    folder = find_model(name)
    card = read_card(folder)
    assert card is not None
    assert (folder / "card.md").read_text() == card.text()
    assert card.labels == Recogniser(name).labels
    assert card.reference.low <= card.reference.accuracy <= card.reference.high
    assert all(d["licence"] for d in card.data)
    right = sum(row[i] for i, row in enumerate(card.confusion))
    tested = sum(map(sum, card.confusion))
    assert tested == sum(d["pictures"] for d in card.data)
    assert right / tested == pytest.approx(card.as_is.accuracy)
    assert max(card.calibration["as_is"], card.calibration["reference"]) < 0.05


def test_the_cards_name_authors_and_strangers() -> None:
    smile, faces = (read_card(find_model(name)) for name in ("smile", "faces-7"))
    assert "DeBruine" in smile.text()
    assert "10.6084/m9.figshare.5047666" in smile.text()
    assert "CC0" in faces.text()
    assert "38 %" in faces.text()


def test_a_recogniser_by_hog_needs_no_network() -> None:
    loaded = run_program("modules_of", "i2cnn.recogniser.describe_hog").split()
    assert not {"torch", "sklearn", "i2cnn.evaluation", "i2cnn.network.engine"} & set(loaded)


def test_predicting_with_it_loads_no_network() -> None:
    picture = str(embedded_root() / "S03.HA1.010.png")
    loaded = run_program("modules_after", "predict", picture, "--json").split()
    assert "numpy" in loaded
    assert not {"torch", "sklearn", "scipy"} & set(loaded)


def test_a_person_of_the_embedded_set_is_named_with_a_reference() -> None:
    recogniser = Recogniser("faces-7")
    samples = [s for s in load_dataset("synthetic").samples if s.subject == "S05"][::3]
    pictures = [read_image(embedded_root() / s.image) for s in samples]
    reference = recogniser.reference_from(pictures)
    assert reference.count == len(samples) == 7
    named = [recogniser.predict(picture, reference)[0] for picture in pictures]
    assert np.mean([p.label == s.label for p, s in zip(named, samples, strict=True)]) > 0.85
    assert {p.reference for p in named} == {7}


def test_smile_tells_a_smile_from_a_neutral_face() -> None:
    recogniser = Recogniser("smile")
    for name, label in (("S03.HA1.010.png", "happy"), ("S03.NE1.013.png", "neutral")):
        (face,) = recogniser.predict(read_image(embedded_root() / name))
        assert face.label == label


def test_the_label_has_the_highest_score() -> None:
    recogniser = Recogniser("faces-7")
    for path in sorted(embedded_root().glob("S0*.png"))[::40]:
        (face,) = recogniser.predict(read_image(path))
        assert face.scores[face.label] == max(face.scores.values())


def test_a_recogniser_of_another_package_is_found(monkeypatch) -> None:
    join(monkeypatch, mine="folder_of_another_package", smile="fails")
    assert find_model("mine") == find_model("smile") == folder_of_another_package()


def test_a_broken_package_is_named(monkeypatch) -> None:
    join(monkeypatch, mine="fails")
    with pytest.raises(InputError, match=r"'mine' of .*gone"):
        models()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"smiles: no such folder.*faces-7, smile"):
        find_model("smiles")


def test_models_are_listed_with_a_line_of_their_cards(capsys) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SHIPPED)
    assert all("expressions" in line or "happy" in line for line in lines)


def test_a_card_is_printed(capsys) -> None:
    assert main(["card", "smile"]) == 0
    assert capsys.readouterr().out == (find_model("smile") / "card.md").read_text()


def test_a_card_is_written(tmp_path: Path, capsys) -> None:
    out = tmp_path / "card.md"
    assert main(["card", "smile", "--out", str(out)]) == 0
    assert out.read_text() == (find_model("smile") / "card.md").read_text()
    assert capsys.readouterr().out == f"card: {out}\n"


def test_a_card_keeps_its_confusion_matrix(tmp_path: Path) -> None:
    card = read_card(find_model("smile"))
    assert card is not None
    write_card(tmp_path, replace(card, confusion=((5, 1), (0, 6))))
    again = read_card(tmp_path)
    assert again is not None
    assert again.confusion == ((5, 1), (0, 6))
    assert "| neutral | 5 | 1 |\n| happy | 0 | 6 |" in again.text()


def test_labels_of_a_card_are_shown_as_they_are_in_markdown() -> None:
    card = read_card(find_model("smile"))
    assert card is not None
    text = replace(card, labels=("a|b", "<i>*"), confusion=((5, 1), (0, 6))).text()
    assert r"Labels: a\|b, \<i>\*. " in text
    assert r"| a\|b | 5 | 1 |" in text


def test_a_folder_without_a_card_is_told(tmp_path: Path, capsys) -> None:
    assert main(["card", str(tmp_path)]) == 1
    assert "card.json: no such file; repeat the evaluate command" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"few": 3}, {"as_is": {}}, {"more": 1}, {"labels": None}])
def test_a_damaged_card_is_refused(tmp_path: Path, change: dict) -> None:
    content = json.loads((find_model("smile") / "card.json").read_text()) | change
    (tmp_path / "card.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"card\.json: damaged"):
        read_card(tmp_path)
