"""What is taken as a picture in Python, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2cnn.util.errors import InputError
from i2cnn.util.images import as_picture, write_image

COLOUR = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
GRAY = COLOUR[:, :, 0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_image(tmp_path / "a.png", COLOUR)
    return tmp_path / "a.png"


def test_files_pil_images_and_arrays_are_one_picture(path: Path) -> None:
    for given in (path, str(path), Image.open(path), Image.fromarray(COLOUR[:, :, ::-1]), COLOUR):
        np.testing.assert_array_equal(as_picture(given), COLOUR)


def test_gray_pictures_may_have_one_channel() -> None:
    for given in (GRAY, GRAY[:, :, None], Image.fromarray(GRAY)):
        np.testing.assert_array_equal(as_picture(given), GRAY)


@pytest.mark.parametrize("suffix", ["pgm", "png", "tiff"])
def test_a_pil_image_of_sixteen_bits_is_that_of_its_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"wide.{suffix}"
    Image.fromarray(GRAY.astype(np.uint16) * 257).save(path)
    np.testing.assert_array_equal(as_picture(Image.open(path)), GRAY)
    np.testing.assert_array_equal(as_picture(path), GRAY)


def test_a_pil_image_is_turned_by_its_exif_and_stays_as_it_is() -> None:
    turned = Image.fromarray(GRAY)
    turned.getexif()[0x0112] = 6
    assert as_picture(turned).shape == GRAY.shape[::-1]
    assert turned.size == GRAY.shape[::-1]


class OfPostScript(Image.Image):
    """A PIL image that would start Ghostscript."""

    format = "EPS"

    def load(self) -> None:
        raise AssertionError("loaded")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "a picture cannot be a NoneType; cv2.imread returns None"),
        ([GRAY, GRAY], "cannot be a list; give the pictures of a batch one by one"),
        (b"\x89PNG", "cannot be a bytes; give a path, a PIL image, or an array"),
        (3.5, "cannot be a float; give a path"),
        (np.stack([COLOUR] * 2), r"\(2, 8, 6, 3\) of uint8 is a batch; give its pictures one by"),
        (COLOUR / 255, "of float64 does not say how bright its values are; scale them to 0 to 255"),
        (GRAY.astype(np.uint16), "of uint16 does not say how bright"),
        (GRAY > 3, "of bool does not say how bright"),
        (np.dstack([COLOUR, GRAY]), r"\(8, 6, 4\) of uint8 has an alpha channel"),
        (COLOUR.transpose(2, 0, 1), r"\(3, 8, 6\) of uint8 has its channels first"),
        (COLOUR[:, :, :2], r"\(8, 6, 2\) of uint8 is no picture"),
        (GRAY[0], r"\(6,\) of uint8 is no picture"),
        (GRAY[:0], r"\(0, 6\) of uint8 is empty"),
        (np.array("photo.jpg"), "is no picture"),
        (np.broadcast_to(np.uint8(0), (10_000, 10_000)), "10000x10000 is above the limit of 64"),
        (Image.new("L", (9000, 9000)), "9000x9000 is above the limit of 64 megapixels"),
        (Image.fromarray(np.full((4, 4), 300.5, np.float32)), "PIL image: floating-point values"),
        (OfPostScript(), "a PIL image of the format EPS is not decoded"),
    ],
)
def test_the_rest_is_refused_in_one_line(given: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        as_picture(given)
    assert "\n" not in str(caught.value)


def test_a_damaged_pil_image_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])
    with Image.open(path) as picture, pytest.raises(InputError, match="PIL image: cannot be read"):
        as_picture(picture)
