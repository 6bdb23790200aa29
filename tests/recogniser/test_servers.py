"""Recognisers and nets in processes: forked after use, spawned, pickled, copied."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.finder import FaceFinder, shared_finder
from i2cnn.faces.people import FaceDescriptor
from i2cnn.recogniser.describe_fc7 import Fc7Describer
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.torchcaffe.data.prefetch import Prefetcher
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.helpers.programs import run as run_program
from tests.helpers.small_runs import copy_of


@pytest.fixture(params=["smile", "fc7"])
def model(request: pytest.FixtureRequest) -> str:
    """A recogniser without a network, and one with."""
    if request.param == "smile":
        return "smile"
    return str(request.getfixturevalue("run") / "recogniser")


def answer(recogniser: Recogniser) -> tuple[str, list[float]]:
    """What it says of one face."""
    (face,) = recogniser.predict(read_image(sorted(embedded_root().glob("*.png"))[0]))
    return face.label, list(face.scores.values())


def test_a_server_forks_after_it_has_used_a_recogniser(model: str) -> None:
    assert run_program("forking_server", model).split() == ["0", "0", "0"]


def test_a_recogniser_goes_to_a_spawned_process(run: Path) -> None:
    recogniser = Recogniser(run / "recogniser", device="cpu")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        label, scores = pool.apply(answer, (recogniser,))
    expected = answer(recogniser)
    assert label == expected[0]
    assert scores == pytest.approx(expected[1], abs=1e-5)


def test_a_recogniser_pickles_and_copies(model: str, monkeypatch, tmp_path: Path) -> None:
    recogniser = Recogniser(os.path.relpath(model) if "/" in model else model, device="cpu")
    pickled = pickle.dumps(recogniser)
    monkeypatch.chdir(tmp_path)
    for other in (pickle.loads(pickled), copy.deepcopy(recogniser)):
        assert answer(other) == answer(recogniser)


def test_results_pickle() -> None:
    recogniser = Recogniser("smile")
    (face,) = recogniser.predict(read_image(sorted(embedded_root().glob("*.png"))[0]))
    again = pickle.loads(pickle.dumps(face))
    assert (again.scores, again.patches) == (face.scores, face.patches)


def test_a_pickled_recogniser_is_not_taken_for_another(run: Path, tmp_path: Path) -> None:
    folder = copy_of(run / "recogniser", tmp_path / "recogniser")
    pickled = pickle.dumps(Recogniser(folder, device="cpu"))
    about = folder / "recogniser.json"
    about.write_text(about.read_text().replace('"happy"', '"glad"'))
    with pytest.raises(InputError, match="recogniser: is another recogniser than the one that was"):
        pickle.loads(pickled)


def test_a_finder_and_a_descriptor_pickle() -> None:
    picture = read_image(sorted(embedded_root().glob("*.png"))[0])
    finder = pickle.loads(pickle.dumps(shared_finder()))
    assert isinstance(finder, FaceFinder)
    (face,) = finder.find_all(picture)
    descriptor = FaceDescriptor(shared_finder())
    again = copy.deepcopy(descriptor)
    assert again(picture, face).tolist() == descriptor(picture, face).tolist()


def test_a_recogniser_on_a_gpu_is_refused_in_a_forked_child(run: Path) -> None:
    recogniser = Recogniser(run / "recogniser", device="cpu")
    describer = recogniser._describer
    assert isinstance(describer, Fc7Describer)
    recogniser._describer = replace(describer, device="cuda:0", process=os.getpid() + 1)
    with pytest.raises(InputError, match="on a GPU does not survive a fork; make it in the child"):
        answer(recogniser)


def test_a_net_that_reads_ahead_is_refused_in_a_forked_child() -> None:
    numbers = Prefetcher("data", lambda: (n for n in range(100)))
    assert numbers.next() == 0
    child = os.fork()
    if child == 0:
        try:
            numbers.next()
        except InputError as error:
            os._exit("make the net in the child" not in str(error))
        os._exit(2)
    _, status = os.waitpid(child, 0)
    numbers.stop()
    assert os.waitstatus_to_exitcode(status) == 0
