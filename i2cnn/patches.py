"""The paper's 60 patches of a face: 10 regions x 3 scales x mirror (paper section 3.1).

The paper follows DeepID, which published no coordinates. The scheme `deepid` was measured from
DeepID's Figure 3, in inter-ocular distances (IOD) with the origin between the eyes and y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from i2cnn import _native
from i2cnn.errors import InputError

#: Side of a patch in pixels (paper section 3.3).
PATCH_SIZE = 256
#: Landmark that a box is centred on; FACE is the mid-point of the eyes.
FACE = -1


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


@dataclass(frozen=True)
class Scheme:
    """Regions and scales; patch index = (region * scales + scale) * 2 + mirrored.

    Parameters
    ----------
    name : str
        How it is chosen.
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

    @property
    def boxes(self) -> np.ndarray:
        """Table (regions * scales, 5) of anchor, x, y, width, height for the extension."""
        return np.array(
            [
                (r.anchor, r.x, r.y, r.width * scale, r.height * scale)
                for r in self.regions
                for scale in self.scales
            ],
            np.float64,
        )

    @property
    def names(self) -> list[str]:
        """Names of all patches, such as `nose_1.25_mirrored`."""
        return [
            f"{r.name}_{scale:g}{suffix}"
            for r in self.regions
            for scale in self.scales
            for suffix in ("", "_mirrored")
        ]

    def select(self, k: int) -> tuple[int, ...]:
        """Patches of the paper's Table 4.

        1 is the first global region at scale 1, 5 the five landmarks' regions at scale 1, any
        other number must be all of them.
        """
        middle = min(range(len(self.scales)), key=lambda i: abs(self.scales[i] - 1))
        if k == 1:
            regions = [i for i, r in enumerate(self.regions) if r.anchor == FACE][:1]
        elif k == 5:
            regions = [i for i, r in enumerate(self.regions) if r.anchor != FACE]
        elif k == len(self):
            return tuple(range(len(self)))
        else:
            raise InputError(f"{k} patches a face are not defined; choose 1, 5 or {len(self)}")
        return tuple((i * len(self.scales) + middle) * 2 for i in regions)


_LOCAL = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")

#: Mouth distance: our choice, near the mean of dlib's and the synthetic set's faces.
SCHEMES = {
    "deepid": Scheme(
        "deepid",
        mouth=1.1,
        regions=(
            Region("portrait", FACE, 0, -0.11, 3.65, 4.57),
            Region("strip_forehead", FACE, 0, -1.02, 3.65, 2.91),
            Region("strip_eyes", FACE, 0, -0.44, 3.65, 2.91),
            Region("strip_nose", FACE, 0, 0.14, 3.65, 2.91),
            Region("strip_mouth", FACE, 0, 0.71, 3.65, 2.91),
            *(Region(name, anchor, 0, 0, 2.35, 2.35) for anchor, name in enumerate(_LOCAL)),
        ),
        scales=(0.75, 1.0, 1.25),
    ),
}


def get_scheme(name: str) -> Scheme:
    """Scheme of that name."""
    if name not in SCHEMES:
        raise InputError(f"unknown patch scheme {name!r}; choose one of {', '.join(SCHEMES)}")
    return SCHEMES[name]


def extract(
    image: np.ndarray,
    points: np.ndarray,
    scheme: str = "deepid",
    size: int = PATCH_SIZE,
) -> np.ndarray:
    """All patches of one face, each by one resampling of the image.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
        Any strides. Pixels outside repeat the border.
    points : ndarray, (5, 2)
        Landmarks (x, y) in pixels: eyes, nose, mouth corners.
    scheme : str
        Name of the patch scheme.
    size : int
        Side of a patch in pixels.

    Returns
    -------
    ndarray of uint8, (patches, size, size) or (patches, size, size, 3)

    Raises
    ------
    InputError
        The landmarks are not finite, coincide, or lie on one line; the image has another type.
    """
    if image.dtype != np.uint8:
        raise InputError(f"an image must be uint8, not {image.dtype}")
    table = get_scheme(scheme)
    try:
        return _native.extract(image, points, table.boxes, table.mouth, size)
    except ValueError as error:
        raise InputError(str(error)) from None
