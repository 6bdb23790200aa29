"""From patches to net inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.network.transform import Transform
from i2cnn.torchcaffe.formats.storage import write_mean
from i2cnn.util.errors import InputError

DATA_LAYER = """
layer {{
  name: "data" type: "Data" top: "data" top: "label" include {{ phase: {phase} }}
  transform_param {{ crop_size: {crop} mean_file: "mean.binaryproto" scale: 0.5 }}
  data_param {{ source: "db" batch_size: 1 backend: LMDB }}
}}
"""


@pytest.fixture
def transform() -> Transform:
    mean = np.arange(3 * 8 * 8, dtype=np.float32).reshape(3, 8, 8)
    return Transform(mean, 4, 0.5)


def test_gray_patches_become_three_planes(transform: Transform) -> None:
    patches = np.random.RandomState(0).randint(0, 256, (2, 8, 8)).astype(np.uint8)
    inputs = transform(patches)
    assert inputs.shape == (2, 3, 4, 4)
    assert inputs.dtype == np.float32
    expected = (patches[:, None, 2:6, 2:6] - transform.mean[:, 2:6, 2:6]) * 0.5
    np.testing.assert_allclose(inputs, expected)


def test_colour_patches_keep_their_planes(transform: Transform) -> None:
    patches = np.random.RandomState(0).randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    expected = (patches[:, 2:6, 2:6].transpose(0, 3, 1, 2) - transform.mean[:, 2:6, 2:6]) * 0.5
    np.testing.assert_allclose(transform(patches), expected)


def test_patches_of_another_size_than_the_mean_are_refused(transform: Transform) -> None:
    with pytest.raises(InputError, match=r"mean image is \(8, 8\), patches are 9 wide"):
        transform(np.zeros((1, 9, 9), np.uint8))


def test_a_training_folder_has_the_transform_of_phase_test(tmp_path: Path) -> None:
    layers = [DATA_LAYER.format(phase=p, crop=c) for p, c in (("TRAIN", 3), ("TEST", 5))]
    (tmp_path / "train_val.prototxt").write_text("\n".join(layers))
    mean = np.random.RandomState(0).rand(3, 8, 8).astype(np.float32)
    write_mean(tmp_path / "mean.binaryproto", mean)
    found = Transform.from_training_folder(tmp_path)
    np.testing.assert_array_equal(found.mean, mean)
    assert (found.crop, found.scale) == (5, 0.5)


def test_a_training_folder_without_a_test_phase_is_named(tmp_path: Path) -> None:
    (tmp_path / "train_val.prototxt").write_text(DATA_LAYER.format(phase="TRAIN", crop=3))
    with pytest.raises(InputError, match=r"train_val\.prototxt: no Data layer for phase TEST"):
        Transform.from_training_folder(tmp_path)


def test_what_is_loaded_is_what_was_saved(transform: Transform, tmp_path: Path) -> None:
    transform.save(tmp_path / "transform.npz")
    loaded = Transform.load(tmp_path / "transform.npz")
    np.testing.assert_array_equal(loaded.mean, transform.mean)
    assert (loaded.crop, loaded.scale) == (4, 0.5)
    assert loaded.digest == transform.digest


@pytest.mark.parametrize(
    "change",
    [
        {"mean": np.zeros((8, 8), np.float32)},
        {"mean": np.zeros((3, 8, 8))},
        {"mean": np.full((3, 8, 8), np.nan, np.float32)},
        {"crop": 9},
        {"crop": 0},
        {"crop": np.array([4, 4])},
        {"scale": np.nan},
        {"scale": np.array(["x"])},
    ],
)
def test_a_damaged_transform_is_named(
    change: dict[str, object], transform: Transform, tmp_path: Path
) -> None:
    values = {"mean": transform.mean, "crop": 4, "scale": 0.5}
    np.savez(tmp_path / "t.npz", **(values | change))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"t\.npz: damaged"):
        Transform.load(tmp_path / "t.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_file_that_is_no_transform_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"t\.npz: damaged"):
        Transform.load(tmp_path / "t.npz")


def test_a_transform_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    mean = np.zeros((3, 2400, 2400), np.float32)
    np.savez_compressed(tmp_path / "t.npz", mean=mean, crop=4, scale=1.0)
    with pytest.raises(InputError, match=r"t\.npz: [0-9.]+ MB of arrays, more than the"):
        Transform.load(tmp_path / "t.npz")


def test_a_missing_transform_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.npz: no such file"):
        Transform.load(tmp_path / "t.npz")


def test_a_digest_depends_on_mean_crop_and_scale(transform: Transform) -> None:
    others = [
        Transform(transform.mean + 1, 4, 0.5),
        Transform(transform.mean, 5, 0.5),
        Transform(transform.mean, 4, 1.0),
    ]
    assert len({t.digest for t in (transform, *others)}) == 4
