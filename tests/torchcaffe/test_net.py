"""Nets: the API of pycaffe, and what must be refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats import storage
from i2cnn.util.errors import InputError
from tests.helpers.caffe_files import change_solver

SMALL = """
name: "small"
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 4 dim: 3 dim: 9 dim: 9 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def net(tmp_path: Path, text: str = SMALL, phase: int = caffe.TEST) -> caffe.Net:
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    caffe.set_random_seed(1)
    return caffe.Net(str(path), phase)


def test_forward_returns_the_outputs(tmp_path: Path) -> None:
    x = np.random.RandomState(0).randn(4, 3, 9, 9).astype(np.float32)
    out = net(tmp_path).forward(data=x)
    assert set(out) == {"prob"}
    np.testing.assert_allclose(out["prob"].sum(1), 1, rtol=1e-5)


def test_forward_ends_at_a_layer(tmp_path: Path) -> None:
    assert set(net(tmp_path).forward(end="fc")) == {"fc"}


def test_forward_starts_at_a_layer(tmp_path: Path) -> None:
    n = net(tmp_path)
    n.blobs["fc"].data[...] = 0
    np.testing.assert_allclose(n.forward(start="prob")["prob"], 1 / 6, rtol=1e-6)


def test_arrays_handed_out_stay_live(tmp_path: Path) -> None:
    n = net(tmp_path)
    data, prob = n.blobs["data"].data, n.blobs["prob"].data
    data[...] = 1
    n.forward()
    first = prob.copy()
    assert first.sum() == pytest.approx(4, rel=1e-5)
    data[...] = -1
    n.forward()
    assert np.abs(prob - first).max() > 1e-4


def test_reshape_follows_the_input(tmp_path: Path) -> None:
    n = net(tmp_path)
    n.blobs["data"].reshape(2, 3, 9, 9)
    n.reshape()
    assert n.blobs["prob"].shape == (2, 6)
    assert n.forward()["prob"].shape == (2, 6)


def test_an_input_that_the_weights_do_not_fit_is_refused(tmp_path: Path) -> None:
    n = net(tmp_path)
    n.blobs["data"].reshape(2, 3, 12, 12)
    with pytest.raises(InputError, match=r"'fc'.*weights are for 245"):
        n.forward()


@pytest.mark.parametrize("name", ["w.caffemodel", "w.caffemodel.h5"])
def test_save_and_load(name: str, tmp_path: Path) -> None:
    n = net(tmp_path)
    save = n.save_hdf5 if name.endswith(".h5") else n.save
    save(str(tmp_path / name))
    assert not any(entry.blob._data.handed_out for entry in n._core.learnable)
    caffe.set_random_seed(2)
    other = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    assert np.abs(other.params["fc"][0].data - n.params["fc"][0].data).max() > 0
    other.copy_from(str(tmp_path / name))
    np.testing.assert_array_equal(other.params["fc"][0].data, n.params["fc"][0].data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('bottom: "fc" top: "prob"', 'bottom: "fx" top: "prob"'), "Unknown bottom blob 'fx'"),
        (('top: "prob"', 'top: "conv"'), "'conv' produced by multiple sources"),
        (
            ('type: "Softmax"', 'type: "Softmix"'),
            r"Unknown layer type: Softmix; did you mean Softmax\? .known types: AbsVal",
        ),
        (("kernel_size: 3", "kernel_size: 30"), "'conv'.*does not fit into a 9x9"),
        (("num_output: 5 kernel_size: 3", "num_output: 5 kernel_size: 3 group: 2"), "group 2"),
        (
            ('type: "xavier" } } }\nlayer { name: "relu"', 'type: "x" } } }\nlayer { name: "relu"'),
            "unknown filler",
        ),
        (('bottom: "fc" top: "prob"', 'bottom: "fc" bottom: "conv" top: "prob"'), "takes 1 bottom"),
    ],
)
def test_bad_nets_are_refused(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    assert change[0] in SMALL
    with pytest.raises(InputError, match=message):
        net(tmp_path, SMALL.replace(*change))


TWINS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "a" inner_product_param { num_output: 2
        weight_filler { type: "constant" value: 1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 2
        weight_filler { type: "constant" value: 2 } } }
"""


def test_layers_with_parameters_may_share_a_name_as_in_caffe(
    folder: Path, monkeypatch, capfd
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    n = net(folder, TWINS)
    warned = [line for line in capfd.readouterr().err.splitlines() if line.startswith("W")]
    assert len(warned) == 1
    assert "several layers with parameters are called 'fc'" in warned[0]
    n.save("twins.caffemodel")
    again = net(folder, TWINS.replace("value: 2", "value: 9"))
    again.copy_from("twins.caffemodel")
    # Genuine Caffe copies both into the first.
    assert [layer.blobs[0].data[0, 0] for layer in again.layers[1:]] == [2, 9]
    with pytest.raises(InputError, match="HDF5 holds one layer per name, and several are"):
        n.save_hdf5("twins.h5")


def test_labels_outside_the_classes_name_the_record(golden: Path) -> None:
    text = Path("tiny_train_val.prototxt").read_text().replace("num_output: 7", "num_output: 3")
    Path("tiny_train_val.prototxt").write_text(text)
    solver = caffe.get_solver("solver_sgd.prototxt")
    with pytest.raises(InputError, match=r"'loss': label \d is outside \[0, 3\).*record 0000"):
        solver.net.forward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"data_lmdb"', '"nowhere"'), "'data': no LMDB at nowhere"),
        (('source: "data_lmdb"', 'source: ""'), "source is empty"),
        (("scale: 0.0078125", "crop_size: 30"), "crop_size 30 is larger than the 24x24"),
        (
            ("mean_value: 120 mean_value: 125 mean_value: 130", 'mean_file: "gone"'),
            "not found: gone",
        ),
    ],
)
def test_bad_data_layers_are_refused(change: tuple[str, str], message: str, golden: Path) -> None:
    path = Path("tiny_train_val.prototxt")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(InputError, match=message):
        caffe.get_solver("solver_sgd.prototxt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('snapshot_prefix: "out/', 'snapshot_prefix: "missing/'), "snapshots go to missing"),
        (('lr_policy: "step"', 'lr_policy: "stop"'), "Unknown learning rate policy"),
        (("stepsize: 5", ""), "needs a stepsize"),
        (("test_interval: 5", ""), "test_interval must be above 0"),
        (('lr_policy: "step"', ""), "lr_policy is missing"),
    ],
)
def test_bad_solvers_are_refused(change: tuple[str, str], message: str, golden: Path) -> None:
    path = Path("solver_sgd.prototxt")
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(InputError, match=message):
        caffe.get_solver(str(path))


def test_a_test_net_is_named_by_its_own_file(golden: Path) -> None:
    net, solver = Path("tiny_train_val.prototxt"), Path("solver_sgd.prototxt")
    Path("other.prototxt").write_text(net.read_text().replace('"ReLU"', '"ReLX"'))
    both = f'train_net: "{net}" test_net: "other.prototxt"'
    solver.write_text(solver.read_text().replace(f'net: "{net}"', both))
    with pytest.raises(InputError, match=r"other\.prototxt: layer .*Unknown layer type: ReLX"):
        caffe.get_solver("solver_sgd.prototxt")


def test_a_solver_without_test_iter_has_no_test_nets(golden: Path) -> None:
    path = Path("solver_sgd.prototxt")
    path.write_text(path.read_text().replace("test_iter: 4", ""))
    assert caffe.get_solver(str(path)).test_nets == []


def test_the_loss_of_a_test_without_batches_is_no_number(golden: Path, capfd, monkeypatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    path = Path("solver_sgd.prototxt")
    path.write_text(
        path.read_text().replace("test_iter: 4", "test_iter: 0 test_compute_loss: true")
    )
    caffe.get_solver(str(path)).step(1)
    assert "] Test loss: nan\n" in capfd.readouterr().err


def test_snapshots_that_protobuf_cannot_hold_are_refused_at_the_start(
    golden: Path, monkeypatch
) -> None:
    change_solver("solver_sgd.prototxt", "adam.prototxt", type="'Adam'", snapshot_format="HDF5")
    solver = caffe.get_solver("adam.prototxt")
    weights = sum(blob.count for blobs in solver.net.params.values() for blob in blobs)
    monkeypatch.setattr(storage, "_PROTOBUF_LIMIT", 8 * weights)  # what Adam's history takes
    caffe.get_solver("solver_sgd.prototxt")
    caffe.get_solver("adam.prototxt")
    change_solver("adam.prototxt", "binary.prototxt", snapshot_format="BINARYPROTO")
    with pytest.raises(InputError, match=r"binary.prototxt: a snapshot of .* use snapshot_format"):
        caffe.get_solver("binary.prototxt")


def test_nets_that_do_not_fit_share_no_weights(tmp_path: Path) -> None:
    n, other = net(tmp_path), net(tmp_path, SMALL.replace("num_output: 6", "num_output: 7"))
    with pytest.raises(InputError, match=r"'fc': Cannot share param 0 .* is \(7, 245\), here"):
        n.share_with(other)


def test_nan_stops_with_advice(golden: Path) -> None:
    path = Path("solver_sgd.prototxt")
    path.write_text(path.read_text().replace("base_lr: 0.02", "base_lr: 1e30"))
    solver = caffe.get_solver(str(path))
    with pytest.raises(InputError, match=r"became nan at .*no snapshot was taken .*Lower base_lr"):
        solver.step(20)


def test_nan_names_the_last_good_snapshot(golden: Path) -> None:
    text = Path("solver_sgd.prototxt").read_text().replace("snapshot: 10", "snapshot: 2")
    Path("solver.prototxt").write_text(text)
    solver = caffe.get_solver("solver.prototxt")
    solver.step(5)
    solver.net.params["fc2"][0].data[...] = np.nan
    solver.snapshot()  # of weights that no loss was computed with: not called good
    with pytest.raises(InputError, match=r"at iteration 5; .*good snapshot is out/sgd_iter_4.solv"):
        solver.step(1)


@pytest.mark.parametrize(
    ("learns", "extra"), [(False, ""), (True, ""), (False, "loss_param { normalization: NONE }")]
)
def test_a_flat_loss_is_pointed_out_once(
    learns: bool, extra: str, golden: Path, capfd, monkeypatch
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    net = Path("tiny_train_val.prototxt")
    kind = 'type: "SoftmaxWithLoss"'
    net.write_text(net.read_text().replace(kind, f"{kind} {extra}"))
    text = Path("solver_sgd.prototxt").read_text()
    text = text.replace("test_interval: 5", "test_interval: 2")
    Path("solver.prototxt").write_text(text.replace("0.02", "0.02" if learns else "1e-9"))
    caffe.get_solver("solver.prototxt").step(20)
    advice = [x for x in capfd.readouterr().err.splitlines() if "has not left ln(7) = 1.946" in x]
    # A loss that is no mean over the labels has another value at chance.
    assert len(advice) == (0 if learns or extra else 1)
    if advice:
        assert advice[0].startswith("W")
        assert "another base_lr" in advice[0]
