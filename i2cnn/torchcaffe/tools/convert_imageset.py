"""convert_imageset: images and their labels into a database."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.data.encoded import decode_picture, read_picture
from i2cnn.torchcaffe.data.transform import Image
from i2cnn.torchcaffe.errors import CaffeError, reading
from i2cnn.torchcaffe.flags import apply_log_flags, is_true, show_usage, split_flags
from i2cnn.torchcaffe.proto import Datum
from i2cnn.torchcaffe.tools.databases import BATCH, new_database
from i2cnn.util.errors import InputError

USAGE = """\
usage: i2cnn caffe convert_imageset [FLAGS] ROOTFOLDER/ LISTFILE DB_NAME

Convert a set of images to an lmdb or leveldb. Lines of LISTFILE: subfolder/file.jpg 7

  -backend lmdb     or leveldb
  -gray             one channel
  -resize_width 0   width that images are resized to, with -resize_height
  -resize_height 0
  -shuffle          in random order
  -check_size       stop unless all images have one size
  -encoded          store encoded images, files as they are where possible
  -encode_type ""   how they are encoded (png, jpg, ...)
"""
_DEFAULTS = {
    "backend": "lmdb",
    "gray": "false",
    "shuffle": "false",
    "resize_width": "0",
    "resize_height": "0",
    "check_size": "false",
    "encoded": "false",
    "encode_type": "",
}
_BOOLEANS = ("gray", "shuffle", "check_size", "encoded")
_WHERE = "convert_imageset.cpp"


@dataclass(frozen=True)
class _How:
    """How images are stored."""

    gray: bool
    size: tuple[int, int]
    encode_type: str
    encoded: bool
    check_size: bool


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    flags, names = split_flags(words, _DEFAULTS, _BOOLEANS)
    if len(names) < 3:
        return show_usage(USAGE)
    apply_log_flags(flags)
    how = _How(
        gray=is_true(flags["gray"]),
        size=(_pixels(flags, "resize_height"), _pixels(flags, "resize_width")),
        encode_type=flags["encode_type"],
        encoded=is_true(flags["encoded"]),
        check_size=is_true(flags["check_size"]),
    )
    root, list_file, database = names[:3]
    lines = _read_list(list_file)
    if is_true(flags["shuffle"]):
        log.info(f"{_WHERE}:86", "Shuffling data")
        random.shuffle(lines)
    log.info(f"{_WHERE}:89", f"A total of {len(lines)} images.")
    if how.encode_type and not how.encoded:
        log.info(f"{_WHERE}:92", "encode_type specified, assuming encoded=true.")
    _convert(root, lines, database, flags["backend"], how)
    return 0


def _pixels(flags: dict[str, str], name: str) -> int:
    try:
        return max(0, int(flags[name]))
    except ValueError:
        raise CaffeError(f"flag -{name}: {flags[name]!r} is not a number") from None


def _read_list(path: str) -> list[tuple[str, int]]:
    """Names and labels."""
    with reading(path):
        text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        name, _, label = line.rstrip().rpartition(" ")
        try:
            lines.append((name, Datum(label=int(label)).label))  # which must fit 32 bits
        except ValueError:
            raise CaffeError(f"{path}:{number}: a line is a file, a space and a number") from None
    return lines


def _convert(
    root: str, lines: Sequence[tuple[str, int]], database: str, backend: str, how: _How
) -> None:
    count, size, unread = 0, None, 0
    with new_database(database, backend) as writer:
        for index, (name, label) in enumerate(lines):
            image = _read(root + name, how)
            if image is None:
                unread += 1
                continue
            if how.check_size and size not in (None, image.shape):
                raise CaffeError(
                    f"{root + name}: its size {image.shape} differs from the {size} before"
                )
            size = image.shape
            datum = _datum(image, root + name, how)
            datum.label = label
            writer.put(f"{index:08d}_{name}", datum.SerializeToString())
            count += 1
            if count % BATCH == 0:
                log.info(f"{_WHERE}:147", f"Processed {count} files.")
        if not count:
            slash = root and not root.endswith("/") and Path(root).is_dir()
            hint = f"; names follow {root} as they are: give {root}/" if slash else ""
            raise CaffeError(f"{database}: no image could be read, so it was not written{hint}")
    if count % BATCH:
        log.info(f"{_WHERE}:153", f"Processed {count} files.")
    if unread:
        log.error(_WHERE, f"{unread} of {len(lines)} images could not be read and were left out")


def _read(path: str, how: _How) -> Image | None:
    """An image as it is stored, (H, W, C); None, and a line in the log, if it cannot be read."""
    try:
        return read_picture(path, not how.gray, how.size)
    except InputError as error:
        log.error("io.cpp:83", str(error))
        return None


def _datum(image: Image, path: str, how: _How) -> Datum:
    kind = how.encode_type
    ending = Path(path).suffix[1:].lower()
    if how.encoded and not kind:
        kind = ending
        if not kind:
            log.warning(f"{_WHERE}:117", f"Failed to guess the encoding of '{path}'")
    if not kind:
        channels = image.shape[2]
        data = image.transpose(2, 0, 1).tobytes()
        height, width = image.shape[:2]
        return Datum(channels=channels, height=height, width=width, data=data, encoded=False)
    same = kind.lower() == ending or (kind.lower(), ending) == ("jpg", "jpeg")
    if same and not any(how.size):
        content = Path(path).read_bytes()
        if not how.gray or _is_gray(content):
            return Datum(data=content, encoded=True)
    try:
        done, encoded = cv2.imencode(f".{kind}", image)
    except cv2.error:
        done = False
    if not done:
        raise CaffeError(f"{path}: OpenCV cannot encode images as {kind!r}; give -encode_type png")
    return Datum(data=encoded.tobytes(), encoded=True)


def _is_gray(content: bytes) -> bool:
    """Whether a file's picture has one channel of bytes."""
    image = decode_picture(content, cv2.IMREAD_UNCHANGED)
    return image is not None and image.ndim == 2 and image.dtype == np.uint8
