"""Features of faces in a file that grows, on a net that only counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.table import Face
from i2cnn.network.features import (
    FeatureExtractor,
    extract_features,
    load_features,
    remove_features,
)
from i2cnn.network.transform import Transform
from i2cnn.patches.extract import face_patches
from i2cnn.patches.schemes import DEEPID, TIGHT, PatchSet
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.helpers.faces import some_faces

CHOSEN = PatchSet(DEEPID, (0, 2))
TRANSFORM = Transform(np.zeros((3, 256, 256), np.float32), 8, 1.0)


class Net:
    """Counts its calls; fc7 is the mean of each input."""

    def __init__(self) -> None:
        self.blobs = {
            "data": SimpleNamespace(shape=(2, 3, 8, 8)),
            "fc7": SimpleNamespace(shape=(2, 1)),
        }
        self.calls = 0
        self.fails = False

    def forward(self, *, data: np.ndarray) -> None:
        if self.fails:
            raise KeyboardInterrupt
        self.calls += 1
        self.blobs["fc7"].data = data.mean(axis=(1, 2, 3))[:, None]


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.fixture
def faces() -> list[Face]:
    return some_faces(2)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "features.npy"


def features(
    net: Net, faces: list[Face], out: Path, chosen: PatchSet = CHOSEN, **options: object
) -> np.ndarray:
    values = {"transform": TRANSFORM, "fingerprint": "net"} | options
    extractor = FeatureExtractor(net, **values)  # type: ignore[arg-type]
    return extract_features(extractor, faces, embedded_root(), out, chosen)


def test_a_row_holds_the_features_of_a_faces_patches(
    net: Net, faces: list[Face], out: Path
) -> None:
    found = features(net, faces, out)
    assert found.shape == (2, 2, 1)
    image = read_image(embedded_root() / faces[1].image)
    patches = face_patches(image, faces[1].points, CHOSEN)
    np.testing.assert_allclose(found[1, :, 0], patches[:, 124:132, 124:132].mean(axis=(1, 2)))


def test_finished_features_are_not_made_again(net: Net, faces: list[Face], out: Path) -> None:
    features(net, faces, out)
    features(net, faces, out)
    assert net.calls == 2


@pytest.mark.parametrize(
    "change",
    [
        {"chosen": PatchSet(DEEPID, (0, 3))},
        {"chosen": PatchSet(TIGHT, (0, 2))},
        {"transform": replace(TRANSFORM, scale=0.5)},
        {"fingerprint": "another net"},
    ],
    ids=["patches", "scheme", "transform", "weights"],
)
def test_features_of_something_else_are_made_again(
    change: dict[str, object], net: Net, faces: list[Face], out: Path
) -> None:
    features(net, faces, out)
    features(net, faces, out, **change)  # type: ignore[arg-type]
    assert net.calls == 4


def test_features_of_other_landmarks_are_made_again(net: Net, faces: list[Face], out: Path) -> None:
    features(net, faces, out)
    features(net, [replace(faces[0], points=faces[0].points + 1), faces[1]], out)
    assert net.calls == 4


def test_stopped_features_are_not_taken_for_whole_ones(
    net: Net, faces: list[Face], out: Path
) -> None:
    features(net, faces, out, fingerprint="earlier net")
    net.fails = True
    with pytest.raises(KeyboardInterrupt):
        features(net, faces, out)
    with pytest.raises(InputError, match="holds 0 of 2 faces"):
        load_features(out, faces)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def of_another_shape(path: Path) -> None:
    np.save(path, np.zeros((2, 3), np.float32))


def test_stopped_features_are_resumed(net: Net, out: Path) -> None:
    faces = some_faces(20)

    def stop(done: int, total: int) -> None:
        if done == 18:
            raise KeyboardInterrupt

    extractor = FeatureExtractor(net, TRANSFORM)
    with pytest.raises(KeyboardInterrupt):
        extract_features(extractor, faces, embedded_root(), out, CHOSEN, stop)
    # The last checkpoint was after 16 faces.
    extract_features(extractor, faces, embedded_root(), out, CHOSEN)
    assert net.calls == 18 + 4


@pytest.mark.parametrize("damage", [cut_off, of_another_shape])
def test_damaged_features_are_not_continued(
    damage: Callable[[Path], object], net: Net, faces: list[Face], out: Path
) -> None:
    features(net, faces, out)
    damage(out)
    with pytest.raises(InputError, match=r"features\.npy: damaged .*; delete it to start over"):
        features(net, faces, out)


def test_two_processes_do_not_make_one_file(net: Net, faces: list[Face], out: Path) -> None:
    def start_another(done: int, total: int) -> None:
        with pytest.raises(InputError, match=r"features\.npy: another process is writing it"):
            features(Net(), faces, out, fingerprint="another net")

    extractor = FeatureExtractor(net, TRANSFORM)
    found = extract_features(extractor, faces, embedded_root(), out, CHOSEN, start_another)
    np.testing.assert_array_equal(found, features(Net(), faces, out.with_name("alone.npy")))


def test_an_image_that_cannot_be_used_is_named(net: Net, faces: list[Face], out: Path) -> None:
    far = replace(faces[1], points=faces[1].points + 1000)
    with pytest.raises(InputError, match=f"{faces[1].image}: the middle of its landmarks"):
        features(net, [faces[0], far], out)


def test_features_of_other_faces_are_refused(net: Net, faces: list[Face], out: Path) -> None:
    features(net, faces, out)
    with pytest.raises(InputError, match="its 2 faces are not the 2 given"):
        load_features(out, faces[::-1])


def test_features_from_elsewhere_need_no_progress_file(faces: list[Face], out: Path) -> None:
    np.save(out, np.zeros((2, 3, 4), np.float32))
    assert load_features(out, faces).shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; `i2cnn features` writes it"),
        (b"x", "damaged, or not a .npy file"),
        (b"image,subject,label", "damaged, or not a .npy file .the magic string"),
        (b"PK\x03\x04 an archive", "damaged, or not a .npy file .the magic string"),
        (b"\x93NUMPY\x01\0\x01\0(", "damaged, or not a .npy file"),
    ],
)
def test_an_unusable_file_is_named(content: bytes | None, message: str, out: Path) -> None:
    if content is not None:
        out.write_bytes(content)
    with pytest.raises(InputError, match=f"features.npy: {message}"):
        load_features(out)


def test_an_array_of_another_shape_is_refused(out: Path) -> None:
    np.save(out, np.zeros((2, 4), np.float32))
    message = r"features are numbers \(faces, patches, dim\), this is float32 \(2, 4\)"
    with pytest.raises(InputError, match=message):
        load_features(out)


def test_removed_features_leave_nothing(net: Net, faces: list[Face], out: Path) -> None:
    features(net, faces, out)
    assert json.loads((out.parent / "features.npy.progress.json").read_text())["done"] == 2
    remove_features(out)
    assert list(out.parent.iterdir()) == []
