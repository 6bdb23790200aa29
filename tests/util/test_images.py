"""Pictures as people have them."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from i2cnn.util.errors import InputError
from i2cnn.util.images import as_bgr, as_gray, read_image, write_image

RAMP = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))


def save(path: Path, picture: Image.Image, **options) -> Path:
    picture.save(path, **options)
    return path


def test_gray_and_colour(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_image(save(tmp_path / "g.png", Image.fromarray(RAMP))), RAMP)
    colour = np.dstack([RAMP, RAMP // 2, RAMP // 4])
    found = read_image(save(tmp_path / "c.png", Image.fromarray(colour)))
    np.testing.assert_array_equal(found, colour[:, :, ::-1])
    assert as_gray(found).shape == (48, 64)
    assert as_bgr(RAMP).shape == (48, 64, 3)


def test_gray_palette_tiff_is_gray(tmp_path: Path) -> None:
    palette = Image.fromarray(RAMP).convert("P")
    np.testing.assert_array_equal(read_image(save(tmp_path / "p.tiff", palette)), RAMP)


def test_sixteen_bits_keep_the_upper_byte(tmp_path: Path) -> None:
    wide = Image.fromarray(RAMP.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(save(tmp_path / "w.png", wide)), RAMP)


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_fewer_bits_in_sixteen_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"camera.{suffix}"
    cv2.imwrite(str(path), RAMP.astype(np.uint16) * 16)
    with pytest.raises(InputError, match=rf"camera.{suffix}: 16-bit .* 0 to 4032 .* to 8 bits"):
        read_image(path)
    cv2.imwrite(str(path), RAMP.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(path), RAMP)
    cv2.imwrite(str(path), np.zeros((48, 64), np.uint16))
    assert not read_image(path).any()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_fewer_bits_in_sixteen_bit_colour(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"camera.{suffix}"
    colour = np.dstack([RAMP, RAMP // 2, RAMP // 4]).astype(np.uint16)
    for factor in (1, 16):
        cv2.imwrite(str(path), colour * factor)
        message = rf"camera.{suffix}: 16-bit .* 0 to {252 * factor} .* to 8 bits"
        with pytest.raises(InputError, match=message):
            read_image(path)
    cv2.imwrite(str(path), colour * 257)
    np.testing.assert_array_equal(read_image(path), colour)
    # A dark picture of 8 bits is no such thing.
    cv2.imwrite(str(path), colour.astype(np.uint8) // 32)
    assert read_image(path).max() == 7


@pytest.mark.parametrize(
    "values",
    [(RAMP / 255).astype(np.float32), RAMP.astype(np.float32), RAMP.astype(np.int32)],
    ids=["float to 1", "float to 255", "int32"],
)
def test_wide_numbers_keep_their_brightness(values: np.ndarray, tmp_path: Path) -> None:
    found = read_image(save(tmp_path / "n.tiff", Image.fromarray(values)))
    np.testing.assert_array_equal(found, RAMP)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (RAMP.astype(np.float32) * 2, "floating-point values from 0.0 to 504.0"),
        (RAMP.astype(np.float32) / 126 - 1, "floating-point values from -1.0 to 1.0"),
        (np.where(RAMP, RAMP, np.nan).astype(np.float32), "floating-point values from nan"),
        (RAMP.astype(np.int32) * 257, "32-bit integer values from 0 to 64764"),
        (RAMP.astype(np.int32) - 9, "32-bit integer values from -9 to 243"),
    ],
)
def test_numbers_that_are_no_brightness(values: np.ndarray, message: str, tmp_path: Path) -> None:
    path = save(tmp_path / "n.tiff", Image.fromarray(values))
    with pytest.raises(InputError, match=rf"n.tiff: {message}.*convert it to 8 bits per channel"):
        read_image(path)


def test_a_folder_is_not_a_damaged_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}: is a folder; give a picture"):
        read_image(tmp_path)


def test_transparent_pixels_are_mid_gray(tmp_path: Path) -> None:
    rgba = np.dstack([RAMP, RAMP, RAMP, np.where(RAMP < 128, 0, 255).astype(np.uint8)])
    found = read_image(save(tmp_path / "a.png", Image.fromarray(rgba)))
    np.testing.assert_array_equal(found, np.where(RAMP < 128, 128, RAMP))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_a_transparent_colour_is_mid_gray(mode: str, tmp_path: Path) -> None:
    halves = np.where(RAMP < 128, 0, 255).astype(np.uint8)
    wide = Image.fromarray(halves.astype(np.uint16) * 257)
    picture = wide if mode == "I;16" else Image.fromarray(halves).convert(mode)
    clear = (0, 0, 0) if mode == "RGB" else 0
    path = save(tmp_path / "a.png", picture, transparency=clear)
    np.testing.assert_array_equal(read_image(path), np.where(RAMP < 128, 128, 255))


def test_cmyk_jpeg(tmp_path: Path) -> None:
    cmyk = Image.fromarray(RAMP).convert("RGB").convert("CMYK")
    found = read_image(save(tmp_path / "k.jpg", cmyk, quality=95))
    assert np.abs(as_gray(found).astype(int) - RAMP).max() < 12


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    found = read_image(save(tmp_path / "r.png", Image.fromarray(RAMP), exif=exif))
    np.testing.assert_array_equal(found, np.rot90(RAMP, -1))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"hello, I am text", "not a picture"), (None, "no such file")],
)
def test_unusable_files_are_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"face\.png.*{message}"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff"])
def test_truncated_files_are_refused(suffix: str, tmp_path: Path) -> None:
    noise = np.random.RandomState(0).randint(0, 255, (200, 200), np.uint8)
    path = save(tmp_path / f"t.{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"t\.{suffix}"):
        read_image(path)


@pytest.mark.parametrize("megapixels", [100, 200])  # Pillow warns of the one, refuses the other
def test_too_large_pictures_are_refused_before_decoding(megapixels: int, tmp_path: Path) -> None:
    path = save(tmp_path / "big.png", Image.new("1", (10_000, 100 * megapixels)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=r"big.png: .*above the limit of 64 megapixels"):
            read_image(path)


def test_pillows_own_limit_stays_for_others() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_a_format_that_cannot_hold_a_picture_is_told(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"wide.{suffix}"
    with pytest.raises(InputError, match=rf"{path}: .* 66000x8 .*; end its name in \.png"):
        write_image(path, np.zeros((8, 66_000), np.uint8))
    assert not path.exists()
    assert capfd.readouterr().err == ""
