"""Folders in the layouts of the data sets, made of embedded pictures."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from i2cnn.datasets import embedded_root

#: Two rendered sequences in CK+'s layout.
CKPLUS = Path(__file__).parents[1] / "data" / "ckplus"


def jaffe_tree(root: Path, subjects: Sequence[str] = ("KA", "KL"), suffix: str = "tiff") -> Path:
    """JAFFE's names on rendered faces, 21 per subject."""
    root.mkdir(exist_ok=True)
    number = 1
    for i, subject in enumerate(subjects, 1):
        for path in sorted(embedded_root().glob(f"S{i:02d}.*.png")):
            _, expression, _, _ = path.name.split(".")
            Image.open(path).save(root / f"{subject}.{expression}.{number}.{suffix}")
            number += 1
    return root


def ckplus_tree(root: Path) -> Path:
    """A copy of CKPLUS to be changed."""
    return Path(shutil.copytree(CKPLUS, root))


def photos(root: Path, *names: str) -> Path:
    """A folder with the same picture under these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(embedded_root() / "S03.HA1.010.png", root / name)
    return root
