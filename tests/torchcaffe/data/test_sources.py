"""ImageData, WindowData, HDF5Data and MemoryData: bit for bit what genuine Caffe 1.0 puts out."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.data import batches, encoded
from i2cnn.util.errors import InputError
from tests.helpers.golden import GOLDEN, load_program

FOLDER = GOLDEN / "sources"


PROGRAM = load_program("sources")


def test_sources(folder: Path) -> None:
    found = PROGRAM.run(caffe)
    with np.load(FOLDER / "sources.npz") as file:
        assert set(found) == set(file)
        for name in file:
            np.testing.assert_array_equal(found[name], file[name], err_msg=name)


@pytest.mark.parametrize(
    "text",
    [
        PROGRAM.IMAGES % PROGRAM.CASES["all"],
        PROGRAM.HDF5.replace("batch", "shuffle: true batch"),
        PROGRAM.WINDOWS % PROGRAM.WINDOW_CASES["mirror"],
    ],
    ids=["images", "hdf5", "windows"],
)
def test_position_is_kept(text: str, folder: Path) -> None:
    PROGRAM.make_files()
    PROGRAM.make_windows(caffe)
    net = PROGRAM.net_of(caffe, text)
    for _ in range(2):
        net.forward()
    position, state = net._core.position(), runtime.rng.state()
    expected = []
    for _ in range(6):
        net.forward()
        expected.append(net.blobs["data"].data.copy())
    other = PROGRAM.net_of(caffe, text)
    other._core.restore_position(position)
    runtime.rng.restore(*state)
    for values in expected:
        other.forward()
        np.testing.assert_array_equal(other.blobs["data"].data, values)


def test_pictures_are_shuffled_by_numbers_that_boost_takes(folder: Path) -> None:
    PROGRAM.make_files()
    shuffled = PROGRAM.net_of(caffe, PROGRAM.IMAGES % ("", "shuffle: true")).layers[0].reader.maker
    shuffled.order = np.array(["a", "b", "c"])
    numbers = [2**32 - 1, 0, 2**31]  # the first is above 3 thirds of 2**32, rounded down
    shuffled.shuffler.draw = lambda n: np.array([numbers.pop(0) for _ in range(n)])
    shuffled._shuffle()
    assert shuffled.order.tolist() == ["c", "b", "a"]
    assert not numbers


def test_a_line_may_list_several_hdf5_files(folder: Path) -> None:
    PROGRAM.make_files()
    os.rename("two.h5", "number two.h5")
    for text in ("one.h5\nnumber two.h5\n", "one.h5 one.h5 \n number two.h5\n"):
        Path("files.txt").write_text(text)
        layer = PROGRAM.net_of(caffe, PROGRAM.HDF5).layers[0]
        assert layer.files == [*["one.h5"] * text.count("one"), "number two.h5"]


def test_rows_that_are_gone_are_missed_when_a_training_is_resumed(folder: Path) -> None:
    PROGRAM.make_files()
    net = PROGRAM.net_of(caffe, PROGRAM.HDF5)
    position = net._core.position()
    with h5py.File("one.h5", "a") as file:
        for name in ("data", "label", "other"):
            rows = file[name][:3]
            del file[name]
            file[name] = rows
    with pytest.raises(InputError, match=r"layer 'data': the rows of one\.h5 differ"):
        net._core.restore_position(position)


@pytest.mark.parametrize("batch", [4, 5])
def test_rows_of_other_files_take_the_first_ones_shape(batch: int, folder: Path) -> None:
    PROGRAM.make_files()
    net = PROGRAM.net_of(caffe, PROGRAM.HDF5.replace("batch_size: 5", f"batch_size: {batch}"))
    expected = {}
    with h5py.File("one.h5") as one, h5py.File("two.h5", "a") as two:
        for name, shape in (("data", (3, 3, 2)), ("label", (3, 1))):
            expected[name] = np.concatenate([one[name], two[name]]).astype(np.float32)
            rows = two[name][...].reshape(shape)
            del two[name]
            two[name] = rows
    for _ in range(2):
        net.forward()
    second = np.arange(batch, 2 * batch) % 7
    for name, rows in expected.items():
        np.testing.assert_array_equal(net.blobs[name].data, rows[second])


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.permutations([PROGRAM.IMAGES % ("", ""), PROGRAM.HDF5], 2))
)
def test_a_position_is_that_of_the_same_kind_of_layer(
    before: str, after: str, folder: Path
) -> None:
    PROGRAM.make_files()
    position = PROGRAM.net_of(caffe, before)._core.position()
    with pytest.raises(InputError, match=r"layer 'data': another kind .* delete the \.resume\.npz"):
        PROGRAM.net_of(caffe, after)._core.restore_position(position)


PICTURES = """layer { name: "data" type: "ImageData" top: "data" top: "label"
  transform_param { %s } image_data_param { source: "images.txt" batch_size: 1 } }"""


def two_pictures() -> list[np.ndarray]:
    """Pictures of two sizes, in files that images.txt lists."""
    pictures = [np.full((3, 4, 3), 1, np.uint8), np.full((5, 2, 3), 2, np.uint8)]
    for i, picture in enumerate(pictures):
        cv2.imwrite(f"{i}.png", picture)
    Path("images.txt").write_text("0.png 0\n1.png 1\n")
    return pictures


def test_batches_of_one_image_have_its_size(folder: Path) -> None:
    net = None
    for picture in two_pictures():
        net = net or PROGRAM.net_of(caffe, PICTURES % "")
        net.forward()
        np.testing.assert_array_equal(net.blobs["data"].data[0], picture.transpose(2, 0, 1))


def test_names_of_pictures_may_be_of_any_bytes_as_in_caffe(folder: Path) -> None:
    two_pictures()
    os.rename("0.png", b"gr\xfc\xdfe.png")
    Path("images.txt").write_bytes(b"gr\xfc\xdfe.png 7\n")
    assert PROGRAM.net_of(caffe, PICTURES % "").forward()["label"].tolist() == [7]


def test_a_picture_that_is_too_small_is_named(folder: Path) -> None:
    two_pictures()
    net = PROGRAM.net_of(caffe, PICTURES % "crop_size: 3")
    net.forward()
    with pytest.raises(InputError, match=r"layer 'data': crop_size 3 .* 5x2 image \(1.png\)"):
        net.forward()


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_pictures_of_a_batch_are_decoded_side_by_side_and_ahead(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_pictures()
    PROGRAM.make_windows(caffe)
    side_by_side, ahead = threading.Barrier(2), threading.Barrier(2)
    decode = encoded.decode_picture
    waits = iter([None, side_by_side, side_by_side, None, ahead])

    def waiting(data: bytes, flags: int) -> np.ndarray | None:
        barrier = next(waits, None)
        if barrier is not None:
            barrier.wait(timeout=60)
        return decode(data, flags)

    Path("images.txt").write_text("0.png 0\n")
    images, windows = (PICTURES % "").replace("size: 1", "size: 4"), WINDOWS.replace(": 6", ": 4")
    net = PROGRAM.net_of(caffe, images if kind == "images" else windows)
    monkeypatch.setattr(batches, "available_cores", lambda: 2)
    monkeypatch.setattr(encoded, "decode_picture", waiting)
    net.forward()
    ahead.wait(timeout=60)
    net._core.close()


def test_a_label_outside_the_classes_names_its_picture(folder: Path) -> None:
    PROGRAM.make_files()
    loss = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }'
    net = PROGRAM.net_of(caffe, PLAIN + loss)
    with pytest.raises(InputError, match=r"label 10 is outside .* \(a 1\.ppm of images\.txt\)"):
        net.forward()


def no_list() -> None:
    Path("images.txt").unlink()
    Path("files.txt").unlink()


def empty_list() -> None:
    Path("images.txt").write_text("\n")
    Path("files.txt").write_text("\n")


def bad_line() -> None:
    Path("images.txt").write_text("picture.png\n")


def huge_label() -> None:
    Path("images.txt").write_text(f"a 0.ppm {10**40}\n")


def no_picture() -> None:
    Path("images.txt").write_text("gone.png 3\n")


def no_hdf5() -> None:
    Path("files.txt").write_text("gone.h5\n")


def no_data_set() -> None:
    with h5py.File("one.h5", "a") as file:
        del file["other"]


def other_rows() -> None:
    with h5py.File("one.h5", "a") as file:
        del file["other"]
        file["other"] = np.zeros((9, 2))


def other_shape() -> None:
    with h5py.File("two.h5", "a") as file:
        del file["other"]
        file["other"] = np.zeros((3, 7))


def no_windows() -> None:
    Path("windows.txt").unlink()


def windows_of(text: str) -> Callable[[], None]:
    def spoil() -> None:
        Path("windows.txt").write_text(text)

    return spoil


def no_window_picture() -> None:
    Path("window1.ppm").write_text("no picture")
    Path("window2.ppm").unlink()


PLAIN = PROGRAM.IMAGES % ("", "")
WINDOWS = PROGRAM.WINDOWS % ("", "")
ROW = "# 0\nwindow0.ppm\n3 20 30\n2\n"


@pytest.mark.parametrize(
    ("text", "spoil", "message"),
    [
        (PLAIN, no_list, "the list 'images.txt' cannot be read"),
        (PLAIN, empty_list, "the list 'images.txt' is empty"),
        (PLAIN, bad_line, "line 'picture.png' is not a path and a label"),
        (PLAIN, huge_label, f"line 'a 0.ppm {10**40}' is not a path and a label"),
        (PLAIN, no_picture, "Could not open or find file pictures/gone.png"),
        (PROGRAM.IMAGES % ("crop_size: 20", ""), None, "crop_size 20 is larger than the 11x12"),
        (PROGRAM.IMAGES % ("", "new_width: 3"), None, "give both new_height and new_width"),
        (WINDOWS, no_windows, "the window file 'windows.txt' cannot be read"),
        (WINDOWS, windows_of("# 1 a 3 2 2 0"), "not as it should be around its image 0"),
        (WINDOWS, windows_of(ROW + "1 0.9 0 0 5"), "not as it should be around its image 1"),
        (WINDOWS, windows_of("# 0 a 3 20"), "not as it should be around its image 1"),
        (
            PROGRAM.WINDOWS % ("", "context_pad: 1"),
            windows_of(ROW + f"1 0.9 0 0 5 5 0 0.1 0 0 5 {10**400}"),
            "not as it should be around its image 1",
        ),
        (WINDOWS, windows_of(ROW + "0 0.9 0 0 5 5"), "has class 0, not above 0"),
        (WINDOWS, windows_of("# 0 a 1 20 30 0"), "is to have 1 channels"),
        (WINDOWS, windows_of("# 0 a 3 20 30 0"), "has no foreground window"),
        (
            WINDOWS,
            windows_of(ROW + "1 0.9 0 0 5 5 0 0.1 25 1 30 5"),
            r"the window \(25, 1, 30, 5\) of window0.ppm is not in its image of 20x30",
        ),
        (WINDOWS, no_window_picture, "Could not open or find file window[12].ppm"),
        (PROGRAM.WINDOWS % ("", "context_pad: 5"), None, "context_pad 5 leaves nothing of crop_si"),
        (WINDOWS.replace("crop_size: 9", ""), None, "crop_size must be at least 1"),
        (
            WINDOWS.replace("size: 9", "size: 13 mean_file: 'mean.binaryproto'"),
            None,
            "is a mean of",
        ),
        (PROGRAM.HDF5, no_list, "the list 'files.txt' cannot be read"),
        (PROGRAM.HDF5, no_hdf5, "gone.h5 cannot be read"),
        (PROGRAM.HDF5, no_data_set, "one.h5 has no data set 'other'"),
        (PROGRAM.HDF5, other_rows, "one.h5 differ in their number of rows"),
        (PROGRAM.HDF5, other_shape, "two.h5 have another size than"),
        (PROGRAM.MEMORY, None, "no data yet; call set_input_arrays"),
        (PROGRAM.MEMORY.replace("batch_size: 2", ""), None, "must be given"),
    ],
)
def test_what_is_refused(
    text: str, spoil: Callable[[], None] | None, message: str, folder: Path
) -> None:
    PROGRAM.make_files()
    PROGRAM.make_windows(caffe)
    if spoil is not None:
        spoil()
    with pytest.raises(InputError, match=f"layer 'data': .*{message}"):
        PROGRAM.net_of(caffe, text).forward()


def test_memory_data_transforms_nothing_but_takes_a_seed(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    fc = PLAIN.partition("\n")[2].partition("} }\n")[2]
    weights = []
    for transform in ("", "transform_param { mirror: true scale: 3 }"):
        text = PROGRAM.MEMORY.replace("memory_data_param", f"{transform} memory_data_param") + fc
        net = PROGRAM.net_of(caffe, text)
        weights.append(net.params["fc"][0].data.ravel())
        net.set_input_arrays(np.ones((2, 3, 4, 5), np.float32), np.zeros(2, np.float32))
        assert (net.forward()["label"] == 0).all()
        assert (net.blobs["data"].data == 1).all()
    np.testing.assert_array_equal(weights[1][:-1], weights[0][1:])  # one draw later
    assert capfd.readouterr().err.count("MemoryData does not transform array data") == 1


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        ((4, 3, 4), 4, r"must be \(N, C, H, W\)"),
        ((4, 3, 4, 6), 4, r"must be \(N, C, H, W\) of \(3, 4, 5\)"),
        ((4, 3, 4, 5), 3, "same first dimension"),
        ((3, 3, 4, 5), 3, "multiple of batch size 2"),
        ((0, 3, 4, 5), 0, "multiple of batch size 2"),
    ],
)
def test_bad_input_arrays(data: tuple[int, ...], labels: int, message: str, folder: Path) -> None:
    net = PROGRAM.net_of(caffe, PROGRAM.MEMORY)
    with pytest.raises(InputError, match=message):
        net.set_input_arrays(np.zeros(data, np.float32), np.zeros(labels, np.float32))


def test_input_arrays_need_memory_data(folder: Path) -> None:
    PROGRAM.make_files()
    net = PROGRAM.net_of(caffe, PROGRAM.HDF5)
    with pytest.raises(InputError, match="first layer is MemoryData"):
        net.set_input_arrays(np.zeros((2, 3, 4, 5)), np.zeros(2))
