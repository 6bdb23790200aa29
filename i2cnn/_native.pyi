"""Patches of a face, Caffe databases of them, and inner loops of torchcaffe."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

def similarity(points: NDArray[np.float64], mouth: float) -> NDArray[np.float64]:
    """Fit the similarity transform from aligned coordinates to the image.

    Aligned coordinates are in inter-ocular distances, with the origin between the eyes and y
    down. The fit is the least-squares one that maps (-0.5, 0), (0.5, 0) and (0, mouth) to the
    two eyes and the middle of the mouth corners.

    Parameters
    ----------
    points : ndarray of float64, (5, 2)
        Landmarks (x, y) in pixels: left eye, right eye, nose, left and right mouth corner.
    mouth : float
        Distance from the eyes to the mouth in inter-ocular distances, above 0.

    Returns
    -------
    ndarray of float64, (2, 3)
        Matrix that maps (u, v, 1) to pixels (x, y).

    Raises
    ------
    ValueError
        A landmark is not finite or more than a million pixels away, the eyes coincide, eyes
        and mouth lie on one line, or the mouth is on the wrong side of the eyes.
    """

def extract(
    image: NDArray[np.uint8],
    points: NDArray[np.float64],
    boxes: NDArray[np.float64],
    mouth: float,
    size: int,
    patches: NDArray[np.int64] | Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """Sample patches of one face, each by one resampling of the image.

    Sampling is bilinear. Where a patch shrinks the image, each pixel is the mean of as many
    samples as keep their distance below one pixel, at most 32 x 32. Patches 2 i and 2 i + 1
    are box i and its exact mirror image. A patch has the same bits whichever others are
    chosen, on every instruction set. Only the part of the image that the chosen patches touch
    is copied. The GIL is released meanwhile.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
        Any strides; H and W from 1 to 32767. Pixels outside repeat the border.
    points : ndarray of float64, (5, 2)
        Landmarks (x, y) in pixels: left eye, right eye, nose, left and right mouth corner.
    boxes : ndarray of float64, (B, 5)
        Rows of anchor, cx, cy, width and height, in inter-ocular distances. The centre is
        relative to the landmark that the anchor numbers (0 to 4), or to the middle of the
        eyes (-1).
    mouth : float
        Distance from the eyes to the mouth in inter-ocular distances, above 0.
    size : int
        Side of a patch in pixels, 1 to 4096.
    patches : ndarray of int64, (N,), optional
        Indices of the wanted patches, in any order, also repeatedly. All 2 B patches by
        default.

    Returns
    -------
    ndarray of uint8, (N, size, size) or (N, size, size, 3)

    Raises
    ------
    ValueError
        An argument has another shape or is out of range, or the landmarks leave no face (see
        `similarity`).
    TypeError
        The image is not of uint8.
    """

def simd_level() -> Literal["plain", "avx2", "avx512"]:
    """Return the instruction set in use: "plain", "avx2" or "avx512"."""

def set_simd(name: str) -> None:
    """Choose the instruction set, for tests and benchmarks.

    Parameters
    ----------
    name : {"auto", "plain", "avx2", "avx512"}
        "auto" is the best that the processor has. "avx2" includes FMA and BMI2.

    Raises
    ------
    ValueError
        The name is unknown, or the processor has no such instructions.
    """

def lrn_forward(
    x: NDArray[np.float32 | np.uint16],
    y: NDArray[np.float32 | np.uint16],
    window: int,
    alpha: float,
    k: float,
    threads: int,
) -> None:
    """Caffe's LRN across channels with beta 0.75, as AlexNet uses it.

    y = x * (k + alpha * s) ** -0.75, where s is the sum of x ** 2 over the `window` channels
    around each channel. The GIL is released meanwhile.

    Parameters
    ----------
    x : ndarray of float32 or uint16, (rows, channels), C order
        One row per pixel of all images. uint16 holds the bits of bfloat16 numbers.
    y : ndarray like x
        Overwritten with the output.
    window : int
        Number of channels, odd (`local_size`).
    alpha : float
        Caffe's alpha divided by `local_size`.
    k : float
        Caffe's k.
    threads : int
        At least one is used.

    Raises
    ------
    ValueError
        The shapes differ or have other than two dimensions, or the window is even.
    TypeError
        The arrays are not all of float32 or all of uint16, or one is not in C order.
    """

def lrn_backward(
    x: NDArray[np.float32 | np.uint16],
    dy: NDArray[np.float32 | np.uint16],
    dx: NDArray[np.float32 | np.uint16],
    window: int,
    alpha: float,
    k: float,
    threads: int,
) -> None:
    """Gradient of `lrn_forward` with respect to x.

    Parameters
    ----------
    x : ndarray of float32 or uint16, (rows, channels), C order
        Input of the forward pass.
    dy : ndarray like x
        Gradient with respect to the output.
    dx : ndarray like x
        Overwritten with the gradient with respect to x.
    window, alpha, k, threads
        As for `lrn_forward`.

    Raises
    ------
    ValueError
        The shapes differ or have other than two dimensions, or the window is even.
    TypeError
        The arrays are not all of float32 or all of uint16, or one is not in C order.
    """

def max_pool_forward(
    x: NDArray[np.float32 | np.uint16],
    y: NDArray[np.float32 | np.uint16],
    tap: NDArray[np.uint8] | None,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    threads: int,
) -> None:
    """Caffe's MAX pooling of images with their channels last.

    The GIL is released meanwhile.

    Parameters
    ----------
    x : ndarray of float32 or uint16, (N, height, width, C), C order
        Images. uint16 holds the bits of bfloat16 numbers.
    y : ndarray like x, (N, windows down, windows across, C)
        Overwritten with the largest number of each window; NaN where it has one.
    tap : ndarray of uint8 of y's shape, or None
        Overwritten with the place of that number in its window, row by row; the first of equals.
    kernel, stride, pad : (int, int)
        Along height and width; the kernel has at most 255 numbers.
    threads : int
        At least one is used.

    Raises
    ------
    ValueError
        The shapes do not fit, or a window does not reach into the images.
    TypeError
        The arrays are of other types than these, or one is not in C order.
    """

def max_pool_backward(
    dy: NDArray[np.float32 | np.uint16],
    tap: NDArray[np.uint8],
    dx: NDArray[np.float32 | np.uint16],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    threads: int,
) -> None:
    """Gradient of `max_pool_forward` with respect to x.

    Parameters
    ----------
    dy : ndarray of float32 or uint16, (N, windows down, windows across, C), C order
        Gradient with respect to y.
    tap : ndarray of uint8 of that shape
        From the forward pass.
    dx : ndarray like dy, (N, height, width, C)
        Overwritten with the gradient with respect to x.
    kernel, stride, pad, threads
        As for `max_pool_forward`.

    Raises
    ------
    ValueError
        The shapes do not fit, or a window does not reach into the images.
    TypeError
        The arrays are of other types than these, or one is not in C order.
    """

def sgd_update(
    weight: NDArray[np.float32],
    diff: NDArray[np.float32],
    history: NDArray[np.float32],
    rate: float,
    momentum: float,
    decay: float,
    threads: int,
    narrow: NDArray[np.uint16] | None = None,
) -> None:
    """Caffe's SGD step with momentum and L2 decay, in one pass over memory.

    diff += decay * weight; history = momentum * history + rate * diff; diff = history; weight
    -= diff. All three arrays are updated in place, rounded as in Caffe with a BLAS that has
    fused multiply-add. The GIL is released meanwhile.

    Parameters
    ----------
    weight, diff, history : ndarray of float32, any one shape, C order
    rate : float
        Learning rate of this blob: the solver's times `lr_mult`.
    momentum : float
        The solver's momentum.
    decay : float
        Weight decay of this blob: the solver's times `decay_mult`.
    threads : int
        At least one is used.
    narrow : ndarray of uint16, like weight, or None
        Bits of bfloat16 numbers: the gradient, which is taken instead of `diff`'s, and after it the
        weights.

    Raises
    ------
    ValueError
        The shapes differ.
    TypeError
        An array is of another type or not in C order.
    """

class PatchWriter:
    """Writes patches of faces as Caffe `Datum` records into an LMDB.

    Threads sample and encode; one more writes the records in the order in which the faces
    were added, so the file does not depend on the number of threads.
    """

    def __init__(
        self,
        folder: str,
        boxes: NDArray[np.float64],
        mouth: float,
        size: int,
        encoding: str,
        quality: int,
        threads: int,
    ) -> None:
        """Open the database and start the threads.

        Parameters
        ----------
        folder : str
            Existing folder, in which data.mdb is created.
        boxes : ndarray of float64, (B, 5)
            As for `extract`.
        mouth : float
            As for `extract`.
        size : int
            Side of a patch in pixels, 1 to 4096.
        encoding : {"raw", "png", "jpeg"}
            A raw Datum has three planes: a gray patch is stored three times.
        quality : int
            JPEG quality, 1 to 100; the other encodings ignore it.
        threads : int
            Number of threads that sample and encode, at least 1.

        Raises
        ------
        ValueError
            An argument has another shape or is out of range, or the encoding is unknown.
        RuntimeError
            LMDB cannot open the folder.
        """

    def add(
        self,
        image: NDArray[np.uint8],
        points: NDArray[np.float64],
        patches: NDArray[np.int64] | Sequence[int],
        keys: Sequence[str],
        label: int,
        jitter: NDArray[np.float64] | None = None,
    ) -> None:
        """Queue patches of one face.

        The image may be changed afterwards. Waits while many faces are queued, which bounds the
        memory. The GIL is released meanwhile.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3)
            As for `extract`; either all images of a database are gray, or all are B, G, R.
        points : ndarray of float64, (5, 2)
            As for `extract`.
        patches : sequence of int
            Indices of the patches; a patch followed by its mirror image is sampled only once.
        keys : list of str
            One per patch; no key may occur twice in a database.
        label : int
            Class of the face.
        jitter : ndarray of float64, (B, 6), optional
            One row per box: rotation (radians, about the middle of the patch, from x towards y),
            scale (2 covers an area twice as wide and high), shift right and down (in widths and
            heights of the patch), gain and offset (gray level v becomes 128 + gain * (v - 128) +
            offset, clipped). Each patch is still one resampling. Exact patches by default.

        Raises
        ------
        ValueError
            An argument has another shape or is out of range, the landmarks leave no face, or gray
            and colour images are mixed.
        TypeError
            The image is not of uint8.
        RuntimeError
            An earlier face could not be written (the disk is full, a key was given twice), or the
            writer is finished.
        """

    def finish(self) -> NDArray[np.float32]:
        """Wait for all faces and sync the database to the disk.

        Returns
        -------
        ndarray of float32, (channels, size, size)
            Mean of all patches before they were encoded, mirror images included; no channels if
            none was added.

        Raises
        ------
        RuntimeError
            A face could not be written, or the writer was finished before.
        """

    def close(self) -> None:
        """End the threads and close the file; without `finish`, its contents are unusable."""
