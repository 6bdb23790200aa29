"""Which files are opened as pictures, what they may cost, and what other files are called."""

from __future__ import annotations

import io
import os
import stat
import struct
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2cnn.cli.main import main
from i2cnn.torchcaffe.pycaffe import io as caffe_io
from i2cnn.util import picture_files
from i2cnn.util.errors import InputError, InputWarning
from i2cnn.util.images import read_image

NOISE = Image.fromarray(np.random.RandomState(0).randint(0, 255, (64, 64, 3), np.uint8))
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch ran) (w) file\n"


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program gs, first on the path; the file is there once it has run."""
    ran = tmp_path / "ran"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    return ran


@pytest.mark.parametrize("read", [read_image, caffe_io.load_image])
def test_postscript_is_not_run(read, ghostscript: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(InputError, match=r"a.jpg: is PostScript, a program, which is not run"):
        read(path)
    assert not ghostscript.exists()


def test_pillow_alone_would_run_it(ghostscript: Path, tmp_path: Path) -> None:
    """So that the test above can fail."""
    path = tmp_path / "a.jpg"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(OSError, match=r".*"), Image.open(path) as picture:
        picture.load()
    assert ghostscript.exists()


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0", "is a video; save frames"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "is a video"),
        (b"RIFF\0\1\0\0AVI LIST", "is a video"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "is a video"),
        (b"\0\0\1\xba\x44\0", "is a video"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"8BPS\0\1", "is a Photoshop document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "is a drawing"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a placeholder of Git LFS"),
        (b"PK\x03\x04\x14\0", "is an archive"),
        (b"FUJIFILMCCD-RAW 0201", "is a camera's raw file"),
    ],
)
def test_other_files_are_called_what_they_are(start: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(start + bytes(600))
    with pytest.raises(InputError, match=f"a.jpg: {message}"):
        read_image(path)


def test_heic_names_the_package_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.init()
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setattr(picture_files, "_has_pillow_heif", lambda: False)
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(600))
    with pytest.raises(InputError, match=r"IMG_1.HEIC: is a HEIC .* pip install pillow-heif"):
        read_image(path)


def test_heic_is_read_where_its_package_is_installed(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "IMG_1.HEIC"
    picture = heif.from_pillow(NOISE.resize((16, 16)).resize((64, 64)))
    picture.save(path, quality=95)
    assert read_image(path).shape == (64, 64, 3)


def test_pillow_heif_is_asked_for_heic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the package, which is optional."""
    asked = types.ModuleType("pillow_heif")
    asked.register_heif_opener = lambda: monkeypatch.setitem(  # type: ignore[attr-defined]
        Image.OPEN, "HEIF", (Image.OPEN["PNG"][0], None)
    )
    Image.init()
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setitem(sys.modules, "pillow_heif", asked)
    monkeypatch.setattr(picture_files, "_has_pillow_heif", lambda: True)
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(encoded(NOISE, "PNG"))
    assert read_image(path).shape == (64, 64, 3)
    assert "HEIF" in Image.OPEN


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    os.mkfifo(path)
    with pytest.raises(InputError, match=r"a.jpg: is not a regular file"):
        read_image(path)


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 300 + ".jpg"])
def test_impossible_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.jpg: (a file's name holds|cannot be read \(File)"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (20, 900)])
def test_shapes_that_no_photograph_has_are_refused(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", size).save(path)
    with pytest.raises(InputError, match=rf"a.png: {size[0]}x{size[1]} is not the shape"):
        read_image(path)


def test_a_side_that_is_too_long_to_be_drawn_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (33_000, 900)).save(path)
    with pytest.raises(InputError, match=r"a.png: a side of 33000x900 is above 32766; scale it"):
        read_image(path)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lies_about_its_size_is_refused(progressive: bool, tmp_path: Path) -> None:
    data = bytearray(encoded(NOISE, "JPEG", progressive=progressive))
    place = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", 7900, 8000)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"bytes cannot hold the 63.2 megapixels that it declares"):
        read_image(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_the_smallest_honest_jpeg_is_read(options: dict, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(Image.new("L", (4000, 4000)), "JPEG", quality=1, **options))
    assert read_image(path).shape == (4000, 4000)


def test_a_jpeg_of_many_scans_is_refused(tmp_path: Path) -> None:
    data = encoded(NOISE, "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:-2] + last * 200 + b"\xff\xd9")
    with pytest.raises(InputError, match=r"a.jpg: more than 100 scans"):
        read_image(path)
    # What is not in its scans does not count: thumbnails, videos behind it.
    path.write_bytes(data + last * 200)
    assert read_image(path).shape == (64, 64, 3)


@pytest.mark.parametrize(
    "raised", [RuntimeError("AVIF"), AttributeError("x"), struct.error("x"), KeyError(3), Exception]
)
def test_whatever_a_decoder_raises_names_the_file(
    raised: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise raised

    path = tmp_path / "a.png"
    NOISE.save(path)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(InputError, match=r"a.png: cannot be read \(.+\); the file is damaged"):
        read_image(path)


def test_too_little_memory_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise MemoryError

    path = tmp_path / "a.png"
    NOISE.save(path)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(InputError, match=r"a.png: there is not enough memory"):
        read_image(path)


@pytest.mark.parametrize(
    "kind", ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"]
)
def test_a_damaged_picture_is_read_or_named(kind: str, tmp_path: Path) -> None:
    if kind not in Image.registered_extensions().values():
        pytest.skip(f"Pillow without {kind}")
    whole = encoded(NOISE, kind)
    path = tmp_path / "damaged"
    rng = np.random.RandomState(0)
    for number in range(40):
        data = bytearray(whole)
        for place in rng.randint(0, len(data) if number % 2 else 200, 3):
            data[place] = rng.randint(256)
        path.write_bytes(data[: len(data) if number % 4 else rng.randint(len(data))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                said = f"{path}: {read_image(path).dtype}"
            except InputError as error:
                said = str(error)
        assert said.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("kind", "what"), [("GIF", "frame"), ("PNG", "frame"), ("WEBP", "frame"), ("TIFF", "page")]
)
def test_further_frames_and_pages_are_said_to_be_left_out(
    kind: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "many"
    others = [Image.new("RGB", (64, 64), (0, 40 * i, 0)) for i in (1, 2)]
    path.write_bytes(encoded(NOISE, kind, save_all=True, append_images=others))
    with pytest.warns(InputWarning, match=f"many: only the first {what} of 3 is read"):
        assert read_image(path).shape == (64, 64, 3)


def test_a_picture_with_a_phones_maps_is_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(NOISE, "MPO", save_all=True, append_images=[NOISE]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).shape == (64, 64, 3)


def test_the_thumbnail_of_a_raw_file_is_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a.dng"
    NOISE.save(path, "TIFF", tiffinfo={254: 1})
    with pytest.raises(InputError, match=r"a.dng: its first page is a thumbnail"):
        read_image(path)


def test_the_command_line_prints_warnings_as_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "many.gif"
    path.write_bytes(encoded(NOISE, "GIF", save_all=True, append_images=[Image.new("L", (64, 64))]))
    main(["predict", str(path)])
    lines = capsys.readouterr().err.splitlines()
    assert f"i2cnn: {path}: only the first frame of 2 is read" in lines


def test_a_link_that_leads_nowhere_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"a\.png: is a link to a file that is not there"):
        read_image(tmp_path / "a.png")
