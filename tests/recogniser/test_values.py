"""Recognisers whose files have the right digests and impossible values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.models import find_model
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest
from i2cnn.util.images import read_image
from tests.helpers.small_runs import copy_of

Arrays = dict[str, np.ndarray]
PICTURE = sorted(embedded_root().glob("*.png"))[0]


@pytest.fixture
def smile(tmp_path: Path) -> Path:
    return copy_of(find_model("smile"), tmp_path / "smile")


@pytest.fixture
def network(run: Path, tmp_path: Path) -> Path:
    return copy_of(run / "recogniser", tmp_path / "network")


def sign(folder: Path, name: str) -> None:
    """Let recogniser.json have the digest of a file that was changed."""
    about = json.loads((folder / "recogniser.json").read_text())
    about["files"][name] = file_digest(folder / name)
    (folder / "recogniser.json").write_text(json.dumps(about))


def change(folder: Path, name: str, array: str, spoil: Callable[[np.ndarray], object]) -> None:
    """Change one array of an .npz file."""
    with np.load(folder / name) as file:
        arrays = dict(file)
    arrays[array] = np.asarray(spoil(arrays[array]))
    np.savez(folder / name, **arrays)
    sign(folder, name)


def answer(folder: Path) -> None:
    Recogniser(folder, device="cpu").predict(read_image(PICTURE))


def first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """A change of an array's first number."""

    def spoil(array: np.ndarray) -> np.ndarray:
        array.flat[0] = value
        return array

    return spoil


@pytest.mark.parametrize("name", ["svm.npz", "reference.npz"])
@pytest.mark.parametrize(
    ("array", "spoil", "message"),
    [
        ("weights", first(np.nan), "weights that are not finite"),
        ("weights", lambda a: a.astype(str), "numbers of other types"),
        ("weights", lambda a: a.astype(complex), "numbers of other types"),
        ("scales", first(np.inf), "weights that are not finite"),
        ("scales", lambda a: a[:, None], "not one weight vector per pair"),
        ("intercepts", first(-np.inf), "weights that are not finite"),
        ("intercepts", lambda a: a.astype("datetime64[s]"), "numbers of other types"),
        ("pairs", lambda a: a.astype(float), "numbers of other types"),
        ("pairs", lambda a: a.astype("S3"), "numbers of other types"),
        ("pairs", lambda a: a * 0, "pairs that are not of two classes"),
        ("pairs", lambda a: -a, "pairs that are not of two classes"),
        ("slope", first(np.nan), "a slope of nan"),
        ("slope", first(0), "a slope of 0.0"),
        ("slope", lambda a: a.repeat(2), "damaged|only"),
        ("slope", lambda a: "steep", "could not convert"),
    ],
)
def test_an_svm_of_odd_values_is_refused(
    smile: Path, name: str, array: str, spoil: Callable[[np.ndarray], object], message: str
) -> None:
    change(smile, name, f"svm_{array}" if name == "reference.npz" else array, spoil)
    with pytest.raises(InputError, match=f"smile/{name}: .*({message})"):
        Recogniser(smile)


@pytest.mark.parametrize(
    ("array", "spoil"),
    [
        ("mean", first(np.nan)),
        ("mean", lambda a: a.astype("datetime64[s]")),
        ("values", first(np.inf)),
        ("values", first(0)),
        ("values", lambda a: a[:2]),
        ("values", lambda a: a.astype(str)),
        ("effects", lambda a: a[None]),
    ],
)
def test_a_population_of_odd_values_is_refused(
    smile: Path, array: str, spoil: Callable[[np.ndarray], object]
) -> None:
    change(smile, "reference.npz", array, spoil)
    with pytest.raises(InputError, match=r"smile/reference.npz: damaged"):
        Recogniser(smile)


def test_weights_that_overflow_give_no_answer(smile: Path) -> None:
    change(smile, "svm.npz", "scales", lambda a: a * 0 + 3e38)
    with pytest.raises(InputError, match="smile: its weights give values that are not finite"):
        answer(smile)


@pytest.mark.parametrize(("layer", "value"), [(0, np.nan), (-1, np.nan), (0, np.inf)])
def test_a_network_of_odd_values_is_refused(network: Path, layer: int, value: float) -> None:
    files = [str(network / name) for name in ("deploy.prototxt", "net.caffemodel")]
    net = caffe.Net(files[0], caffe.TEST, weights=files[1])
    list(net.params.values())[layer][0].data.flat[0] = value
    net.save(files[1])
    sign(network, "net.caffemodel")
    with pytest.raises(InputError, match=r"net.caffemodel: weights that are not finite"):
        answer(network)


def test_a_network_that_overflows_gives_no_answer(network: Path) -> None:
    files = [str(network / name) for name in ("deploy.prototxt", "net.caffemodel")]
    net = caffe.Net(files[0], caffe.TEST, weights=files[1])
    for blobs in net.params.values():
        blobs[0].data[...] = 3e38
    net.save(files[1])
    sign(network, "net.caffemodel")
    with pytest.raises(InputError, match="network: its weights give values that are not finite"):
        answer(network)


def test_a_layer_that_the_weights_do_not_name_is_refused(network: Path) -> None:
    path = network / "deploy.prototxt"
    path.write_text(path.read_text().replace('name: "conv2"', 'name: "other"'))
    sign(network, "deploy.prototxt")
    with pytest.raises(InputError, match=r"no weights for the layers other of deploy.prototxt"):
        answer(network)
