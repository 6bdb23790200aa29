"""Pictures as people have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2cnn.errors import InputError
from i2cnn.images import as_bgr, as_gray, read_image

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


def test_transparent_pixels_are_mid_gray(tmp_path: Path) -> None:
    rgba = np.dstack([RAMP, RAMP, RAMP, np.where(RAMP < 128, 0, 255).astype(np.uint8)])
    found = read_image(save(tmp_path / "a.png", Image.fromarray(rgba)))
    np.testing.assert_array_equal(found, np.where(RAMP < 128, 128, RAMP))


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


def test_a_hundred_megapixels_are_refused_before_decoding(tmp_path: Path) -> None:
    path = save(tmp_path / "big.png", Image.new("1", (10_000, 10_000)))
    with pytest.raises(InputError, match="limit of 64 megapixels"):
        read_image(path)
