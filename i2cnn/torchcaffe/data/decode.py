"""Decodes the values of a Caffe database: Datum messages with raw numbers or encoded images."""

from __future__ import annotations

import cv2
import numpy as np
from google.protobuf.message import DecodeError

from i2cnn.torchcaffe.data.encoded import decode_picture
from i2cnn.torchcaffe.data.transform import Image
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import Datum, TransformationParameter
from i2cnn.util.errors import InputError


def shown(key: bytes) -> str:
    """A record's key as text; keys may have any bytes."""
    return key.decode(errors="replace")


class DatumDecoder:
    """Decodes the records of one database.

    Parameters
    ----------
    param : TransformationParameter
        force_color, force_gray.
    owner, source : str
        The layer or program that reads it, and the folder of the database, for errors.
    """

    def __init__(self, param: TransformationParameter, owner: str, source: str) -> None:
        self.param = param
        self.owner = owner
        self.source = source

    def decode(self, key: bytes, value: bytes) -> tuple[Image, int]:
        """Image and label of a record.

        Returns
        -------
        ndarray of uint8 or float32, (H, W, C)
            C is 1 for a gray image; of an encoded one force_color makes three equal channels later.
        int
            The label.

        Raises
        ------
        InputError
            The record is not a Datum, or its contents do not fit its description.
        """
        datum = Datum()
        try:
            datum.ParseFromString(value)
        except DecodeError:
            raise self._bad(key, "is not a Datum") from None
        if datum.encoded:
            return self._decode_image(key, datum.data), datum.label
        shape = (datum.channels, datum.height, datum.width)
        if min(shape) < 1:
            raise self._bad(key, f"declares {shape} (channels, height, width)")
        flat: Image
        if datum.data:
            flat = np.frombuffer(datum.data, np.uint8)
        else:
            flat = np.asarray(datum.float_data, np.float32)
        if flat.size != shape[0] * shape[1] * shape[2] or flat.size == 0:
            raise self._bad(
                key, f"holds {flat.size} numbers, not {shape} (channels, height, width)"
            )
        planes = flat.reshape(shape)
        # Interleaved by OpenCV: NumPy would walk over three planes pixel by pixel.
        image = cv2.merge(list(planes)) if shape[0] == 3 else planes.transpose(1, 2, 0)
        return image, datum.label

    def _decode_image(self, key: bytes, data: bytes) -> Image:
        try:
            image = self._decode_bytes(data)
        except InputError as error:
            raise self._bad(key, f"holds an encoded image that {error}") from None
        if image is None:
            raise self._bad(key, "holds an encoded image that cannot be decoded")
        if image.dtype != np.uint8:
            raise self._bad(key, f"holds an encoded image of {image.dtype}, not of bytes")
        return image[:, :, None] if image.ndim == 2 else image

    def _decode_bytes(self, data: bytes) -> Image | None:
        # A gray file stays one channel here even under force_color: its three planes would be
        # equal, and decoding one is cheaper. Without either photographs are not turned upright.
        flags = cv2.IMREAD_ANYCOLOR if self.param.force_color else cv2.IMREAD_UNCHANGED
        if self.param.force_gray and not self.param.force_color:
            flags = cv2.IMREAD_GRAYSCALE
        return decode_picture(data, flags)

    def _bad(self, key: bytes, reason: str) -> CaffeError:
        return CaffeError(
            f"{self.owner}: record {shown(key)} of {self.source} {reason}; write the database again"
        )
