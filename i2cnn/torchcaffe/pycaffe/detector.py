"""Detector: a net run over windows of images, as with pycaffe's class of that name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.pycaffe import io
from i2cnn.torchcaffe.pycaffe.classifier import PreprocessingNet
from i2cnn.util.arrays import AnyArray, Float32Array


class Detector(PreprocessingNet):
    """A net that scores windows of images, each warped to the net's input.

    Parameters
    ----------
    model_file, pretrained_file : str
        Prototxt and .caffemodel.
    mean : ndarray, optional
        Mean image (C, H, W) or mean per channel, subtracted.
    input_scale, raw_scale : float, optional
        Factors after and before the subtraction of the mean.
    channel_swap : sequence of int, optional
        Order of channels, (2, 1, 0) to make BGR of RGB.
    context_pad : int, optional
        Width of a border of surrounding pixels, of the net's input, which is square, around each
        window (R-CNN's). What lies outside of the image is the mean.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        mean: AnyArray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(
        self, images_windows: Iterable[tuple[str, Iterable[AnyArray]]]
    ) -> list[dict[str, Any]]:
        """Scores of windows.

        Parameters
        ----------
        images_windows : iterable of (file, windows)
            Each window is (ymin, xmin, ymax, xmax) in pixels.

        Returns
        -------
        list of dict
            For each window `filename`, `window` and `prediction`, the scores of the classes.
        """
        found: list[dict[str, Any]] = []
        inputs = []
        name = self.inputs[0]
        for filename, windows in images_windows:
            image = io.load_image(filename)
            for window in windows:
                found.append({"window": window, "filename": filename})
                inputs.append(self.transformer.preprocess(name, self.crop(image, window)))
        if found:
            scores = self.forward_all(None, **{name: np.stack(inputs)})[self.outputs[0]]
            for entry, prediction in zip(found, scores, strict=True):
                entry["prediction"] = prediction
        return found

    def detect_selective_search(self, image_fnames: Sequence[str]) -> list[dict[str, Any]]:
        """Scores of the windows that Selective Search proposes.

        Raises
        ------
        InputError
            The package selective_search_ijcv_with_python, which needs MATLAB, is not there.
        """
        try:
            import selective_search_ijcv_with_python as selective_search
        except ImportError:
            raise CaffeError(
                "Selective Search needs MATLAB and the package selective_search_ijcv_with_python; "
                "give lists of windows instead (detect_windows, --crop_mode list)"
            ) from None
        files = [os.path.abspath(name) for name in image_fnames]
        windows = selective_search.get_windows(files, cmd="selective_search_rcnn")
        return self.detect_windows(zip(files, windows, strict=True))

    def crop(self, im: AnyArray, window: AnyArray) -> AnyArray:
        """A window (ymin, xmin, ymax, xmax) of an image (H, W, C), with its context."""
        if not self.context_pad:
            top, left, bottom, right = window
            return im[top:bottom, left:right]
        size = self.crop_dims[0]
        low, high = np.array(window[:2], float), np.array(window[2:], float)
        half = size / (size - 2.0 * self.context_pad) * (high - low + 1) / 2
        centre = low + (high - low + 1) / 2
        low, high = np.round(centre - half), np.round(centre + half)
        scale = size / (high - low + 1)
        outside = np.round(np.maximum(0, -low) * scale)
        limits = im.shape[:2]
        low, high = np.clip(low, 0, limits), np.clip(high, 0, limits)
        shape = np.minimum(np.round((high - low + 1) * scale), size - outside).astype(int)
        (top, left), (bottom, right) = low.astype(int), high.astype(int)
        if bottom <= top or right <= left or shape.min() < 1:
            place = ", ".join(map(str, window))
            raise CaffeError(f"the window ({place}) is outside of the {limits} image")
        context = io.resize_image(im[top:bottom, left:right], [int(n) for n in shape])
        crop = np.ones(self.crop_dims, np.float32) * self.crop_mean
        (y, x), (rows, columns) = outside.astype(int), shape
        crop[y : y + rows, x : x + columns] = context
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set the width of the context, and prepare the mean that fills what is outside."""
        name = self.inputs[0]
        back = np.argsort(self.transformer.transpose[name])
        self.crop_dims = tuple(int(self.blobs[name].shape[1:][axis]) for axis in back)
        size = self.crop_dims[:2]
        if context_pad and (size[0] != size[1] or 2 * context_pad >= size[0]):
            raise CaffeError(
                f"context_pad {context_pad} needs a square input of more than twice as many "
                f"pixels; the net's has {size[0]}x{size[1]}"
            )
        self.context_pad = context_pad
        self.crop_mean: Float32Array = np.zeros(self.crop_dims, np.float32)
        mean = self.transformer.mean.get(name)
        if context_pad and mean is not None:
            # The mean as images are before they are preprocessed.
            self.crop_mean = mean.transpose(back)
            if name in self.transformer.channel_swap:
                order = np.argsort(self.transformer.channel_swap[name])
                self.crop_mean = self.crop_mean[:, :, order]
            if name in self.transformer.raw_scale:
                self.crop_mean = self.crop_mean / np.float32(self.transformer.raw_scale[name])
