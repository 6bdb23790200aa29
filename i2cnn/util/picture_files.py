"""Opens picture files: which kinds, what they may cost, and what other files are called."""

from __future__ import annotations

import importlib.util
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from i2cnn.util.errors import InputError, InputWarning

#: Larger pictures are refused before they are decoded.
MAX_PIXELS = 64_000_000
#: So are longer ones, from which OpenCV draws nothing and no patch is sampled.
MAX_SIDE = 2**15 - 2
#: Pictures with a longer side this many times the shorter one are refused: nobody takes them.
MAX_ASPECT = 40
#: Suffixes of the pictures that are searched for in a folder.
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".webp"),
    *(".avif", ".gif", ".heic", ".heif", ".jp2"),
)

#: Pillow's decoders that are used. Pillow goes by content, whatever a file's name, and its decoder
#: of PostScript starts Ghostscript, which runs the file as a program.
DECODERS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
#: A progressive JPEG is decoded once per scan. Encoders write about ten.
_MAX_SCANS = 100
#: Without arithmetic coding, 64 pixels of a JPEG take a bit or more.
_PIXELS_PER_BYTE = 512
#: Bit of TIFF's tag 254 that marks a page as a small copy of another, as in cameras' raw files.
_SUBFILE_TYPE, _REDUCED = 254, 1

_POSTSCRIPT = rb"%!PS|\xc5\xd0\xd3\xc6"
#: What other files begin with, what they are, and what to do.
_KINDS = (
    (
        rb"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)",
        "a HEIC picture, which needs the package pillow-heif; pip install pillow-heif",
    ),
    (rb"....ftypcrx |FUJIFILMCCD-RAW|IIRO|IIU\0|FOVb", "a camera's raw file; convert it to JPEG"),
    (
        rb"....ftyp|RIFF....AVI |\x1aE\xdf\xa3|\0\0\x01[\xba\xb3]|FLV\x01|OggS|0&\xb2u",
        "a video; save frames of it as pictures (ffmpeg -i VIDEO frame_%04d.png)",
    ),
    (_POSTSCRIPT, "PostScript, a program, which is not run; convert it to PNG"),
    (rb"%PDF", "a PDF document; convert its page to PNG"),
    (rb"8BPS", "a Photoshop document; export it as PNG"),
    (rb"\s*(<\?xml.*)?<svg", "a drawing (SVG); export it as PNG"),
    (rb"(?i)\s*<(!doctype html|html)", "a web page; download the picture itself"),
    (rb"version https://git-lfs", "a placeholder of Git LFS; run git lfs pull"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive; unpack it"),
)


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture, not yet decoded.

    Whatever a decoder raises, now or inside the `with` block, becomes an InputError.

    Raises
    ------
    InputError
        Names the file: missing, empty, no picture (and what it is instead), damaged, too large,
        or of a shape that no photograph has.

    Warns
    -----
    InputWarning
        The file holds several pictures; the first is read.
    """
    _check_file(path)
    try:
        with Image.open(path, formats=_decoders()) as picture:
            _check_size(path, picture)
            _check_first(path, picture)
            yield picture
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{path}: {_kind(path)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large(path, "it") from None
    except MemoryError:
        raise InputError(f"{path}: there is not enough memory for it; scale it down") from None
    # Decoders raise whatever they like: RuntimeError, AttributeError, struct.error, KeyError.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise InputError(
            f"{path}: cannot be read ({reason}); the file is damaged, copy it again"
        ) from None


def check_not_postscript(path: Path) -> None:
    """InputError for a file that another library's readers of pictures would run as a program."""
    with path.open("rb") as file:
        if re.match(_POSTSCRIPT, file.read(4)):
            raise InputError(f"{path}: {_kind(path)}")


def _check_file(path: Path) -> None:
    try:
        about = path.stat()
    except FileNotFoundError:
        fault = "is a link to a file that is not there" if path.is_symlink() else "no such file"
        raise InputError(f"{path}: {fault}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise InputError(f"{path}: a file's name holds no NUL") from None
    if stat.S_ISDIR(about.st_mode):
        raise InputError(f"{path}: is a folder; give a picture")
    # A pipe or a device would keep the reader waiting.
    if not stat.S_ISREG(about.st_mode):
        raise InputError(f"{path}: is not a regular file; give a picture")
    if about.st_size == 0:
        raise InputError(f"{path}: the file is empty; copy it again")


def _decoders() -> list[str]:
    """Those of DECODERS that are installed."""
    Image.init()
    if "HEIF" not in Image.OPEN and _has_pillow_heif():
        import pillow_heif

        pillow_heif.register_heif_opener()
    return [name for name in DECODERS if name in Image.OPEN]


def _has_pillow_heif() -> bool:
    return importlib.util.find_spec("pillow_heif") is not None


def _check_size(path: Path, picture: Image.Image) -> None:
    """Refuse what would cost much memory or time, before it does."""
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise too_large(path, f"{width}x{height}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(
            f"{path}: {width}x{height} is not the shape of a photograph; cut the face out of it"
        )
    if max(width, height) > MAX_SIDE:
        raise InputError(f"{path}: a side of {width}x{height} is above {MAX_SIDE}; scale it down")
    if picture.format in ("JPEG", "MPO"):
        _check_jpeg(path, width * height)


def _check_jpeg(path: Path, pixels: int) -> None:
    """Refuse a JPEG that is smaller than the least its size takes, or of very many scans."""
    data = path.read_bytes()
    if len(data) < pixels / _PIXELS_PER_BYTE:
        raise InputError(
            f"{path}: {len(data)} bytes cannot hold the {pixels / 1e6:.1f} megapixels that it "
            "declares; the file is damaged, copy it again"
        )
    if _scans(data) > _MAX_SCANS:
        raise InputError(f"{path}: more than {_MAX_SCANS} scans; save it again as a plain JPEG")


def _scans(data: bytes) -> int:
    """Number of scans of a JPEG, until one more than _MAX_SCANS."""
    place = scans = 0
    # In a scan, 0xFF is followed by 0, by a restart marker, or by the next marker.
    marker = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
    while scans <= _MAX_SCANS and (found := marker.search(data, place)):
        place, code = found.end(), found[1]
        if code == b"\xd9":
            break
        scans += code == b"\xda"
        place += int.from_bytes(data[place : place + 2], "big")
    return scans


def _check_first(path: Path, picture: Image.Image) -> None:
    """Say that there are more pictures in the file; refuse a raw file's thumbnail."""
    tags = getattr(picture, "tag_v2", {})
    if picture.format == "TIFF" and tags.get(_SUBFILE_TYPE, 0) & _REDUCED:
        raise InputError(
            f"{path}: its first page is a thumbnail (is it a camera's raw file?); convert it to "
            "JPEG or PNG"
        )
    # The further pictures of a JPEG are a phone's depth and brightness maps.
    number = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    if number > 1:
        what = "page" if picture.format == "TIFF" else "frame"
        warnings.warn(
            f"{path}: only the first {what} of {number} is read",
            InputWarning,
            stacklevel=5,
        )


def _kind(path: Path) -> str:
    """What a file is that is not a picture, and what to do."""
    with path.open("rb") as file:
        start = file.read(512)
    for pattern, kind in _KINDS:
        if re.match(pattern, start, re.DOTALL):
            return f"is {kind}"
    return "not a picture that can be read; convert it to PNG"


def too_large(path: Path, size: str, most: int = MAX_PIXELS) -> InputError:
    """The error for a picture of more pixels than `most`."""
    return InputError(
        f"{path}: {size} is above the limit of {most / 1e6:g} megapixels; scale it down"
    )
