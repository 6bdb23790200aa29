"""Types and groups of options that several verbs share.

The choices come from the front modules of their rooms, which import nothing heavy: `--help` and a
mistyped option are answered at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from i2cnn.datasets import DATASETS
from i2cnn.datasets.labels import TASKS
from i2cnn.faces import POINTS
from i2cnn.network import PROFILES
from i2cnn.network.engine import ENGINES, PRECISIONS
from i2cnn.pages import LOOPBACK, PORT
from i2cnn.patches import ENCODINGS, LARGEST_SIZE, MOST_COPIES, SMALLEST_SIZE


def integers(text: str) -> tuple[int, ...]:
    """Comma-separated integers of an option; "none" is an empty list."""
    try:
        return () if text == "none" else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers like 1,5") from None


def counts(text: str) -> tuple[int, ...]:
    """Comma-separated numbers above 0; "all" among them adds nothing, it is scored anyway."""
    return tuple(number(part) for part in text.split(",") if part != "all")


def number(text: str) -> int:
    """A number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def copies(text: str) -> int:
    """Number of jittered copies of a patch."""
    if not text.isdecimal() or int(text) > MOST_COPIES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {MOST_COPIES}")
    return int(text)


def patch_size(text: str) -> int:
    """Side of a patch in pixels."""
    if not text.isdecimal() or not SMALLEST_SIZE <= int(text) <= LARGEST_SIZE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from {SMALLEST_SIZE} to {LARGEST_SIZE}"
        )
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Comma-separated names of an option; "none" is an empty list."""
    return () if text == "none" else tuple(part.strip() for part in text.split(","))


def seed(text: str) -> int:
    """A seed of NumPy's and Caffe's generators."""
    if not text.isdecimal() or int(text) > 2**31 - 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: a number from 0 to 2147483647")
    return int(text)


def share(text: str) -> float:
    """A share above 0, at most 1; "full" is 1."""
    try:
        value = 1.0 if text == "full" else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither full nor a share above 0 and at most 1, such as 0.1"
        )
    return value


def pairs(text: str) -> dict[str, str]:
    """Comma-separated key=value pairs of an option."""
    parts = [part.partition("=") for part in text.split(",")]
    if not all(key and value for key, _, value in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like partition=gpu,time=600")
    return {key.strip(): value.strip() for key, _, value in parts}


def add_engine(parser: argparse.ArgumentParser) -> None:
    """`--engine` and `--device`."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="torch",
        help="torch (default): the Caffe runtime of this package; caffe: genuine pycaffe",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="cpu, cuda, cuda:N or auto (default), which uses a GPU if there is one",
    )


def add_tensorboard(parser: argparse.ArgumentParser) -> None:
    """`--tensorboard`."""
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write each training's curve for TensorBoard, which shows a folder of them with "
        "tensorboard --logdir (needs pip install 'i2cnn[tensorboard]')",
    )


def add_precision(parser: argparse.ArgumentParser) -> None:
    """`--precision`."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="what products are computed in: float32 (default, exact), tf32 (GPUs) or bf16 (GPUs, "
        "and CPUs with its instructions), faster and rounded more",
    )


def port(text: str) -> int:
    """A port of TCP; 0 is any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)


def add_address(parser: argparse._ActionsContainer) -> None:
    """`--host` and `--port` of a page."""
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        help=f"address to listen on (default: {LOOPBACK}, which only this machine can reach)",
    )
    parser.add_argument(
        "--port", type=port, default=PORT, help=f"default: {PORT}; 0 takes any that is free"
    )


def add_whole(parser: argparse.ArgumentParser) -> None:
    """`--whole`."""
    parser.add_argument(
        "--whole",
        action="store_true",
        help="each picture is one face, from forehead to chin, as in FER2013: search for none",
    )


def add_model(parser: argparse.ArgumentParser, default: str) -> None:
    """`--model`."""
    parser.add_argument(
        "--model",
        metavar="NAME|FOLDER",
        help="a recogniser: a name of `i2cnn models`, or the folder RUN/recogniser (default: "
        f"{default})",
    )


def add_task(parser: argparse.ArgumentParser, default: str) -> None:
    """`--task`."""
    parser.add_argument(
        "--task",
        choices=tuple(TASKS),
        help=f"six or seven expressions, or eight with contempt (default: {default})",
    )


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """The data set: its folder, kind, task and landmarks."""
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        help="folder of your copy of the data set; with --dataset folder also a .csv or .txt file "
        "that lists pictures; none for synthetic, the faces that ship with the package",
    )
    parser.add_argument(
        "--dataset", choices=DATASETS, default="synthetic", help="its kind (default: synthetic)"
    )
    add_task(parser, "seven; a folder has its own labels")
    parser.add_argument(
        "--points",
        choices=POINTS,
        default="given",
        help="given (default): the data set's own landmarks where it has them; detected: dlib's",
    )


def add_leave_out(parser: argparse.ArgumentParser) -> None:
    """`--skip-bad` and `--drop-guessed`."""
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out and list pictures that cannot be used (default: stop at the first)",
    )
    parser.add_argument(
        "--drop-guessed",
        action="store_true",
        help="leave out and list pictures in which no face is found (default: guess a face that "
        "fills the picture, and warn)",
    )


def add_faces(parser: argparse.ArgumentParser, more: str = "") -> None:
    """faces.csv and the folder of its images."""
    parser.add_argument("faces", type=Path, help="faces.csv, written by `i2cnn faces`" + more)
    parser.add_argument(
        "--root",
        type=Path,
        help="folder that image paths in the CSV are relative to (default: the CSV's folder)",
    )


def add_scheme(parser: argparse.ArgumentParser) -> None:
    """`--scheme`."""
    parser.add_argument(
        "--scheme",
        default="deepid",
        metavar="NAME",
        help="where on the face patches lie: deepid (default), tight, or a .toml file",
    )


def add_patch_count(parser: argparse.ArgumentParser) -> None:
    """`--k` of a single step."""
    parser.add_argument("--k", type=int, help="patches per face: 1, 5 or all (default)")


def add_encoding(parser: argparse.ArgumentParser) -> None:
    """`--encoding`."""
    parser.add_argument(
        "--encoding",
        choices=ENCODINGS,
        default="png",
        help="how patches are stored in the LMDB (default: png)",
    )


def add_schedule(parser: argparse.ArgumentParser) -> None:
    """The network and how long it trains."""
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="paper",
        help="paper (default): the exact AlexNet and solver; quick: a small net for CPUs; better: "
        "a small residual net, in `evaluate` on jittered patches",
    )
    parser.add_argument(
        "--schedule",
        type=share,
        default=1.0,
        metavar="full|SHARE",
        help="full (default) or a share of the profile's schedule, such as 0.1, of iterations, of "
        "those between validations, and of patience; steps of the paper's learning rate stay",
    )
    parser.add_argument(
        "--max-iter", type=int, metavar="N", help="train at most N iterations (default: profile's)"
    )
    parser.add_argument(
        "--validate-every",
        type=int,
        metavar="N",
        help="iterations between two validations (default: profile's)",
    )
    parser.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="stop after N iterations without a better validation; 0: never (default: profile's)",
    )
    parser.add_argument(
        "--batch-size", type=int, metavar="N", help="images per iteration (default: profile's)"
    )
