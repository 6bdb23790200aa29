"""Weights in caffe-tensorflow's .npy files, and files that only look like such."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.npy import read_npy
from i2cnn.util.errors import InputError

NET = """
input: "data" input_shape { dim: 1 dim: 4 dim: 5 dim: 6 }
layer { name: "a/conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 6 kernel_h: 2 kernel_w: 3 group: 2
                            weight_filler { type: "xavier" } bias_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "bn/scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "prelu" type: "PReLU" bottom: "bn" top: "bn" }
layer { name: "fc1" type: "InnerProduct" bottom: "bn" top: "fc1"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "fc2" type: "InnerProduct" bottom: "fc1" top: "fc2"
        inner_product_param { num_output: 2 bias_term: false weight_filler { type: "xavier" } } }
"""
HEADER = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"


@pytest.fixture
def net(folder: Path) -> caffe.Net:
    """A net whose parameters are all different, saved in net.prototxt."""
    Path("net.prototxt").write_text(NET)
    caffe.set_random_seed(1)
    net = caffe.Net("net.prototxt", caffe.TEST)
    rng = np.random.default_rng(1)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.random(blob.data.shape)
    net.params["bn"][2].data[...] = 1
    return net


def converted(net: caffe.Net, names: bool) -> dict:
    """What caffe-tensorflow makes of the net: its axes, its names; or lists, as it first did."""
    p = {name: [blob.data for blob in blobs] for name, blobs in net.params.items()}
    picture = p["fc1"][0].reshape(3, 6, 4, 4).transpose(2, 3, 1, 0).reshape(96, 3)
    layers = {
        "a_conv": {"biases": p["a/conv"][1], "weights": p["a/conv"][0].transpose(2, 3, 1, 0)},
        "bn": {
            "scale": p["bn/scale"][0],
            "offset": p["bn/scale"][1],
            "mean": p["bn"][0],
            "variance": p["bn"][1],
        },
        "prelu": {"alpha": p["prelu"][0]},
        "fc1": {"weights": picture, "biases": p["fc1"][1]},
        "fc2": {"weights": p["fc2"][0].T.astype(np.float64)},
        "another": {"weights": p["fc2"][0]},
    }
    if names:
        return layers
    layers["a_conv"] = dict(reversed(layers["a_conv"].items()))
    del layers["bn"]["scale"], layers["bn"]["offset"]
    layers["bn/scale"] = {"gamma": p["bn/scale"][0], "beta": p["bn/scale"][1]}
    return {name: list(params.values()) for name, params in layers.items()}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(b"\x93NUMPY\1\0" + len(HEADER).to_bytes(2, "little") + HEADER + content)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("names", [True, False])
def test_a_net_loads_what_caffe_tensorflow_made_of_its_weights(
    net: caffe.Net, names: bool, protocol: int
) -> None:
    whole = np.array(converted(net, names), object)
    write(Path("net.npy"), pickle.dumps(whole, protocol))
    loaded = caffe.Net("net.prototxt", caffe.TEST, weights="net.npy")
    for name, blobs in net.params.items():
        for mine, other in zip(loaded.params[name], blobs, strict=True):
            np.testing.assert_array_equal(mine.data, other.data, err_msg=name)


def test_strings_of_python_2(folder: Path) -> None:
    content = b"\x80\2}U\2fc]cnumpy.core.multiarray\n_reconstruct\n"
    content += b"cnumpy\nndarray\nK\0\x85U\1b\x87R(K\1K\2\x85cnumpy\ndtype\nU\2i2K\0K\1\x87R"
    content += b"(K\3U\1>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89U\4\0\1\1\0tbas."
    assert read_npy(write(Path("a.npy"), content))["fc"]["0"].tolist() == [1, 256]


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


BIG = np.zeros(1000, np.float32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"fc": Evil()}, 2), r"names 'posix.system', which arrays do not need"),
        (pickle.dumps({"fc": Evil()}, 4), r"names 'posix.system', which arrays do not need"),
        (pickle.dumps({"fc": [BIG]}, 2)[:-500], "damaged"),
        (pickle.dumps({"fc": [np.array(["a"])]}, 4), "something else than arrays of numbers"),
        (pickle.dumps({"fc": 3}, 4), "it has a int where a dict should be"),
        (pickle.dumps({("fc",): [BIG]}, 4), "a layer has no name"),
        (pickle.dumps({f"fc{i}": [BIG] for i in range(3)}, 4), "more numbers than bytes"),
        (pickle.dumps({"fc": bytearray(5)}, 5), "BYTEARRAY8"),
        (b"\x80\2(((((.", "damaged"),
        (b"\x80\2cnumpy\nndarray\n}b.", "sets the state of something else"),
        (b"\x80\2cnumpy\ndtype\ncnumpy\ndtype\nR.", "damaged"),
        (b"\x80\2ccnumpy\n", "damaged"),
        (b"\x80\2K\1K\2s.", "damaged"),
        (b"", "damaged"),
        (b"\x8e" + (2**60).to_bytes(8, "little") + b".", "a length in it is larger than memory"),
    ],
    ids=range(15),
)
def test_hostile_files_are_refused_and_nothing_runs(
    content: bytes, message: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_npy(write(Path("bad.npy"), content))
    assert str(caught.value).startswith("bad.npy: ")
    assert "\n" not in str(caught.value)
    assert not Path("ran").exists()


def test_other_files_and_layers_are_refused(net: caffe.Net) -> None:
    np.save("plain.npy", BIG)
    np.save("unknown.npy", {"fc2": {"kernel": BIG}})
    np.save("shape.npy", {"fc2": {"weights": np.zeros((4, 2))}})
    np.save("lonely.npy", {"prelu": {"alpha": np.zeros(6), "scale": np.zeros(6)}})
    Path("short.npy").write_bytes(b"\x93NUM")
    for name, message in (
        ("plain", "it is an array"),
        ("unknown", "layer 'fc2' has unknown parameters 'kernel'"),
        ("shape", "'fc2': Cannot copy param 0 weights from shape.npy: shape mismatch"),
        ("lonely", "the net has no Scale layer above it"),
        ("short", "does not begin as a .npy file"),
        ("missing", "File not found: missing.npy"),
    ):
        with pytest.raises(InputError, match=message):
            net.copy_from(f"{name}.npy")
