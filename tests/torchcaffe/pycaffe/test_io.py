"""caffe.io against what genuine Caffe's gave (tests/golden/io)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2cnn.torchcaffe.proto import BlobProto, Datum
from i2cnn.torchcaffe.pycaffe import io
from i2cnn.util.errors import InputError

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "io" / "io.npz", allow_pickle=False)
SMOOTH, IMAGE = GOLDEN["smooth"], GOLDEN["load_rgb"]


def assert_recorded(ours: np.ndarray, name: str, scale: float = 1) -> None:
    """Equal to a recorded array up to float32 rounding inside scikit-image's resize."""
    assert ours.dtype == np.float32
    assert ours.shape == GOLDEN[name].shape
    np.testing.assert_allclose(ours, GOLDEN[name], rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("name", ["rgb", "gray", "rgba"])
def test_load_image(tmp_path, name):
    picture = GOLDEN["picture"]
    if name == "gray":
        picture = picture[:, :, 0]
    if name == "rgba":
        picture = np.dstack([picture, picture[:, :, 0]])
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)
    assert_recorded(io.load_image(path), f"load_{name}")
    assert_recorded(io.load_image(path, color=False), f"load_{name}_gray")


def test_gray_pictures_with_alpha_and_moving_ones(tmp_path):
    picture = GOLDEN["picture"]
    files = {name: tmp_path / name for name in ("gray.png", "rgba.png", "moving.gif", "first.gif")}
    Image.fromarray(picture[:, :, :2], "LA").save(files["gray.png"])
    Image.fromarray(picture[:, :, [0, 0, 0, 1]]).save(files["rgba.png"])
    frames = [Image.fromarray(picture).quantize(16), Image.fromarray(255 - picture).quantize(16)]
    frames[0].save(files["moving.gif"], save_all=True, append_images=frames[1:])
    frames[0].save(files["first.gif"])
    for color in (True, False):
        for name, other in (("gray.png", "rgba.png"), ("moving.gif", "first.gif")):
            image = io.load_image(files[name], color)
            assert image.shape == (9, 12, 3 if color else 1)
            np.testing.assert_array_equal(image, io.load_image(files[other], color))


def test_load_image_of_what_is_none(tmp_path):
    path = tmp_path / "picture.png"
    with pytest.raises(InputError, match=r"File not found: .*picture\.png"):
        io.load_image(path)
    for content in (b"", b"not an image", b"\x89PNG\r\n\x1a\n broken"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"picture\.png: not an image"):
            io.load_image(path)


def test_resize_image():
    assert_recorded(io.resize_image(IMAGE, (20, 17)), "larger")
    assert_recorded(io.resize_image(SMOOTH, (13, 11)), "smaller")
    assert_recorded(io.resize_image(np.dstack([SMOOTH, SMOOTH[:, :, :2]]), (50, 45)), "five")
    assert_recorded(io.resize_image(np.full((4, 4, 3), 0.25), (7, 5)), "constant")


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.bool_, ">f4"])
def test_numbers_of_any_type_are_resized(dtype):
    image = (np.random.RandomState(0).randint(-100, 100, (6, 5, 3)) * 300).astype(dtype)
    expected = io.resize_image(image.astype(np.float64), (4, 4))
    np.testing.assert_allclose(io.resize_image(image, (4, 4)), expected, rtol=1e-5, atol=1e-2)


def test_oversample():
    assert_recorded(io.oversample([IMAGE, IMAGE[::-1]], (4, 7)), "oversample")
    with pytest.raises(ValueError, match="do not fit"):
        io.oversample([IMAGE], (10, 7))


def test_transformer_with_every_step():
    transformer = io.Transformer({"data": (10, 3, 20, 17)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 255)
    transformer.set_mean("data", np.array([104.0, 117.0, 123.0]))
    transformer.set_input_scale("data", 0.5)
    image = IMAGE.copy()
    assert_recorded(transformer.preprocess("data", image), "full", scale=255)
    np.testing.assert_array_equal(image, IMAGE)
    assert_recorded(transformer.deprocess("data", GOLDEN["full"]), "full_back")


def test_transformer_with_a_mean_image():
    transformer = io.Transformer({"data": (1, 3, 9, 12)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", GOLDEN["image_mean_mean"])
    assert_recorded(transformer.preprocess("data", IMAGE), "image_mean")
    resized = io.Transformer({"data": (1, 3, 20, 17)})
    resized.set_mean("data", SMOOTH.transpose(2, 0, 1))
    assert_recorded(resized.mean["data"], "resized_mean")


def test_transformer_refuses_what_does_not_fit():
    transformer = io.Transformer({"data": (1, 3, 9, 12)})
    with pytest.raises(ValueError, match="label is not one of the net inputs"):
        transformer.preprocess("label", IMAGE)
    with pytest.raises(ValueError, match="order of the axes"):
        transformer.set_transpose("data", (1, 0))
    with pytest.raises(ValueError, match="order of the channels"):
        transformer.set_channel_swap("data", (1, 0))
    with pytest.raises(ValueError, match="mean of 2 channels for an input of 3"):
        transformer.set_mean("data", np.zeros(2))
    with pytest.raises(ValueError, match="one, two or three"):
        transformer.set_mean("data", np.zeros((1, 3, 9, 12)))


def test_messages_are_byte_for_byte_those_of_pycaffe():
    datum = io.array_to_datum(GOLDEN["picture"].transpose(2, 0, 1), 5)
    assert datum.SerializeToString() == GOLDEN["datum"].tobytes()
    floats = io.array_to_datum(SMOOTH[:3, :4].transpose(2, 0, 1))
    assert floats.SerializeToString() == GOLDEN["float_datum"].tobytes()
    blob = io.array_to_blobproto(SMOOTH[:2], SMOOTH[2:4])
    assert blob.SerializeToString() == GOLDEN["blob"].tobytes()
    vector = io.arraylist_to_blobprotovector_str([SMOOTH[0], SMOOTH[:1, :1]])
    assert vector == GOLDEN["vector"].tobytes()


def test_messages_back_to_arrays():
    datum = Datum.FromString(GOLDEN["datum"].tobytes())
    assert datum.label == 5
    np.testing.assert_array_equal(
        io.datum_to_array(datum), GOLDEN["picture"].transpose(2, 0, 1), strict=True
    )
    floats = io.datum_to_array(Datum.FromString(GOLDEN["float_datum"].tobytes()))
    np.testing.assert_array_equal(floats, SMOOTH[:3, :4].transpose(2, 0, 1))
    blob = BlobProto.FromString(GOLDEN["blob"].tobytes())
    arrays = io.blobprotovector_str_to_arraylist(GOLDEN["vector"].tobytes())
    for found, expected in (  # genuine pycaffe's are float64
        (io.blobproto_to_array(blob), SMOOTH[:2]),
        (io.blobproto_to_array(blob, True), SMOOTH[2:4]),
        (arrays[0], SMOOTH[0]),
        (arrays[1], SMOOTH[:1, :1]),
    ):
        np.testing.assert_array_equal(found, expected.astype(np.float64), strict=True)


def test_datums_that_hold_no_array():
    with pytest.raises(ValueError, match="three dimensions"):
        io.array_to_datum(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="encoded image"):
        io.datum_to_array(Datum(data=b"x", encoded=True))
    with pytest.raises(ValueError, match="reshape"):
        io.datum_to_array(Datum(channels=1, height=2, width=2, data=b"abc"))


def test_pycaffe_has_it_by_its_name():
    from i2cnn.torchcaffe import pycaffe as caffe

    assert caffe.io is io
