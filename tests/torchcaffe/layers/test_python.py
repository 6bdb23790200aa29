"""Layers that users write in Python: numbers of genuine Caffe's pycaffe, errors."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.util.errors import InputError
from tests.helpers.golden import GOLDEN, arrays_of, assert_close


@pytest.fixture(autouse=True)
def modules(monkeypatch, tmp_path: Path) -> None:
    """The golden user_layers and a test's own modules can be imported, and caffe is ours."""
    monkeypatch.setitem(sys.modules, "caffe", caffe)
    for name in ("user_layers", "mine"):
        monkeypatch.setitem(sys.modules, name, None)  # so that the end of the test drops it
        del sys.modules[name]
    monkeypatch.syspath_prepend(str(GOLDEN / "layers"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def build(folder: Path, module: str, layer: str = "Mine") -> caffe.Net:
    (folder / "mine.py").write_text(module)
    path = folder / "net.prototxt"
    path.write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "user" type: "Python" bottom: "x" top: "y"\n'
        f'  python_param {{ module: "mine" layer: "{layer}" }} }}\n'
    )
    return caffe.Net(str(path), caffe.TRAIN)


MINE = """
import caffe
class Mine(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top): FORWARD
"""


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_genuine(phase: int) -> None:
    net = caffe.Net(str(GOLDEN / "layers" / "python.prototxt"), phase)
    generator = np.random.RandomState(1)
    for name in ("x", "t"):
        net.blobs[name].data[...] = generator.randn(3, 4)
    for _ in range(2):
        net.forward()
    net.backward()
    for key, value in arrays_of("layers/python.npz", str(phase)).items():
        kind, name = key.split("/")
        if kind == "weight":
            assert_close(net.params[name][0].diff, value, what=key)
        else:
            blob = net.blobs[name]
            assert blob.data.shape == net.blobs[name].shape
            assert_close(blob.data if kind == "data" else blob.diff, value, what=key)


def test_layers_are_the_users_objects() -> None:
    net = caffe.Net(str(GOLDEN / "layers" / "python.prototxt"), caffe.TRAIN)
    assert type(net.layer_dict["scaled"]).__name__ == "Scaled"
    assert net.layer_dict["scaled"].shift == 0.75
    assert net.layer_dict["scaled"].blobs[0] is net.params["scaled"][0]


def test_an_error_of_the_user_comes_with_its_trace(tmp_path: Path) -> None:
    net = build(tmp_path, MINE.replace("FORWARD", "raise ZeroDivisionError('mine')"))
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        net.forward()
    assert Path(str(caught.traceback[-1].path)) == tmp_path / "mine.py"


@pytest.mark.parametrize(
    ("module", "layer", "words"),
    [
        (MINE.replace("def setup", "def start"), "Mine", "Mine has no method 'setup'"),
        (MINE.replace("FORWARD", "pass"), "Other", "module 'mine' has no class 'Other'"),
        ("Mine = 3", "Mine", "module 'mine' has no class 'Mine' made from caffe.Layer"),
    ],
)
def test_refused(module: str, layer: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"layer 'user': {words}"):
        build(tmp_path, module.replace("FORWARD", "pass"), layer)


def test_missing_module(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "u" type: "Python" top: "y" python_param { module: "no_such" } }'
    )
    with pytest.raises(InputError, match="layer 'u': no Python module 'no_such' was found"):
        caffe.Net(str(path), caffe.TEST)


def test_what_a_module_lacks_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="not_there"):
        build(tmp_path, "import not_there")
