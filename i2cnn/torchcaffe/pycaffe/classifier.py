"""Classifier: images in, class probabilities out, as with pycaffe's class of that name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from i2cnn.torchcaffe.proto import TEST
from i2cnn.torchcaffe.pycaffe import io
from i2cnn.torchcaffe.pycaffe.net import Net
from i2cnn.util.arrays import AnyArray, Float32Array


class PreprocessingNet(Net):
    """A net with the preprocessing of its one image input, in phase TEST."""

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        mean: AnyArray | None,
        input_scale: float | None,
        raw_scale: float | None,
        channel_swap: Sequence[int] | None,
    ) -> None:
        super().__init__(model_file, phase=TEST, weights=pretrained_file)
        name = self.inputs[0]
        self.transformer = io.Transformer({name: self.blobs[name].shape})
        self.transformer.set_transpose(name, (2, 0, 1))
        if mean is not None:
            self.transformer.set_mean(name, mean)
        if input_scale is not None:
            self.transformer.set_input_scale(name, input_scale)
        if raw_scale is not None:
            self.transformer.set_raw_scale(name, raw_scale)
        if channel_swap is not None:
            self.transformer.set_channel_swap(name, channel_swap)


class Classifier(PreprocessingNet):
    """A net with the preprocessing of its one image input.

    Parameters
    ----------
    model_file, pretrained_file : str
        Prototxt and .caffemodel.
    image_dims : (int, int), optional
        Size that images are resized to before cropping; by default the net's input size.
    mean : ndarray, optional
        Mean image (C, H, W) or mean per channel, subtracted.
    input_scale, raw_scale : float, optional
        Factors after and before the subtraction of the mean.
    channel_swap : sequence of int, optional
        Order of channels, (2, 1, 0) to make BGR of RGB.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        image_dims: Sequence[int] | None = None,
        mean: AnyArray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        name = self.inputs[0]
        # An array: programs that have a predict of their own calculate with it.
        self.crop_dims: AnyArray = np.array(self.blobs[name].shape[2:])
        self.image_dims = self.crop_dims if image_dims is None else image_dims

    def predict(self, inputs: Sequence[AnyArray], oversample: bool = True) -> Float32Array:
        """Probabilities of the classes.

        Parameters
        ----------
        inputs : sequence of (H, W, C) arrays
            Images as :func:`io.load_image` reads them.
        oversample : bool
            Average over ten crops (corners, centre, mirrored) instead of the centre crop alone.

        Returns
        -------
        ndarray (N, classes)
        """
        size = (int(self.image_dims[0]), int(self.image_dims[1]))
        images = np.empty((len(inputs), *size, inputs[0].shape[2]), np.float32)
        for image, given in zip(images, inputs, strict=True):
            image[...] = io.resize_image(np.asarray(given), size)
        if oversample:
            crops = io.oversample(list(images), self.crop_dims)
        else:
            rows, columns = self.crop_dims
            if rows > size[0] or columns > size[1]:
                raise ValueError(f"crops of {rows}x{columns} do not fit into images of {size}")
            top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
            crops = images[:, top : top + rows, left : left + columns]
        name = self.inputs[0]
        batch = {name: np.stack([self.transformer.preprocess(name, crop) for crop in crops])}
        scores = self.forward_all(None, **batch)[self.outputs[0]]
        if oversample:
            scores = scores.reshape(len(images), 10, -1).mean(1)
        return scores
