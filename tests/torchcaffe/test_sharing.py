"""What nets, layers and blobs share with each other, and what they do not."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.util.errors import InputError


def net(tmp_path: Path, text: str) -> caffe.Net:
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    return caffe.Net(str(path), caffe.TEST)


def test_shared_blobs_add_their_gradients(tmp_path: Path) -> None:
    text = """
    force_backward: true
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 } } }
    layer { name: "a" type: "Power" bottom: "x" top: "a" power_param { scale: 2 } }
    layer { name: "b" type: "Power" bottom: "x" top: "b" power_param { power: 2 } }
    layer { name: "y" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }
    """
    n = net(tmp_path, text)
    n.blobs["x"].data[...] = [1, 2, 3]
    np.testing.assert_allclose(n.forward()["y"], [3, 8, 15])
    n.blobs["y"].diff[...] = 1
    n.backward()
    np.testing.assert_allclose(n.blobs["x"].diff, [4, 6, 8])
    assert "x_x_0_split_0" in n.blobs


SHARED = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 2 dim: 2 } } }
layer { name: "a/conv" type: "Convolution" bottom: "x" top: "a" param { name: "w" lr_mult: 1 }
        convolution_param { num_output: 2 kernel_size: 2 bias_term: false
                            weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "x" top: "b"
        param { name: "w" share_mode: PERMISSIVE }
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "c" type: "Reshape" bottom: "b" top: "c"
        reshape_param { shape { dim: 1 dim: 2 dim: 1 dim: 1 } } }
layer { name: "y" type: "Concat" bottom: "a" bottom: "c" top: "y" }
"""


def test_layers_may_share_a_parameter_in_different_shapes(tmp_path: Path) -> None:
    n = net(tmp_path, "force_backward: true\n" + SHARED)
    assert n.params["b"][0].data.shape == (2, 12)
    n.blobs["x"].data[...] = np.arange(12).reshape(3, 2, 2)
    y = n.forward()["y"].ravel()
    np.testing.assert_allclose(y[2:], y[:2], rtol=1e-5)
    n.params["b"][0].data[...] = 1
    np.testing.assert_array_equal(n.forward()["y"].ravel(), [66] * 4)
    n.blobs["y"].diff[...] = 1
    n.backward()
    expected = 2 * np.tile(n.blobs["x"].data, (2, 1, 1, 1))
    np.testing.assert_array_equal(n.params["a/conv"][0].diff, expected)
    np.testing.assert_array_equal(n.params["b"][0].diff, expected.reshape(2, 12))


def test_hdf5_lacks_what_a_layer_shares_as_genuine_caffe_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel.h5"
    n = net(tmp_path, SHARED)
    n.save_hdf5(str(path))
    other = net(tmp_path, SHARED.replace("xavier", "constant"))
    other.copy_from(str(path))
    np.testing.assert_array_equal(other.params["b"][0].data, n.params["b"][0].data)
    with h5py.File(path, "a") as file:
        del file["data/b/1"]
    with pytest.raises(InputError, match="'b': Incompatible number of blobs: 2 here, 0 in"):
        other.copy_from(str(path))


def test_a_shared_parameter_has_one_multiplier(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'b': Shared param 'w' has mismatched lr_mult"):
        net(tmp_path, SHARED.replace("share_mode", "lr_mult: 2 share_mode"))


LAYERS = """
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "i" type: "Input" top: "i" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "p" type: "Power" bottom: "x" top: "p" power_param { shift: 1 } }
layer { name: "q" type: "Power" bottom: "x" top: "q" power_param { shift: 2 } }
layer { name: "y" bottom: "p" top: "y" %s }
layer { name: "loss" type: "Power" bottom: "y" top: "end" power_param { scale: 3 } }
"""


@pytest.mark.parametrize("kind", ["data", "diff"])
@pytest.mark.parametrize(
    "layer",
    [
        'type: "Bias" bottom: "q" bias_param { axis: 0 }',
        'type: "Concat" bottom: "q" concat_param { axis: 0 }',
        'type: "Crop" bottom: "i" crop_param { axis: 0 }',
        'type: "Dropout"',
        'type: "Eltwise" bottom: "q"',
        'type: "Slice" top: "z" slice_param { axis: 0 }',
        'type: "Tile" tile_param { tiles: 1 }',
    ],
)
def test_what_a_user_writes_into_a_blob_is_in_no_other(
    layer: str, kind: str, tmp_path: Path
) -> None:
    def run() -> dict[str, caffe.Blob]:
        n.forward()
        for name in n.outputs:
            n.blobs[name].diff[...] = 1
        n.backward()
        return {name: blob for name, blob in n.blobs.items() if "x" not in name}

    n = net(tmp_path, LAYERS % layer)
    expected = {name: getattr(blob, kind).copy() for name, blob in run().items()}
    for written in expected:
        n = net(tmp_path, LAYERS % layer)
        for _ in range(2):  # arrays stay live from pass to pass
            blobs = run()
            getattr(blobs[written], kind)[...] = 7
            for name in expected.keys() - {written}:  # genuine Caffe copies
                np.testing.assert_array_equal(getattr(blobs[name], kind), expected[name])
