"""Arrays in NumPy's .npz format. Reading is safe: no pickle, and sizes are checked first."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy

from i2cnn.util.arrays import AnyArray
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path

#: What NumPy raises for a file that is damaged, or no .npy file.
DAMAGES = (OSError, EOFError, OverflowError, SyntaxError, TokenError, ValueError)
#: Readers of headers by format version; version 3 is only for field names that are not ASCII.
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def write_npz(path: Path, arrays: Mapping[str, AnyArray]) -> None:
    """Write arrays into a file with any ending, atomically."""
    named: dict[str, Any] = dict(arrays)
    with atomic_path(path) as partial, open(partial, "wb") as file:
        np.savez(file, **named)


def read_npz(path: Path, most_bytes: int) -> dict[str, AnyArray]:
    """Arrays of an .npz file by name.

    Parameters
    ----------
    path : Path
    most_bytes : int
        Of all arrays together; a file that says it has more is refused before it is unpacked.

    Raises
    ------
    InputError
        Names the file: missing, not an .npz file, damaged, too large, or with Python objects in it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > most_bytes:
                raise InputError(
                    f"{path}: {size / 1e6:.1f} MB of arrays, more than the {most_bytes / 1e6:.1f} "
                    "MB that it may have"
                )
            return {
                member.filename.removesuffix(".npy"): _array(archive.read(member))
                for member in archive.infolist()
            }
    except (BadZipFile, NotImplementedError, RuntimeError, *DAMAGES) as error:
        raise InputError(f"{path}: damaged, or not an .npz file ({error})") from None


def _array(content: bytes) -> AnyArray:
    """One array; ValueError unless its values fill what follows its header."""
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"array format {version}")
    shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("Python objects")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"not the values of a shape {shape}")
    file.seek(0)
    array: AnyArray = npy.read_array(file, allow_pickle=False)
    return array
