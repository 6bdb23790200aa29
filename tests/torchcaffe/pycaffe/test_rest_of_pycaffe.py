"""What few programs use of pycaffe: Detector, coord_map, draw, ids, Timer, NCCL, ranks."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.pycaffe import coord_map, draw
from i2cnn.torchcaffe.pycaffe.coord_map import UnfitCropError
from i2cnn.util.errors import InputError
from tests.helpers.golden import GOLDEN, load_program
from tests.helpers.programs import run

PROGRAM = load_program("dropin")
RECORDED = json.loads((GOLDEN / "dropin" / "program.json").read_text())
L = caffe.layers


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """The test may set ranks and silence the log."""
    yield
    runtime.group = Group()
    log.reset_options()


@pytest.fixture
def nets(folder: Path) -> Path:
    Path("small.prototxt").write_text(PROGRAM.NET)
    Path("solver.prototxt").write_text(PROGRAM.SOLVER)
    return folder


def assert_same(ours: Any, theirs: Any) -> None:
    """Equal but for 2e-5 in numbers, which are rounded to 5 digits after the point."""
    if isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=2e-5, rel=1e-5)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    else:
        assert ours == theirs


def test_ids_losses_and_learning_rates_are_genuine_caffes(nets: Path) -> None:
    caffe.set_random_seed(4)
    found = PROGRAM.ids(caffe.Net("small.prototxt", caffe.TRAIN))
    found["lr"] = PROGRAM.rates(caffe.SGDSolver("solver.prototxt"))
    for name, value in found.items():
        assert_same(value, RECORDED[name])


def test_coordinates_are_genuine_caffes() -> None:
    assert_same(PROGRAM.maps(caffe), RECORDED["coord_map"])


def test_the_detector_scores_windows_as_genuine_caffe_does(nets: Path) -> None:
    caffe.set_random_seed(5)
    caffe.Net("small.prototxt", caffe.TEST).save("small.caffemodel")
    assert_same(PROGRAM.detections(caffe), RECORDED["detector"])
    detector = caffe.Detector("small.prototxt", "small.caffemodel", context_pad=2)
    assert detector.detect_windows([]) == []
    with pytest.raises(InputError, match=r"window \(90, 90, 99, 99\) is outside of the"):
        detector.crop(np.zeros((20, 20, 3)), np.array([90, 90, 99, 99]))
    height, width = detector.crop_dims[:2]
    with pytest.raises(InputError, match=f"context_pad {width} needs .* {height}x{width}"):
        detector.configure_crop(width)
    detector.blobs[detector.inputs[0]].reshape(1, 3, height, width + 1)
    with pytest.raises(InputError, match="context_pad 2 needs a square input"):
        detector.configure_crop(2)
    with pytest.raises(InputError, match="Selective Search needs MATLAB"):
        detector.detect_selective_search(["a.png"])


def test_a_classifier_takes_gray_images_among_coloured_ones(nets: Path) -> None:
    caffe.Net("small.prototxt", caffe.TEST).save("small.caffemodel")
    classifier = caffe.Classifier("small.prototxt", "small.caffemodel")
    colour, gray = np.random.RandomState(0).rand(2, 20, 20, 3)
    gray[...] = gray[:, :, :1]
    for oversample in (True, False):
        found = classifier.predict([colour, gray[:, :, :1]], oversample)
        np.testing.assert_array_equal(found, classifier.predict([colour, gray], oversample))
        classifier.image_dims = (3, 20)
        with pytest.raises(ValueError, match="do not fit into"):
            classifier.predict([colour], oversample)
        classifier.image_dims = (20, 20)


def test_graphs_are_genuine_caffes() -> None:
    pytest.importorskip("pydot")
    assert PROGRAM.graphs(caffe) == RECORDED["graph"]


def test_drawing_without_pydot_or_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    net = caffe.proto.NetParameter()
    monkeypatch.setitem(__import__("sys").modules, "pydot", None)
    with pytest.raises(InputError, match=r"pip install 'i2cnn\[draw\]'"):
        draw.draw_net(net, "LR")
    monkeypatch.undo()
    pytest.importorskip("pydot")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="install graphviz"):
        draw.draw_net(net, "LR")


def tops() -> Any:
    n = caffe.NetSpec()
    n.data = L.Input(shape={"dim": [1, 1, 60, 60]})
    n.half = L.Pooling(n.data, kernel_size=2, stride=2)
    n.wide = L.Convolution(n.data, kernel_size=1, pad=2, num_output=1)
    n.odd = L.Pooling(n.data, kernel_size=2)
    n.flat = L.InnerProduct(n.data, num_output=2)
    n.legacy = L.Pooling(n.data, kernel_h=2, kernel_w=2)
    n.relu = L.ReLU(n.data)
    n.deep = L.Convolution(n.data, kernel_size=1, axis=2, num_output=1)
    return n


@pytest.mark.parametrize(
    ("source", "target", "error", "message"),
    [
        ("half", "data", UnfitCropError, "scale mismatch"),
        ("data", "wide", UnfitCropError, "negative offset"),
        ("data", "odd", UnfitCropError, "noninteger offset"),
        ("flat", "data", RuntimeError, "Could not compute map"),
        ("legacy", "data", UnfitCropError, "height and width"),
        ("deep", "wide", coord_map.AxisMismatchException, "axis 1 and axis 2"),
    ],
)
def test_crops_that_do_not_fit(source: str, target: str, error: Any, message: str) -> None:
    n = tops()
    with pytest.raises(error, match=message):
        coord_map.crop(n[source], n[target])


def test_blobs_that_lie_on_each_other_are_cropped_from_their_corner() -> None:
    n = tops()
    layer = coord_map.crop(n.relu, n.data).to_proto().layer[-1]
    assert list(layer.crop_param.offset) == [0]
    assert not layer.crop_param.HasField("axis")


def test_a_timer_measures_what_lies_between_start_and_stop() -> None:
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.002)
    assert timer.ms >= 2  # it stops here
    stopped = timer.ms
    time.sleep(0.001)
    timer.stop()
    assert timer.ms == stopped


def test_solvers_count_themselves(nets: Path) -> None:
    assert [caffe.solver_rank(), caffe.solver_count()] == RECORDED["ranks"]
    caffe.set_solver_count(3)
    caffe.set_solver_rank(2)
    caffe.set_multiprocess(True)
    assert (caffe.solver_rank(), caffe.solver_count()) == (2, 3)
    assert log.option("minloglevel") == "1"  # only the root logs
    for wrong in (lambda: caffe.set_solver_count(0), lambda: caffe.set_solver_rank(-1)):
        with pytest.raises(ValueError, match="is below"):
            wrong()
    caffe.set_solver_rank(3)
    with pytest.raises(InputError, match="solver rank 3 of 3"):
        caffe.NCCL(caffe.SGDSolver("solver.prototxt"), caffe.NCCL.new_uid())


def test_two_processes_average_their_gradients(nets: Path) -> None:
    assert caffe.has_nccl()
    run("nccl_on_two", "solver.prototxt")
    first, second = (np.load(f"rank{rank}.npz") for rank in (0, 1))
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    for name in ("start", "diff", "end"):
        np.testing.assert_allclose(first[f"whole_{name}"], first[f"layers_{name}"], atol=1e-7)
    assert (first["whole_start"] != first["whole_end"]).any()


def test_a_single_process_trains_with_nccl_too(nets: Path) -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    nccl = caffe.NCCL(solver, caffe.NCCL.new_uid())
    nccl.bcast()
    solver.add_callback(nccl)
    solver.step(1)
    assert solver.iter == 1
    with pytest.raises(TypeError, match="two functions, or an NCCL"):
        solver.add_callback(lambda: None)


def test_messages_can_be_pickled() -> None:
    net = caffe.proto.NetParameter(name="n", layer=[{"name": "a", "type": "ReLU"}])
    assert pickle.loads(pickle.dumps(net)) == net


def test_net_spec_has_pycaffes_own_names() -> None:
    from i2cnn.torchcaffe.pycaffe import net_spec

    assert net_spec.param_name_dict()["InnerProduct"] == "inner_product"
    layer = caffe.proto.LayerParameter()
    net_spec.assign_proto(layer, "convolution_param", {"kernel_size": [3, 5]})
    assert list(layer.convolution_param.kernel_size) == [3, 5]
    n = tops()
    assert list(n.tops)[:2] == ["data", "half"]
    assert n.half.fn.params == {"kernel_size": 2, "stride": 2}
    assert n.half.fn.ntop == 1
