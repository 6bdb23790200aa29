"""Recognisers, finders, nets and solvers in threads: results as with a single one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.finder import FaceFinder
from i2cnn.faces.people import FaceDescriptor
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.images import read_image
from i2cnn.util.turns import Turns

THREADS = 4
T, R = TypeVar("T"), TypeVar("R")


@pytest.fixture(scope="module")
def pictures() -> list[UInt8Array]:
    """Faces in pictures of different sizes, twice."""
    sizes = (256, 300, 420, 640)
    faces = [read_image(path) for path in sorted(embedded_root().glob("*.png"))[: len(sizes)]]
    pairs = zip(faces, sizes, strict=True)
    return [np.asarray(cv2.resize(f, (n, n)), np.uint8) for f, n in pairs] * 2


@pytest.fixture(params=["smile", "fc7"])
def recogniser(request: pytest.FixtureRequest) -> Recogniser:
    """One without and one with a network."""
    model = request.param
    if model == "fc7":
        model = request.getfixturevalue("run") / "recogniser"
    return Recogniser(model, device="cpu")


def in_threads(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Results of work on each item, which threads begin together."""
    start = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS, initializer=start.wait) as pool:
        return list(pool.map(work, items))


def numbers(faces: Sequence[FacePrediction]) -> list[object]:
    return [(f.label, f.detection.box, f.detection.points.tolist(), f.scores) for f in faces]


def test_threads_share_a_recogniser(recogniser: Recogniser, pictures: list[UInt8Array]) -> None:
    expected = [numbers(recogniser.predict(picture)) for picture in pictures]
    assert all(expected)
    assert in_threads(lambda p: numbers(recogniser.predict(p)), pictures) == expected


def test_an_asyncio_executor_shares_a_recogniser(
    recogniser: Recogniser, pictures: list[UInt8Array]
) -> None:
    async def all_at_once() -> list[list[FacePrediction]]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            *(loop.run_in_executor(None, recogniser.predict, p) for p in pictures[:4])
        )

    expected = [numbers(recogniser.predict(picture)) for picture in pictures[:4]]
    assert [numbers(faces) for faces in asyncio.run(all_at_once())] == expected


def test_threads_share_a_finder_and_a_descriptor(pictures: list[UInt8Array]) -> None:
    finder = FaceFinder()
    descriptor = FaceDescriptor(finder)

    def describe(picture: UInt8Array) -> list[float]:
        values: list[float] = descriptor(picture, finder.find_one(picture)[0]).tolist()
        return values

    assert in_threads(describe, pictures) == [describe(picture) for picture in pictures]


def test_no_two_threads_have_the_same_turn() -> None:
    inside, most, turns = 0, 0, Turns(2)

    def work(_: int) -> None:
        nonlocal inside, most
        with turns:
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.01)
            inside -= 1

    in_threads(work, range(8))
    assert (inside, most) == (0, 2)


SOLVER = """net: 'net.prototxt' base_lr: 0.1 lr_policy: 'fixed' momentum: 0.9 random_seed: 3
max_iter: 8 display: 0 snapshot_prefix: '{name}' solver_mode: CPU"""
NET = """
layer { name: 'x' type: 'DummyData' top: 'x' top: 'y' dummy_data_param {
  shape { dim: 8 dim: 5 } shape { dim: 8 }
  data_filler { type: 'gaussian' std: 1 } data_filler { type: 'constant' value: 1 } } }
layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'ip' inner_product_param {
  num_output: 3 weight_filler { type: 'gaussian' std: 0.1 } } }
layer { name: 'drop' type: 'Dropout' bottom: 'ip' top: 'drop' }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'drop' bottom: 'y' top: 'loss' }
"""


def test_each_thread_trains_by_its_own_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from i2cnn.torchcaffe import pycaffe as caffe

    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)

    def train(number: int) -> list[float]:
        path = Path(f"solver{number}.prototxt")
        path.write_text(SOLVER.format(name=f"s{number}"))
        solver = caffe.SGDSolver(str(path))
        for _ in range(8):
            solver.step(1)
        values: list[float] = solver.net.params["ip"][0].data.ravel().tolist()
        return values

    expected = train(0)
    assert in_threads(train, range(1, 5)) == [expected] * 4


def test_each_thread_runs_a_net_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    from i2cnn.torchcaffe import pycaffe as caffe

    folder = run / "recogniser"

    def forward(seed: int) -> list[float]:
        net = caffe.Net(
            str(folder / "deploy.prototxt"), caffe.TEST, weights=str(folder / "net.caffemodel")
        )
        shape = net.blobs["data"].shape
        net.blobs["data"].data[...] = np.random.default_rng(seed).normal(size=shape)
        values: list[float] = net.forward()[net.outputs[0]].ravel().tolist()
        return values

    assert in_threads(forward, range(4)) == [forward(seed) for seed in range(4)]
