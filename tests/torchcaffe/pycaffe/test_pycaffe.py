"""A program written for pycaffe says the same on ours as it said on genuine Caffe 1.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import parse
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.util.errors import InputError
from tests.helpers.caffe_files import change_solver
from tests.helpers.golden import GOLDEN, load_program

FOLDER = GOLDEN / "pycaffe"
RECORDED = json.loads((FOLDER / "program.json").read_text())


def same(ours: Any, theirs: Any, where: str) -> None:
    """Equal but for 2e-5 in numbers, which are rounded to 5 digits after the point."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), where
        for key in theirs:
            same(ours[key], theirs[key], f"{where}/{key}")
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            same(a, b, f"{where}/{i}")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=2e-5, rel=1e-5), where
    else:
        assert ours == theirs, where


def test_program(golden: Path) -> None:
    found = load_program("pycaffe").run(caffe)
    for ours, theirs in zip(found.pop("spec"), RECORDED["spec"], strict=True):
        assert parse(ours, NetParameter(), "ours") == parse(theirs, NetParameter(), "theirs")
    same(found, {k: v for k, v in RECORDED.items() if k != "spec"}, "program")


def test_blobs_and_nets_outlive_their_solver(golden: Path) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    solver.step(1)
    net, blob = solver.net, solver.net.blobs["fc2"]
    values = blob.data.copy()
    del solver
    np.testing.assert_array_equal(blob.data, values)
    net.forward()
    assert np.abs(blob.data - values).max() > 0
    del net
    assert blob.data.shape == (8, 7)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda L: L.ReLU("x"), TypeError, r"ReLU input 0 is not a Top \(type is <class 'str'>\)"),
        (lambda L: caffe.to_proto(L.ReLU(nonsense=1)), InputError, "no setting called 'nonsense'"),
        (
            lambda L: caffe.to_proto(L.Convolution(weight_filler={"typ": "xavier"})),
            InputError,
            "FillerParameter has no field called 'typ'",
        ),
    ],
)
def test_what_net_spec_refuses(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make(caffe.layers)


def test_net_spec_names_layers_and_tops_as_genuine_caffe_does() -> None:
    n, L = caffe.NetSpec(), caffe.layers
    n.a, n.b = L.Input(), L.Input()
    both = L.Python(n.a, n.b, in_place=True, ntop=2)
    n.z = L.ReLU(L.ReLU(both[1], in_place=True, name="given"), in_place=True, relu_param={})
    n.e = L.ReLU(L.ReLU(n.z))
    net = n.to_proto()
    assert [(layer.name, list(layer.bottom), list(layer.top)) for layer in net.layer[2:]] == [
        ("Python1", ["a", "b"], ["a", "b"]),
        ("given", ["b"], ["b"]),  # would be ReLU1
        ("z", ["b"], ["b"]),
        ("ReLU2", ["b"], ["ReLU2"]),
        ("e", ["ReLU2"], ["e"]),
    ]
    assert not any(layer.HasField("relu_param") for layer in net.layer)


def test_net_spec_forgets_a_deleted_top() -> None:
    net = caffe.NetSpec()
    net.x = caffe.layers.Input(shape={"dim": [1, 2]})
    net.y = caffe.layers.ReLU(net.x)
    del net["y"]
    with pytest.raises(AttributeError, match=r"^the net has no top called 'y'"):
        _ = net.y
    assert [layer.name for layer in net.to_proto().layer] == ["x"]


def test_an_unknown_message_has_no_params() -> None:
    with pytest.raises(AttributeError, match="no message NothingParameter"):
        _ = caffe.params.Nothing


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.forward(end="nowhere"), "no layer is called 'nowhere'"),
        (
            lambda net: net.forward(other=np.zeros((4, 3))),
            "do not match net inputs. Given: other; the net has: data",
        ),
        (lambda net: net.forward(data=np.zeros((1, 3, 12, 12))), r"data has .*, 12\), its blob"),
        (lambda net: net.backward(other=np.zeros((4, 3))), "do not match net outputs"),
        (lambda net: net.backward(start="fc", fc=np.ones((4, 6))), "do not match net outputs"),
        (lambda net: net.backward(prob=np.ones((1, 3))), "Diff is not batch sized"),
        (lambda net: net.forward_all(), "need arrays"),
        (lambda net: net.forward_backward_all(), "need arrays"),
        (lambda net: net.copy_from("gone.caffemodel"), "File not found: gone.caffemodel"),
        (lambda net: net.blobs["fc"].reshape(-1, 3), "negative dimensions"),
    ],
)
def test_what_nets_refuse(call: Any, message: str, golden: Path) -> None:
    Path("deploy.prototxt").write_text(load_program("pycaffe").DEPLOY)
    with pytest.raises(InputError, match=message):
        call(caffe.Net("deploy.prototxt", caffe.TEST))


def test_get_solver_returns_the_type_that_the_file_names(golden: Path) -> None:
    assert type(caffe.get_solver("solver_adam.prototxt")) is caffe.AdamSolver


def test_a_solvers_class_sets_its_type(golden: Path) -> None:
    assert caffe.AdaDeltaSolver("solver_adadelta.prototxt").param.type == "AdaDelta"


def test_a_net_needs_a_phase(golden: Path) -> None:
    with pytest.raises(InputError, match="needs a phase"):
        caffe.Net("tiny_train_val.prototxt")


def test_layer_types_are_listed() -> None:
    assert {"Convolution", "LRN", "Data"} <= set(caffe.layer_type_list())


NAMES = {
    "": "Net SGDSolver NesterovSolver AdaGradSolver RMSPropSolver AdaDeltaSolver AdamSolver "
    "get_solver set_mode_cpu set_mode_gpu set_device set_random_seed layer_type_list io NetSpec "
    "layers params to_proto Classifier TRAIN TEST proto pycaffe _caffe",
    "_caffe": "AdaDeltaSolver AdaGradSolver AdamSolver Blob BlobVec BoolVec DtypeVec IntVec Layer "
    "LayerParameter LayerVec NCCL NesterovSolver Net NetVec RMSPropSolver RawBlobVec SGDSolver "
    "Solver SolverParameter StringVec Timer get_solver has_nccl init_log layer_type_list log "
    "set_device set_mode_cpu set_mode_gpu set_multiprocess set_random_seed set_solver_count "
    "set_solver_rank solver_count solver_rank",  # all that genuine pycaffe's has
    "io": "Transformer load_image array_to_datum datum_to_array blobproto_to_array "
    "array_to_blobproto resize_image oversample",
    "net": "blobs params layers layer_dict inputs outputs top_names bottom_names "
    "blob_loss_weights forward backward forward_all forward_backward_all clear_param_diffs "
    "copy_from share_with save save_hdf5 load_hdf5 reshape",
    "solver": "net test_nets iter step solve restore snapshot apply_update add_callback param",
    "blob": "data diff shape count num channels height width reshape",
    "transformer": "preprocess deprocess set_transpose set_channel_swap set_raw_scale set_mean "
    "set_input_scale",
}


def test_the_names_that_programs_use_are_there(golden: Path) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    objects = {
        "": caffe,
        "_caffe": caffe._caffe,
        "io": caffe.io,
        "net": solver.net,
        "solver": solver,
        "blob": solver.net.blobs["data"],
        "transformer": caffe.io.Transformer({"data": (1, 3, 4, 5)}),
    }
    for where, names in NAMES.items():
        assert [name for name in names.split() if not hasattr(objects[where], name)] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Solver", lambda solver: solver),
        ("SolverParameter", lambda solver: solver.param),
        ("NetVec", lambda solver: solver.test_nets),
        ("Net", lambda solver: solver.net),
        ("LayerVec", lambda solver: solver.net.layers),
        ("Layer", lambda solver: solver.net.layers[1]),
        ("BlobVec", lambda solver: solver.net.params["fc2"]),
        ("BlobVec", lambda solver: solver.net.layers[1].blobs),
        ("BlobVec", lambda solver: solver.net._blobs),
        ("Blob", lambda solver: solver.net.blobs["data"]),
        ("StringVec", lambda solver: solver.net._layer_names),
        ("IntVec", lambda solver: solver.net._top_ids(0)),
        ("DtypeVec", lambda solver: solver.net._blob_loss_weights),
    ],
)
def test_objects_are_of_the_compiled_modules_classes(name: str, value: Any, golden: Path) -> None:
    solver = caffe.get_solver("solver_adam.prototxt")
    assert isinstance(value(solver), getattr(caffe._caffe, name))


def test_a_solver_is_restored_to_its_snapshot(golden: Path) -> None:
    solver = caffe.SGDSolver("solver_sgd.prototxt")
    solver.solve()
    assert solver.iter == 20
    final = solver.net.params["fc2"][0].data.copy()
    solver.net.params["fc2"][0].data[...] = 0
    solver.restore("out/sgd_iter_20.solverstate")
    np.testing.assert_array_equal(solver.net.params["fc2"][0].data, final)


def test_solve_resumes_from_a_snapshot(golden: Path) -> None:
    solver = caffe.SGDSolver("solver_sgd.prototxt")
    solver.solve()
    resumed = caffe.SGDSolver("solver_sgd.prototxt")
    resumed.solve("out/sgd_iter_10.solverstate")
    ours, whole = (s.net.params["fc2"][0].data for s in (resumed, solver))
    np.testing.assert_array_equal(ours, whole)


def test_diffs_of_parameters_are_written_and_cleared(golden: Path) -> None:
    net = caffe.SGDSolver("solver_sgd.prototxt").net
    net.params["fc2"][0].diff[...] = 1
    assert (net.params["fc2"][0].diff == 1).all()
    net.clear_param_diffs()
    assert not net.params["fc2"][0].diff.any()


def test_an_update_by_hand_is_an_iteration(golden: Path, capfd, monkeypatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    change_solver("solver_sgd.prototxt", "by_hand.prototxt", stepsize=1)
    solver = caffe.get_solver("by_hand.prototxt")
    solver.net.forward()
    solver.net.backward()
    solver.apply_update()
    assert "] Iteration 0, lr = " in capfd.readouterr().err
    assert solver.iter == 1
    assert solver.lr == pytest.approx(0.1 * solver.param.base_lr)


def test_a_solver_shares_its_weights_with_another_net(golden: Path) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    net = caffe.Net("tiny_train_val.prototxt", caffe.TEST)
    own = solver.net.params["fc2"][0].data.copy()
    assert np.abs(net.params["fc2"][0].data - own).max() > 0
    solver.share_weights(net)
    np.testing.assert_array_equal(solver.net.params["fc2"][0].data, own)
    solver.net.params["fc2"][0].data[...] = 7
    np.testing.assert_array_equal(net.params["fc2"][0].data, 7)


def test_all_inputs_run_backward_from_the_diffs_that_are_there(folder: Path) -> None:
    Path("net.prototxt").write_text(
        'force_backward: true layer { name: "x" type: "Input" top: "x" '
        "input_param { shape { dim: 2 dim: 1 } } } "
        'layer { name: "y" type: "Power" bottom: "x" top: "y" power_param { power: 2 } }'
    )
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.blobs["y"].diff[...] = 1
    data, diffs = net.forward_backward_all(x=np.array([[1], [2], [3]]))
    assert data["y"].ravel().tolist() == [1, 4, 9]
    assert diffs["x"].ravel().tolist() == [2, 4, 6]


def test_levels_and_stages_of_nets(golden: Path) -> None:
    text = Path("tiny_train_val.prototxt").read_text()
    Path("net.prototxt").write_text(
        text + 'layer { name: "e" type: "Softmax" bottom: "fc2" top: "e" '
        'include { stage: "deploy" min_level: 1 max_level: 2 } }'
    )

    def there(**state: Any) -> bool:
        return "e" in caffe.Net("net.prototxt", caffe.TEST, **state).layer_dict

    assert there(stages=["deploy"], level=1)
    assert not there(stages=["deploy"], level=3)
    assert not there(level=1)
    assert not there()


def test_caffe_pb2_has_caffes_messages() -> None:
    from i2cnn.torchcaffe.proto import caffe_pb2

    assert caffe.proto.caffe_pb2 is caffe_pb2
    datum = caffe_pb2.Datum(channels=1, height=1, width=2, data=b"ab", label=3)
    assert caffe.io.datum_to_array(datum).tolist() == [[[97, 98]]]
    assert caffe_pb2.BlobProto(shape={"dim": [2, 3]}).shape.dim[1] == 3
