"""What `classify` and `detect` have in common: their flags, and how images are prepared."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.torchcaffe.errors import CaffeError, MissingFileError
from i2cnn.torchcaffe.pycaffe import set_mode_cpu, set_mode_gpu
from i2cnn.util.arrays import AnyArray
from i2cnn.util.npz import DAMAGES
from i2cnn.util.text import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The model, the device, and the preprocessing."""
    parser.add_argument("--model_def", required=True, help="Model definition file.")
    parser.add_argument("--pretrained_model", required=True, help="Trained model weights file.")
    parser.add_argument("--gpu", action="store_true", help="Switch for gpu computation.")
    parser.add_argument(
        "--mean_file",
        required=True,
        help="Mean image (channels, height, width), or mean per channel, .npy; '' for none.",
    )
    parser.add_argument(
        "--input_scale", type=float, help="Multiply input features by this scale at the end."
    )
    parser.add_argument(
        "--raw_scale",
        type=float,
        default=255.0,
        help="Multiply raw input by this scale before preprocessing (default: 255).",
    )
    parser.add_argument(
        "--channel_swap",
        default="2,1,0",
        help="Order of channels; the default converts RGB to BGR, '' leaves them.",
    )


def numbers(text: str, flag: str) -> list[int]:
    """Whole numbers of a flag, separated by commas."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise CaffeError(f"flag --{flag}: {text!r} are not numbers like 1,2,3") from None


def use_device(gpu: bool) -> None:
    """Switch to the CPU or the GPU and say so."""
    if gpu:
        set_mode_gpu()
    else:
        set_mode_cpu()
    show("GPU mode" if gpu else "CPU mode")


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of a Classifier or Detector."""
    return {
        "mean": load(options.mean_file) if options.mean_file else None,
        "input_scale": options.input_scale,
        "raw_scale": options.raw_scale,
        "channel_swap": numbers(options.channel_swap, "channel_swap")
        if options.channel_swap
        else None,
    }


def load(path: str) -> AnyArray:
    """Array of a .npy file.

    Raises
    ------
    InputError
        There is none, or it is no array of numbers.
    """
    if not Path(path).is_file():
        raise MissingFileError(f"File not found: {path}")
    try:
        array: AnyArray = np.load(path, allow_pickle=False)
    except DAMAGES as error:
        raise CaffeError(f"{path}: not an array of numbers in a .npy file ({error})") from None
    return array
