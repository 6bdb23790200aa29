"""Layers that users write in Python: numbers of genuine Caffe's pycaffe, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.util.errors import InputError
from tests.helpers.single_layers import PYTHON, check_python, golden_modules


@pytest.fixture(autouse=True)
def modules(monkeypatch, tmp_path: Path) -> None:
    """The golden user_layers and a test's own modules can be imported, and caffe is ours."""
    golden_modules(monkeypatch)
    monkeypatch.syspath_prepend(str(tmp_path))


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
    check_python(phase)


def test_layers_are_the_users_objects() -> None:
    net = caffe.Net(str(PYTHON), caffe.TRAIN)
    assert type(net.layer_dict["scaled"]).__name__ == "Scaled"
    assert net.layer_dict["scaled"].shift == 0.75
    assert net.layer_dict["scaled"].blobs[0] is net.params["scaled"][0]


def test_a_users_attributes_do_not_hide_the_layers_type(tmp_path: Path) -> None:
    net = build(tmp_path, MINE.replace("top): pass", "top): self.param = {}"))
    assert [layer.type for layer in net.layers] == ["Input", "Python"]


def test_a_source_of_the_users_is_asked_for_its_shape(tmp_path: Path) -> None:
    counter = 'python_param { module: "user_layers" layer: "Counter" }'
    (tmp_path / "net.prototxt").write_text(
        f'layer {{ name: "x" type: "Python" top: "x" {counter} }}\n'
        'layer { name: "y" type: "ReLU" bottom: "x" top: "y" }'
    )
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    assert net.blobs["y"].data.shape == (1, 2)
    net.reshape()
    assert net.blobs["y"].data.shape == (2, 2)


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


@pytest.mark.parametrize("name", ["no_such", ".relative", ""])
def test_missing_module(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        f'layer {{ name: "u" type: "Python" top: "y" python_param {{ module: "{name}" }} }}'
    )
    with pytest.raises(InputError, match=f"layer 'u': no Python module '{name}' was found"):
        caffe.Net(str(path), caffe.TEST)


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        ("import not_there", ModuleNotFoundError, "not_there"),
        ("raise ValueError('mine')", ValueError, "^mine$"),
    ],
)
def test_what_fails_in_a_module_is_not_hidden(
    module: str, error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        build(tmp_path, module)


IN_PLACE = """
import caffe
class Mine(caffe.Layer):
    def setup(self, bottom, top): self.blobs.add_blob(3)
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top): top[0].data[...] = bottom[0].data * self.blobs[0].data + 1
    def backward(self, top, down, bottom):
        # What forward overwrote: x = (y - 1) / w.
        x = (top[0].data - 1) / self.blobs[0].data
        self.blobs[0].diff[...] += (top[0].diff * x).sum(0)
        bottom[0].diff[...] = top[0].diff * self.blobs[0].data
"""
#: The same of Caffe's own layers.
OWN = (
    'layer { name: "user" type: "Scale" bottom: "h" top: "h" param { lr_mult: 2 } }\n'
    'layer { name: "one" type: "Power" bottom: "h" top: "h" power_param { shift: 1 } }\n'
)
USER = (
    'layer { name: "user" type: "Python" bottom: "h" top: "h" param { lr_mult: 2 }\n'
    '  python_param { module: "mine" layer: "Mine" } }\n'
)


def solver_of(folder: Path, user: str) -> caffe.Solver:
    text = (
        'layer { name: "in" type: "Input" top: "x" top: "t" input_param { '
        "shape { dim: 2 dim: 4 } shape { dim: 2 dim: 3 } } }\n"
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "h" inner_product_param { '
        'num_output: 3 weight_filler { type: "xavier" } } }\n'
        f"{user}"
        'layer { name: "loss" type: "EuclideanLoss" bottom: "h" bottom: "t" top: "loss" }\n'
    )
    (folder / "net.prototxt").write_text(text)
    (folder / "solver.prototxt").write_text(
        f'net: "{folder}/net.prototxt" base_lr: 0.1 momentum: 0.9 weight_decay: 0.01 '
        f'lr_policy: "fixed" snapshot_prefix: "{folder}/s" random_seed: 3 solver_mode: CPU'
    )
    solver = caffe.get_solver(str(folder / "solver.prototxt"))
    generator = np.random.RandomState(0)
    for name in ("x", "t"):
        solver.net.blobs[name].data[...] = generator.randn(*solver.net.blobs[name].shape)
    return solver


def weights_of(solver: caffe.Solver) -> list[np.ndarray]:
    return [blob.data.copy() for blobs in solver.net.params.values() for blob in blobs]


def test_in_place_with_a_solver_and_across_resume(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(IN_PLACE)
    own = solver_of(tmp_path, OWN)
    solver = solver_of(tmp_path, USER)
    for each in (own, solver):
        each.net.params["user"][0].data[...] = [1, -2, 3]
    own.step(3)
    solver.step(1)
    solver.snapshot()
    solver.step(2)
    resumed = solver_of(tmp_path, USER)
    resumed.restore(str(tmp_path / "s_iter_1.solverstate"))
    resumed.step(2)
    for mine, same, theirs in zip(*map(weights_of, (solver, resumed, own)), strict=True):
        np.testing.assert_array_equal(same, mine)
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
