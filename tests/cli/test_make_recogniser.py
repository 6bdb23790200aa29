"""tools/make_recogniser.py: what a card measures, on features that need no pictures."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from i2cnn.models.card import Card, read_card
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.errors import InputError
from i2cnn.util.files import write_json

TOOL = Path(__file__).parents[2] / "tools" / "make_recogniser.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_recogniser", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def card(tool: ModuleType) -> Card:
    """The card of a recogniser of ten made-up people, whose identity hides three expressions."""
    rng = np.random.default_rng(0)
    people, classes = np.repeat(np.arange(10), 6), np.tile(np.arange(3), 20)
    features = 4 * rng.normal(size=(10, 2, 6))[people] + 2 * rng.normal(size=(3, 2, 6))[classes]
    features += 0.3 * rng.normal(size=features.shape)
    pictures = tool.Pictures(
        ("neutral", "happy", "sadness"),
        features.astype(np.float32),
        classes,
        np.array([f"set/p{p}" for p in people]),
        tuple(f"set/{i}.png" for i in range(60)),
        ({"folder": "set", "pictures": 60, "people": 10, "licence": "CC0"},),
    )
    fit = tool.fit_population(pictures.features, FittedFaces(pictures.classes, pictures.people))
    release = tool.RELEASES["faces-7"]
    return tool.make_card("mine", release, fit, tool.Evaluation(pictures))


def test_a_reference_helps_where_identity_hides_expressions(card: Card) -> None:
    assert card.reference.accuracy > card.as_is.accuracy + 0.1
    assert card.reference.accuracy > 0.95


def test_the_curve_has_what_people_have_pictures_for(card: Card) -> None:
    assert list(card.few) == [2, 3, 5]
    assert list(card.one_sided) == [1, 2]


def test_a_card_is_read_as_it_was_written(card: Card, tmp_path: Path) -> None:
    write_json(tmp_path / "card.json", card.to_json())
    assert read_card(tmp_path) == card
    assert "| reference of 3 pictures |" in card.text()
    assert [sum(row) for row in card.confusion] == [20, 20, 20]
    assert card.with_few(4) == card.few[3]
    assert card.with_few(1) is None
    assert 0 < card.calibration["reference"] < 0.2
    assert "Its scores are probabilities, calibrated on left-out people" in card.text()


def test_a_card_of_before_there_was_a_calibration_is_read(card: Card, tmp_path: Path) -> None:
    old = {name: value for name, value in card.to_json().items() if name != "calibration"}
    write_json(tmp_path / "card.json", old)
    assert "they are no probabilities" in read_card(tmp_path).text()


@pytest.mark.parametrize("errors", [{"as_is": 0.1}, {"as_is": "x", "reference": 0.1}, 3])
def test_a_damaged_card_is_refused(card: Card, tmp_path: Path, errors: object) -> None:
    write_json(tmp_path / "card.json", card.to_json() | {"calibration": errors})
    with pytest.raises(InputError, match=r"card.json: damaged"):
        read_card(tmp_path)


def test_coordinates_have_the_inner_products_of_centred_features(tool: ModuleType) -> None:
    features = np.random.default_rng(0).normal(size=(7, 3, 5)).astype(np.float32)
    centred = (features - features.mean(axis=0)).reshape(7, -1)
    rows = tool.coordinates(features)[:, 0]
    np.testing.assert_allclose(rows @ rows.T, centred @ centred.T, atol=1e-4)


def test_pictures_without_a_licence_are_refused(tool: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the card needs a licence"):
        tool.licence_of(tmp_path)
    (tmp_path / "LICENSE.txt").write_text("One\nline.\n\nTwo.\n\nThree.")
    assert tool.licence_of(tmp_path) == "One line. Two."


def test_folders_of_one_name_are_refused(tool: ModuleType) -> None:
    with pytest.raises(InputError, match="two folders of one name"):
        tool.read_pictures([Path("a/faces"), Path("b/faces")])
