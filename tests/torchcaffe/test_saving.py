"""Files of weights: what genuine Caffe writes of a net, and nets that are read from them."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.util.errors import InputError

SNAPSHOTS = Path(__file__).parents[1] / "golden" / "snapshots"
SHARED = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
        inner_product_param { num_output: 3 } }
"""


def names(path: str | Path) -> list[str]:
    found: list[str] = []
    with h5py.File(path, "r") as file:
        file.visit(found.append)
    return found


@pytest.mark.parametrize("name", ["sgd_iter_10", "sgd_iter_20"])
def test_a_net_is_saved_byte_for_byte_as_genuine_caffe_does(golden: Path, name: str) -> None:
    genuine = SNAPSHOTS / f"{name}.caffemodel"
    net = caffe.Net("tiny_train_val.prototxt", caffe.TRAIN, weights=str(genuine))
    net.save("mine.caffemodel")
    assert Path("mine.caffemodel").read_bytes() == genuine.read_bytes()


def test_diffs_that_were_saved_are_read_as_in_genuine_caffe(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(SHARED)
    one, other = (caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST) for _ in range(2))
    one.params["a"][1].diff[...] = [1, 2, 3]
    one._core.save(str(tmp_path / "w.caffemodel"), with_diff=True)
    other.copy_from(str(tmp_path / "w.caffemodel"))
    assert other.params["a"][1].diff.tolist() == [1, 2, 3]
    one._core.save(str(tmp_path / "w.caffemodel"))
    one.copy_from(str(tmp_path / "w.caffemodel"))
    assert one.params["a"][1].diff.tolist() == [1, 2, 3]


def test_settings_that_are_not_given_are_not_saved(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        SHARED + 'layer { name: "p" type: "PReLU" bottom: "b" top: "p" }'
    )
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    assert net.params["p"][0].data.tolist() == [0.25] * 3
    net.save(str(tmp_path / "w.caffemodel"))
    saved = NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert not saved.layer[-1].HasField("prelu_param")


def test_hdf5_has_genuine_caffes_groups(golden: Path) -> None:
    genuine = SNAPSHOTS / "sgd_h5_iter_20.caffemodel.h5"
    net = caffe.Net("tiny_train_val.prototxt", caffe.TRAIN, weights=str(genuine))
    net.save_hdf5("mine.h5")
    assert names("mine.h5") == names(genuine)


def test_hdf5_has_what_layers_share_once_but_the_diffs_of_each(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(SHARED)
    net = caffe.Net(str(path), caffe.TEST)
    net.save_hdf5(str(tmp_path / "w.h5"), True)
    found = names(tmp_path / "w.h5")
    assert [name for name in found if name.startswith("data/")] == [
        *("data/a", "data/a/0", "data/a/1", "data/b", "data/b/1", "data/x")
    ]
    assert {"diff/b/0", "diff/b/1"} <= set(found)


def test_a_layer_may_be_called_as_the_beginning_of_anothers_name(tmp_path: Path) -> None:
    path, saved = tmp_path / "net.prototxt", str(tmp_path / "w.h5")
    text = SHARED.replace('name: "b"', 'name: "c/b"', 1)
    path.write_text(text + 'layer { name: "c" type: "ReLU" bottom: "b" top: "c" }')
    net = caffe.Net(str(path), caffe.TEST)
    net.params["c/b"][1].data[...] = 3
    net.save_hdf5(saved)
    assert (caffe.Net(str(path), caffe.TEST, weights=saved).params["c/b"][1].data == 3).all()


@pytest.mark.parametrize("name", ["", "a/", "/a", "a//b", "."])
def test_a_name_that_hdf5_cannot_hold_is_refused_where_parameters_have_it(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.prototxt"
    relu = f'layer {{ name: "{name}" type: "ReLU" bottom: "b" top: "c" }}'
    path.write_text(SHARED + relu)
    caffe.Net(str(path), caffe.TEST).save_hdf5(str(tmp_path / "w.h5"))
    assert "data/b" in names(tmp_path / "w.h5")
    path.write_text(SHARED.replace('name: "b"', f'name: "{name}"', 1))
    with pytest.raises(InputError, match=f"HDF5 cannot hold a layer called '{re.escape(name)}'"):
        caffe.Net(str(path), caffe.TEST).save_hdf5(str(tmp_path / "w.h5"))


def test_a_net_from_a_caffemodel_is_of_the_phase_that_is_asked_for(tmp_path: Path) -> None:
    text = SHARED + 'layer { name: "d" type: "Dropout" bottom: "b" top: "d" }'
    (tmp_path / "net.prototxt").write_text(text)
    saved = str(tmp_path / "w.caffemodel")
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN).save(saved)
    layers = NetParameter.FromString(Path(saved).read_bytes()).layer
    assert all(layer.HasField("phase") and layer.phase == caffe.TRAIN for layer in layers)
    net = caffe.Net(saved, caffe.TEST, weights=saved)
    net.blobs["x"].data[...] = 1
    net.forward()
    assert (net.blobs["d"].data == net.blobs["b"].data).all()


def test_a_net_can_be_given_a_name(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text('name: "n" ' + SHARED)
    net = caffe.Net(str(path), caffe.TEST)
    assert net.name == "n"
    net.name = "vgg16_faster_rcnn"  # as test_net.py of Faster R-CNN does
    net.save(str(tmp_path / "w.caffemodel"))
    saved = NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert (net.name, saved.name) == ("vgg16_faster_rcnn", "n")
