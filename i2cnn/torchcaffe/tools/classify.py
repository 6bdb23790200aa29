"""classify: scores of images by a net, into a .npy file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.pycaffe import Classifier, io
from i2cnn.torchcaffe.tools import preprocessing
from i2cnn.util.arrays import AnyArray
from i2cnn.util.files import atomic_path
from i2cnn.util.text import show


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("i2cnn caffe classify", description=__doc__)
    parser.add_argument("input_file", help="Input image, directory, or npy.")
    parser.add_argument("output_file", help="Output npy filename.")
    preprocessing.add_flags(parser)
    parser.add_argument(
        "--center_only",
        action="store_true",
        help="Predict from the centre crop alone, not from the average over ten crops.",
    )
    parser.add_argument(
        "--images_dim",
        default="256,256",
        help="height,width that images are resized to before they are cropped (default: 256,256).",
    )
    parser.add_argument(
        "--ext", default="jpg", help="Ending of the images in a directory (default: jpg)."
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(words)
    size = preprocessing.numbers(options.images_dim, "images_dim")
    if len(size) != 2 or min(size) < 1:
        raise CaffeError(f"flag --images_dim: {options.images_dim!r} is not height,width")
    preprocessing.use_device(options.gpu)
    classifier = Classifier(
        options.model_def,
        options.pretrained_model,
        image_dims=size,
        **preprocessing.settings(options),
    )
    images = _load(Path(options.input_file).expanduser(), options.ext)
    show(f"Classifying {len(images)} inputs.")
    start = time.monotonic()
    scores = classifier.predict(images, not options.center_only)
    show(f"Done in {time.monotonic() - start:.2f} s.")
    show(f"Saving results into {options.output_file}")
    target = Path(options.output_file)
    # As np.save does, a name without the ending gets it.
    with atomic_path(target if target.suffix == ".npy" else Path(f"{target}.npy")) as temporary:
        np.save(temporary, scores)
    return 0


def _load(path: Path, ending: str) -> Sequence[AnyArray]:
    """Images of an array, of a folder by their names, or of one file."""
    if path.suffix == ".npy":
        show(f"Loading file: {path}")
        return list(preprocessing.load(str(path)))
    if path.is_dir():
        show(f"Loading folder: {path}")
        files = sorted(path.glob(f"*.{ending}"))
        if not files:
            raise CaffeError(f"{path}: has no *.{ending}; --ext gives another ending")
        return [io.load_image(file) for file in files]
    show(f"Loading file: {path}")
    return [io.load_image(path)]
