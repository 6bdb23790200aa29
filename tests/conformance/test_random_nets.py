"""The fuzzer's own parts, with our runtime in the place of genuine Caffe's."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.layers.neuron import ELU
from tests.conformance import compare
from tests.conformance.__main__ import _models
from tests.conformance.layers import LAYERS
from tests.conformance.nets import make_files, write_case
from tests.conformance.program import steps
from tests.helpers.single_layers import golden_modules

REASON = "only genuine Caffe refuses: net.cpp:1] Check failed: x"
#: What all nets have, and what other tests compare: arrays that a program gives, files written.
ELSEWHERE = {"Input", "MemoryData", "HDF5Output"}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch) -> None:
    golden_modules(monkeypatch)
    monkeypatch.chdir(tmp_path)
    make_files()


def record(folder: Path, number: int) -> tuple[list[str], str]:
    """A case with what "genuine" Caffe, which is ours here, leaves in its folder."""
    folder.mkdir(exist_ok=True)
    made = write_case(np.random.default_rng([1, number]), folder)
    try:
        for i, found in enumerate(steps(caffe, str(folder))):
            np.savez(folder / f"{i}.npz", **found)
    except RuntimeError as error:
        (folder / "stderr.txt").write_text(f"RuntimeError: {error}")
    return made


def test_every_type_is_among_the_nets() -> None:
    assert set(LAYERS) == set(caffe.layer_type_list()) - ELSEWHERE


def test_nets_follow_from_the_seed(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        record(tmp_path / name, 5)
        texts.append((tmp_path / name / "net.prototxt").read_text())
    assert texts[0] == texts[1]


def test_a_wrong_layer_is_found_and_a_right_one_is_not(tmp_path: Path, monkeypatch) -> None:
    with_elu = []
    for number in range(40):
        folder = tmp_path / str(number)
        types, refused = record(folder, number)
        found = compare.outcome(folder, refused)
        assert found.kind in ("same", "refused", "deliberate"), found.words
        if "ELU" in types and found.kind == "same":
            with_elu.append((folder, refused))
    assert with_elu
    compute = ELU.compute
    monkeypatch.setattr(ELU, "compute", lambda self, x: [1.001 * compute(self, x)[0]])
    for folder, refused in with_elu:
        assert compare.outcome(folder, refused).kind == "different"


def test_a_model_is_run_with_its_weights(tmp_path: Path) -> None:
    model = tmp_path / "small.prototxt"
    model.write_text(
        'layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "in" top: "out" '
        'inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }\n'
    )
    caffe.set_random_seed(3)
    net = caffe.Net(str(model), caffe.TEST)
    net.save(str(model.with_suffix(".caffemodel")))
    (case,) = _models(tmp_path, tmp_path / "work")
    _, found, _ = steps(caffe, str(case.folder))
    np.testing.assert_array_equal(found["after/ip/0"], net.params["ip"][0].data)
    assert case.is_model
    assert found["data/in"].any()
    np.testing.assert_array_equal(found["data/out"], net.forward(**{"in": found["data/in"]})["out"])


def test_what_only_one_refuses_is_told(tmp_path: Path) -> None:
    number = next(n for n in range(20) if not record(tmp_path / "net", n)[1])
    record(tmp_path / "net", number)
    (tmp_path / "net" / "2.npz").unlink()
    (tmp_path / "net" / "stderr.txt").write_text("F1127 10:00:00.1 7 net.cpp:1] Check failed: x")
    found = compare.outcome(tmp_path / "net", "")
    assert (found.kind, found.words) == ("laxer", REASON)


def test_an_error_of_a_users_layer_in_both_is_a_refusal(tmp_path: Path, monkeypatch) -> None:
    number = next(n for n in range(20) if not record(tmp_path / "net", n)[1])
    record(tmp_path / "net", number)
    (tmp_path / "net" / "2.npz").unlink()
    raised = ValueError("operands could not be broadcast")

    def fail(*arguments):
        yield from itertools.islice(steps(*arguments), 2)
        raise raised

    monkeypatch.setattr(compare, "steps", fail)
    for text, kind in (("ValueError: ", "different"), (f"ValueError: {raised}", "refused")):
        (tmp_path / "net" / "stderr.txt").write_text(text)
        assert compare.outcome(tmp_path / "net", "").kind == kind
