"""Patch schemes: which boxes of the aligned face become patches (paper section 3.1).

The paper follows DeepID, which published no coordinates. The scheme `deepid` was measured from
DeepID's Figure 3; `tight` is our own variant without hair and shoulders. A user's own scheme is a
TOML file, chosen by its path::

    mouth = 1.1                # eyes' mid-point to the mouth's, in inter-ocular distances (IOD)
    scales = [0.75, 1.0, 1.25]

    [[region]]
    name = "portrait"
    anchor = "face"            # or left_eye, right_eye, nose, left_mouth, right_mouth
    centre = [0, -0.11]        # in IOD from the anchor, x right, y down; "face" is between the eyes
    size = [3.65, 4.57]        # width and height in IOD at scale 1
"""

from __future__ import annotations

import functools
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.util.arrays import Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_regular, digest
from i2cnn.util.landmarks import POINT_NAMES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Landmark that a box is centred on; FACE is the mid-point of the eyes.
FACE = -1
_MOST_BOXES = 1000
#: A region's name, in bytes; keys of databases, which it is in, have at most 511.
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Region:
    """A box of the aligned face at scale 1.

    Parameters
    ----------
    name : str
        Name in reports.
    anchor : int
        Landmark (0-4) that the centre is relative to, or FACE.
    x, y : float
        Centre, in IOD from the anchor.
    width, height : float
        Size in IOD.
    """

    name: str
    anchor: int
    x: float
    y: float
    width: float
    height: float

    @property
    def words(self) -> str:
        """Its name in words."""
        name = f"{self.name}_corner" if self.name.endswith("t_mouth") else self.name
        return name.replace("strip_", "strip at the ").replace("_", " ")


@dataclass(frozen=True)
class Scheme:
    """Regions and scales; patch index = (region * scales + scale) * 2 + mirrored.

    Parameters
    ----------
    name : str
        How it is chosen: a built-in's name, or the path of a TOML file.
    mouth : float
        Distance from the eyes' mid-point to the mouth's in the aligned face, in IOD.
    regions : tuple of Region
    scales : tuple of float
    """

    name: str
    mouth: float
    regions: tuple[Region, ...]
    scales: tuple[float, ...]

    def __len__(self) -> int:
        return 2 * len(self.regions) * len(self.scales)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the table; independent of the scheme's name and its file's place."""
        return digest({k: v for k, v in asdict(self).items() if k != "name"})

    @functools.cached_property
    def boxes(self) -> Float64Array:
        """Table (regions * scales, 5) of anchor, x, y, width, height for the extension."""
        table = np.array(
            [
                (r.anchor, r.x, r.y, r.width * scale, r.height * scale)
                for r in self.regions
                for scale in self.scales
            ],
            np.float64,
        )
        table.setflags(write=False)
        return table

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all patches, such as `nose_1.25_mirrored`."""
        return tuple(
            f"{r.name}_{scale:g}{suffix}"
            for r in self.regions
            for scale in self.scales
            for suffix in ("", "_mirrored")
        )

    @property
    def middle_scale(self) -> int:
        """Number of the scale nearest 1."""
        return min(range(len(self.scales)), key=lambda i: abs(self.scales[i] - 1))

    def select(self, k: int) -> tuple[int, ...]:
        """Indices of the k patches that the paper's Table 4 uses.

        1 is the first global region at scale 1, 5 the five landmarks' regions at scale 1; any
        other k must be the number of all patches.

        Raises
        ------
        InputError
            The scheme does not define k patches.
        """
        choices = self._choices()
        if k not in choices:
            *most, last = map(str, choices)
            raise InputError(
                f"scheme {self.name}: {k} patches per face are not defined; "
                f"choose {', '.join(most)}{' or ' if most else ''}{last}"
            )
        return choices[k]

    @property
    def counts(self) -> tuple[int, ...]:
        """Values of k that `select` accepts, in ascending order."""
        return tuple(self._choices())

    def _choices(self) -> dict[int, tuple[int, ...]]:
        whole = [i for i, r in enumerate(self.regions) if r.anchor == FACE]
        local = [i for i, r in enumerate(self.regions) if r.anchor != FACE]
        choices = {
            n: tuple((i * len(self.scales) + self.middle_scale) * 2 for i in found)
            for n, found in ((1, whole[:1]), (5, local))
            if len(found) == n
        }
        return choices | {len(self): tuple(range(len(self)))}


def _locals(side: float) -> tuple[Region, ...]:
    return tuple(Region(name, i, 0, 0, side, side) for i, name in enumerate(POINT_NAMES))


@dataclass(frozen=True)
class PatchSet:
    """Some patches of a scheme.

    Parameters
    ----------
    scheme : Scheme
    patches : tuple of int
        Patch indices of the scheme.

    Raises
    ------
    InputError
        An index is outside the scheme.
    """

    scheme: Scheme
    patches: tuple[int, ...]

    def __post_init__(self) -> None:
        outside = [p for p in self.patches if not 0 <= p < len(self.scheme)]
        if outside:
            raise InputError(
                f"scheme {self.scheme.name}: patch {outside[0]} is outside 0 to "
                f"{len(self.scheme) - 1}"
            )

    @classmethod
    def of(cls, scheme: Scheme, k: int | None = None) -> PatchSet:
        """The k patches of :meth:`Scheme.select`; all if k is None."""
        return cls(scheme, scheme.select(len(scheme) if k is None else k))

    def __len__(self) -> int:
        return len(self.patches)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of these patches."""
        return tuple(self.scheme.names[p] for p in self.patches)


#: Mouth distance: our choice; the synthetic set's faces have 1.09 on average.
DEEPID = Scheme(
    "deepid",
    mouth=1.1,
    regions=(
        Region("portrait", FACE, 0, -0.11, 3.65, 4.57),
        Region("strip_forehead", FACE, 0, -1.02, 3.65, 2.91),
        Region("strip_eyes", FACE, 0, -0.44, 3.65, 2.91),
        Region("strip_nose", FACE, 0, 0.14, 3.65, 2.91),
        Region("strip_mouth", FACE, 0, 0.71, 3.65, 2.91),
        *_locals(2.35),
    ),
    scales=(0.75, 1.0, 1.25),
)
TIGHT = Scheme(
    "tight",
    mouth=1.1,
    regions=(
        Region("face", FACE, 0, 0.5, 2.2, 2.6),
        Region("strip_brows", FACE, 0, -0.15, 2.2, 1.2),
        Region("strip_eyes", FACE, 0, 0.1, 2.2, 1.2),
        Region("strip_nose", FACE, 0, 0.6, 2.2, 1.2),
        Region("strip_mouth", FACE, 0, 1.1, 2.2, 1.2),
        *_locals(1.2),
    ),
    scales=(0.75, 1.0, 1.25),
)
#: Built-in schemes by name.
SCHEMES = {scheme.name: scheme for scheme in (DEEPID, TIGHT)}


def get_scheme(name_or_path: str | Path) -> Scheme:
    """Look up a built-in scheme, or read one from a TOML file.

    Parameters
    ----------
    name_or_path : str or Path
        `deepid`, `tight`, or a path that ends in `.toml`.

    Raises
    ------
    InputError
        There is no such scheme, or the file does not hold one.
    """
    name = str(name_or_path)
    if name in SCHEMES:
        return SCHEMES[name]
    if name.endswith(".toml"):
        return load_scheme(Path(name))
    raise InputError(
        f"unknown patch scheme {name!r}; choose one of {', '.join(SCHEMES)} or a .toml file"
    )


def load_scheme(path: Path) -> Scheme:
    """Read a scheme from a TOML file (see this module's description); InputError names a fault."""
    check_regular(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of absurd length
        raise InputError(f"{path}: not TOML ({error})") from None
    _check_keys(table, {"mouth", "scales", "region"}, f"{path}")
    mouth = _number(table["mouth"], f"{path}: mouth", positive=True)
    scales = table["scales"]
    if not isinstance(scales, list) or not scales:
        raise InputError(f"{path}: scales must be a list of numbers")
    scales = tuple(_number(s, f"{path}: scales", positive=True) for s in scales)
    regions = table["region"]
    if not isinstance(regions, list) or not regions:
        raise InputError(f"{path}: write each region as a [[region]] table")
    scheme = Scheme(
        str(path),
        mouth,
        tuple(_region(r, f"{path}: region {i}") for i, r in enumerate(regions, 1)),
        scales,
    )
    if len(set(scheme.names)) < len(scheme):
        raise InputError(f"{path}: two regions or two scales have the same name")
    if len(scheme.boxes) > _MOST_BOXES:
        raise InputError(f"{path}: more than {_MOST_BOXES} boxes")
    return scheme


def _region(table: Any, where: str) -> Region:
    _check_keys(table, {"name", "anchor", "centre", "size"}, where)
    name, anchor = table["name"], table["anchor"]
    if not isinstance(name, str) or not name:
        raise InputError(f"{where}: name must be a text")
    if len(name.encode()) > _LONGEST_NAME:
        raise InputError(f"{where}: name is longer than {_LONGEST_NAME} bytes")
    if anchor not in ("face", *POINT_NAMES):
        raise InputError(f"{where}: anchor must be one of face, {', '.join(POINT_NAMES)}")
    for key in ("centre", "size"):
        if not isinstance(table[key], list) or len(table[key]) != 2:
            raise InputError(f"{where}: {key} must be two numbers")
    x, y = (_number(v, f"{where}: centre") for v in table["centre"])
    width, height = (_number(v, f"{where}: size", positive=True) for v in table["size"])
    number = FACE if anchor == "face" else POINT_NAMES.index(anchor)
    return Region(name, number, x, y, width, height)


def _check_keys(table: Any, expected: set[str], where: str) -> None:
    if not isinstance(table, dict):
        raise InputError(f"{where}: must be a table")
    missing, unknown = sorted(expected - set(table)), sorted(set(table) - expected)
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} missing")
    if unknown:
        raise InputError(f"{where}: unknown: {', '.join(unknown)}")


def _number(value: Any, where: str, positive: bool = False) -> float:
    """A finite number of sensible size: a face is a few IOD wide."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: {value!r} is not a number")
    if not abs(value) <= 100 or (positive and value < 0.01):  # NaN is not, either
        raise InputError(f"{where}: {str(value)[:20]} is out of range")
    return float(value)
