"""Files of arrays that are damaged."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from i2cnn.util.errors import InputError
from i2cnn.util.npz import read_npz

#: A header that ends too early, and one whose type of numbers is none.
CUT = b"("
NO_TYPE = b"{'descr': ',', 'fortran_order': False, 'shape': (3,), }\n"


@pytest.mark.parametrize("header", [CUT, NO_TYPE])
def test_headers_that_numpy_cannot_parse_are_damage(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\0" + bytes([len(header), 0]) + header)
    with pytest.raises(InputError, match=r"a\.npz: damaged, or not an \.npz file"):
        read_npz(path, 1000)
