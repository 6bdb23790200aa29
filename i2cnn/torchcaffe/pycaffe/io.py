"""Images, arrays and messages for a net (pycaffe's ``caffe.io``).

Files of weights, states and means are read by :mod:`i2cnn.torchcaffe.formats.storage`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from i2cnn.torchcaffe.errors import CaffeError, MissingFileError
from i2cnn.torchcaffe.formats.storage import array_from, to_blobproto
from i2cnn.torchcaffe.proto import BlobProto, BlobProtoVector, Datum
from i2cnn.torchcaffe.proto import caffe_pb2 as caffe_pb2
from i2cnn.util.arrays import AnyArray, Float32Array
from i2cnn.util.picture_files import check_not_postscript

# Messages -----------------------------------------------------------------------------------------


def blobproto_to_array(blob: BlobProto, return_diff: bool = False) -> npt.NDArray[np.float64]:
    """Data (or diff) of a BlobProto as a float64 array in the blob's shape.

    Raises
    ------
    ValueError
        The blob has no shape, or holds another count of numbers.
    """
    return array_from(blob, diff=return_diff).astype(np.float64)


def array_to_blobproto(arr: AnyArray, diff: AnyArray | None = None) -> BlobProto:
    """BlobProto of an array and, if given, of its gradient."""
    return to_blobproto(arr, diff)


def arraylist_to_blobprotovector_str(arraylist: Iterable[AnyArray]) -> bytes:
    """Serialized BlobProtoVector of several arrays."""
    return BlobProtoVector(blobs=[to_blobproto(arr) for arr in arraylist]).SerializeToString()


def blobprotovector_str_to_arraylist(content: bytes) -> list[npt.NDArray[np.float64]]:
    """Arrays of a serialized BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in BlobProtoVector.FromString(content).blobs]


def array_to_datum(arr: AnyArray, label: int | None = None) -> Datum:
    """Datum of an image (C, H, W): bytes if it is uint8, float_data otherwise.

    Raises
    ------
    ValueError
        The array does not have three dimensions.
    """
    if arr.ndim != 3:
        raise ValueError(f"a datum holds an array of three dimensions (C, H, W), not {arr.shape}")
    datum = Datum(channels=arr.shape[0], height=arr.shape[1], width=arr.shape[2])
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(np.float32).ravel().tolist())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Datum) -> AnyArray:
    """Image (C, H, W) of a Datum: uint8, or float64 if it holds float_data.

    Raises
    ------
    ValueError
        The datum holds an encoded image, or fewer numbers than its dimensions say.
    """
    if datum.encoded:
        raise ValueError("the datum holds an encoded image; decode datum.data, e.g. with OpenCV")
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        image: AnyArray = np.frombuffer(datum.data, np.uint8).reshape(shape).copy()
        return image
    return np.array(datum.float_data, np.float64).reshape(shape)


# Images -------------------------------------------------------------------------------------------


def load_image(filename: str | Path, color: bool = True) -> Float32Array:
    """Image as float32 in [0, 1], (H, W, 3) in R, G, B order, or (H, W, 1) if not `color`.

    Of a moving GIF it is the first frame.

    Raises
    ------
    InputError
        The file is missing or is not an image.
    """
    from skimage.color import rgb2gray, rgba2rgb
    from skimage.io import imread
    from skimage.util import img_as_float

    without_alpha: Callable[[AnyArray], AnyArray] = rgba2rgb
    if not Path(filename).is_file():
        raise MissingFileError(f"File not found: {filename}")
    check_not_postscript(Path(filename))
    try:
        picture = imread(str(filename))
        if picture.ndim == 4:
            picture = picture[0]
        if picture.ndim == 3 and picture.shape[2] == 2:  # gray and alpha
            picture = picture[:, :, [0, 0, 0, 1]]
        if picture.ndim == 3 and not color:
            picture = rgb2gray(without_alpha(picture) if picture.shape[2] == 4 else picture)
    # Decoders raise whatever they like.
    except Exception as error:
        raise CaffeError(f"{filename}: not an image that can be read ({error})") from None
    as_float: Callable[[AnyArray], AnyArray] = img_as_float
    image = np.asarray(as_float(picture), np.float32)
    if image.ndim == 2:
        return np.tile(image[:, :, np.newaxis], (1, 1, 3 if color else 1))
    return image[:, :, :3] if image.shape[2] == 4 else image


def resize_image(im: AnyArray, new_dims: Sequence[int], interp_order: int = 1) -> Float32Array:
    """Resize an image (H, W, K) to `new_dims` (height, width) by spline interpolation.

    As in pycaffe, scikit-image does the work for one or three channels, so shrinking smooths as
    the installed scikit-image does by default, and SciPy's zoom, which does not, for others.

    Returns
    -------
    ndarray of float32
    """
    height, width = new_dims
    if im.shape[-1] not in (1, 3):
        from scipy.ndimage import zoom

        factors = (height / im.shape[0], width / im.shape[1], 1)
        return np.asarray(zoom(im, factors, order=interp_order), np.float32)
    if im.dtype.kind != "f":  # differences of small integers overflow, and truths have none
        im = im.astype(np.float64)
    low, high = im.min(), im.max()
    if low == high:
        return np.full((height, width, im.shape[-1]), low, np.float32)
    from skimage.transform import resize

    unit = (im - low) / (high - low)
    typed_resize: Callable[..., AnyArray] = resize
    resized = typed_resize(unit, (height, width), order=interp_order, mode="constant")
    return np.asarray(resized * (high - low) + low, np.float32)


def oversample(images: Sequence[AnyArray], crop_dims: Sequence[int] | AnyArray) -> Float32Array:
    """Ten crops of each image: four corners, the centre, and the same five mirrored.

    Parameters
    ----------
    images : sequence of (H, W, K) ndarrays
        All of one size.
    crop_dims : (height, width)

    Returns
    -------
    ndarray of float32, (10 * N, height, width, K)
    """
    rows, columns, channels = images[0].shape
    height, width = (int(size) for size in crop_dims)
    if height > rows or width > columns:
        raise ValueError(f"crops of {height}x{width} do not fit into a {rows}x{columns} image")
    bottom, right = rows - height, columns - width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = np.empty((len(images), 10, height, width, channels), np.float32)
    for number, image in enumerate(images):
        for i, (top, left) in enumerate(corners):
            crops[number, i] = image[top : top + height, left : left + width]
    crops[:, 5:] = crops[:, :5, :, ::-1]
    return crops.reshape(-1, height, width, channels)


class Transformer:
    """Converts images to a net's inputs and back.

    Parameters
    ----------
    inputs : mapping of str to tuple
        Shape (N, C, H, W) of each input, e.g. ``{"data": net.blobs["data"].data.shape}``.

    Notes
    -----
    Every step but the resizing is optional and set by its method. The order is fixed: resize,
    transpose, swap channels, raw scale, subtract mean, input scale.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = {name: tuple(shape) for name, shape in inputs.items()}
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Float32Array] = {}
        self.input_scale: dict[str, float] = {}

    def _shape(self, in_: str) -> tuple[int, ...]:
        if in_ not in self.inputs:
            raise ValueError(f"{in_} is not one of the net inputs: {self.inputs}")
        return self.inputs[in_]

    def preprocess(self, in_: str, data: AnyArray) -> Float32Array:
        """Input of the net, float32 (C, H, W), from an image (H, W, C); `data` stays as it is."""
        shape = self._shape(in_)
        image = np.array(data, np.float32)
        if image.shape[:2] != shape[2:]:
            image = resize_image(image, shape[2:])
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[list(self.channel_swap[in_]), :, :]
        if in_ in self.raw_scale:
            image *= self.raw_scale[in_]
        if in_ in self.mean:
            image -= self.mean[in_]
        if in_ in self.input_scale:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: AnyArray) -> Float32Array:
        """Image from the result of :meth:`preprocess`; the resizing is not undone."""
        self._shape(in_)
        image: Float32Array = data.copy().squeeze()
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_]), :, :]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Order of the axes, e.g. (2, 0, 1) for an image (H, W, C)."""
        if len(order) != len(self._shape(in_)) - 1:
            raise ValueError("the order of the axes must name one axis fewer than the input has")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Order of the channels, e.g. (2, 1, 0) from R, G, B to B, G, R."""
        if len(order) != self._shape(in_)[1]:
            raise ValueError(
                "the order of the channels must name as many channels as the input has"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Factor before the mean is subtracted, e.g. 255 from [0, 1] to [0, 255]."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: AnyArray) -> None:
        """Mean to subtract: one number per channel, or an image (C, H, W), resized if needed."""
        shape = self._shape(in_)[1:]
        if mean.ndim == 1:
            if len(mean) != shape[0]:
                raise ValueError(f"a mean of {len(mean)} channels for an input of {shape[0]}")
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3):
            raise ValueError(f"a mean has one, two or three dimensions, not shape {mean.shape}")
        elif (1, *mean.shape)[-3:] != shape:
            mean = mean if mean.ndim == 3 else mean[np.newaxis]
            mean = resize_image(mean.transpose(1, 2, 0), shape[1:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Factor after the mean is subtracted."""
        self._shape(in_)
        self.input_scale[in_] = scale
