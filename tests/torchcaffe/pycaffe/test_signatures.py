"""pycaffe's positions of arguments, names and kinds of errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.proto import BlobProto
from i2cnn.util.errors import InputError

NET = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
        inner_product_param { num_output: 4 weight_filler { type: "constant" value: 1 } } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" }
layer { name: "high" type: "ReLU" bottom: "fc" top: "high" include { min_level: 2 stage: "deep" } }
"""


@pytest.fixture
def net_file(folder: Path) -> str:
    Path("net.prototxt").write_text(NET)
    return "net.prototxt"


def test_a_third_number_is_the_level_and_not_the_phase(net_file: str) -> None:
    for phase in (caffe.TRAIN, caffe.TEST):
        assert caffe.Net(net_file, phase, 0)._core.phase == phase


def test_arguments_are_at_pycaffes_positions(net_file: str) -> None:
    caffe.Net(net_file, caffe.TEST).save("w.caffemodel")
    net = caffe.Net(net_file, caffe.TEST, 2, ["deep"], "w.caffemodel")
    assert "high" in net.layer_dict
    named = caffe.Net(
        network_file=net_file, phase=caffe.TEST, level=2, stages=["deep"], weights="w.caffemodel"
    )
    assert "high" in named.layer_dict
    assert "high" not in caffe.Net(net_file, caffe.TEST, 1, ["deep"]).layer_dict


def test_the_legacy_form_takes_weights_then_phase(net_file: str) -> None:
    first = caffe.Net(net_file, caffe.TEST)
    first.params["fc"][0].data[...] = 7
    first.save("w.caffemodel")
    for path in ("w.caffemodel", Path("w.caffemodel")):
        net = caffe.Net(net_file, path, caffe.TEST)
        assert net._core.phase == caffe.TEST
        assert (net.params["fc"][0].data == 7).all()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("w.caffemodel",),
        (caffe.TEST, "w.caffemodel"),
        (caffe.TEST, 0, "deep"),
        ("w.caffemodel", "x"),
    ],
)
def test_other_arguments_are_a_type_error(arguments: tuple[object, ...], net_file: str) -> None:
    with pytest.raises(TypeError) as caught:
        caffe.Net(net_file, *arguments)  # type: ignore[arg-type]
    assert isinstance(caught.value, InputError)


def test_functions_are_called_around_each_layer(net_file: str) -> None:
    net = caffe.Net(net_file, caffe.TRAIN)
    calls: list[tuple[str, int]] = []
    for moment in ("before_forward", "after_forward", "before_backward", "after_backward"):
        add: Callable[[Callable[[int], None]], None] = getattr(net, moment)
        add(lambda layer, moment=moment: calls.append((moment, layer)))  # type: ignore[misc]
    net.forward()
    net.backward()
    assert calls[:4] == [
        ("before_forward", 0),
        ("after_forward", 0),
        ("before_forward", 1),
        ("after_forward", 1),
    ]
    assert [c for c in calls if "backward" in c[0]] == [
        (moment, layer) for layer in (2, 1, 0) for moment in ("before_backward", "after_backward")
    ]


def test_a_solver_tells_its_learning_rate(golden: Path) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    first = solver.lr
    assert first == pytest.approx(solver.param.base_lr)
    solver.step(12)
    assert 0 < solver.lr < first


def test_io_has_caffes_messages() -> None:
    assert caffe.io.caffe_pb2 is caffe.proto.caffe_pb2


def test_log_lines_of_ones_own(capfd, monkeypatch) -> None:
    monkeypatch.delenv("GLOG_minloglevel")
    monkeypatch.setattr(log, "_given", {})
    caffe.log("before")
    caffe.init_log(1)
    caffe.log("hidden")
    text = capfd.readouterr().err
    assert text.startswith("I")
    assert text.endswith("] before\n")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: caffe.Net("gone.prototxt", caffe.TEST), RuntimeError),
        (lambda: caffe.Net("net.prototxt", caffe.TEST, weights="gone.caffemodel"), RuntimeError),
        (lambda: caffe.Net("net.prototxt", "gone.caffemodel", caffe.TEST), RuntimeError),
        (lambda: caffe.Net("net.prototxt", caffe.TEST).forward(end="nowhere"), ValueError),
        (
            lambda: caffe.Net("net.prototxt", caffe.TEST).set_input_arrays(np.ones(1), np.ones(1)),
            RuntimeError,
        ),
        (lambda: caffe.io.blobproto_to_array(BlobProto(data=[1, 2])), ValueError),
        (lambda: caffe.io.load_image("gone.png"), OSError),
        (lambda: caffe.io.Transformer({}).set_mean("data", np.ones(3)), ValueError),
        (lambda: caffe.NetSpec().gone, KeyError),
        (lambda: caffe.NetSpec().gone, AttributeError),
        (lambda: caffe.NetSpec()["gone"], KeyError),
        (lambda: caffe.to_proto(caffe.layers.ReLU(nonsense=1)), AttributeError),
    ],
)
def test_errors_are_of_pycaffes_kinds(
    call: Callable[[], object], kind: type[Exception], net_file: str
) -> None:
    with pytest.raises(kind):
        call()


def test_what_genuine_caffe_aborts_on_is_a_runtime_error_and_an_input_error(folder: Path) -> None:
    Path("net.prototxt").write_text(NET.replace("num_output: 4", "num_output: 0"))
    with pytest.raises(RuntimeError) as caught:
        caffe.Net("net.prototxt", caffe.TEST)
    assert isinstance(caught.value, InputError)
    assert "num_output must be at least 1" in str(caught.value)


def test_a_missing_file_is_told_in_the_words_of_the_message(folder: Path) -> None:
    with pytest.raises(InputError, match=r"^File not found: gone\.prototxt$"):
        caffe.Net("gone.prototxt", caffe.TEST)
