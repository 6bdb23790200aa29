"""Layers of other packages: the example of docs/dialects.md, and what is wrong with others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.layer import DIALECTS, Layer, register_dialect
from i2cnn.torchcaffe.formats.prototext import parse, to_text
from i2cnn.torchcaffe.plugins import GROUP, load_plugins
from i2cnn.torchcaffe.proto import LayerParameter, NetParameter
from i2cnn.torchcaffe.proto.declared import declare_settings
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import FillerParameter
from i2cnn.util.errors import InputError
from tests.helpers.dialects import OneLayer
from tests.helpers.markdown import blocks_of

MISH = 'type: "Mish" top: "y" mish_param { beta: 2 }'


@pytest.fixture
def join(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Let a module, of this text, be another package's."""

    def write(name: str, text: str) -> None:
        Path(f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(folder))
        points = [EntryPoint(name, name, GROUP)]
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
        load_plugins.cache_clear()

    known = dict(DIALECTS)
    DIALECTS.pop("Mish", None)
    yield write
    DIALECTS.clear()
    DIALECTS.update(known)
    load_plugins.cache_clear()
    for name in ("mish", "broken"):
        sys.modules.pop(name, None)


def test_the_example_of_the_page_runs(
    join: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = (b for b in blocks_of("docs/dialects.md") if b.language == "python")
    assert len(example.code.split("\n")) <= 20
    join("mish", example.code)
    x = np.linspace(-3, 3, 8, dtype=np.float32)
    it = OneLayer(MISH, [x])
    assert "refuses this net, for Mish of our own Caffe" in capsys.readouterr().err
    np.testing.assert_allclose(it.forward()[0], x * np.tanh(np.log1p(np.exp(2 * x))), rtol=1e-5)
    it.check_gradients()
    assert "Mish" not in caffe.layer_type_list()
    net = caffe.to_proto(caffe.layers.Mish(caffe.layers.Input(), mish_param={"beta": 3}))
    assert "  mish_param {\n    beta: 3.0\n  }\n" in to_text(net)
    with pytest.raises(AttributeError, match="Mish has no setting called 'mush_param'"):
        caffe.to_proto(caffe.layers.Mish(mush_param={"beta": 3}))


def test_a_layer_of_ones_own_takes_precedence_over_a_forks(
    join: Callable[[str, str], None],
) -> None:
    text = "from i2cnn.torchcaffe.dialects import Layer, register_dialect\n"
    text += "@register_dialect('ReLU6', fork='ours')\nclass Mine(Layer):\n"
    join("mish", text + "    def compute(self, bottoms):\n        return [bottoms[0] + 1]\n")
    it = OneLayer('type: "ReLU6" top: "y"', [np.full(2, 8)])
    np.testing.assert_array_equal(it.forward()[0], [9, 9])


def test_a_package_that_cannot_be_loaded(join: Callable[[str, str], None]) -> None:
    join("broken", "import no_such_module")
    with pytest.raises(InputError, match=r"layers of 'broken' .*no_such_module.*; repair or"):
        OneLayer(MISH, [np.zeros(3)])
    OneLayer('type: "ReLU" top: "y"', [np.zeros(3)])  # Caffe's own nets do not need it


SETTINGS = declare_settings(
    "declared_param", beta=1.5, on=True, text="a b", order=[int], filler=FillerParameter
)
TEXT = """name: "declared_param {"
layer {
  name: "declared_param {"
  declared_param {
    beta: 2.0
    order: 1
    order: 2
    filler {
      type: "xavier"
    }
  }
}
"""


def test_declared_settings_in_text_and_in_binary_files() -> None:
    net = parse(TEXT, NetParameter(), "net")
    assert to_text(net) == TEXT
    found = SETTINGS(NetParameter.FromString(net.SerializeToString()).layer[0])
    assert (found.beta, found.on, found.text, list(found.order)) == (2, True, "a b", [1, 2])
    assert found.filler.type == "xavier"
    assert SETTINGS(LayerParameter()).beta == 1.5
    layers = [f"{{ declared_param {{ beta: {beta} }} }}" for beta in (2, 3)]
    net = parse(f"layer: [{', '.join(layers)}]", NetParameter(), "net")
    assert [SETTINGS(layer).beta for layer in net.layer] == [2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer { declared_param { bta: 2 } }", "net:1:26: .*did you mean beta?"),
        ("layer { declared_param { beta: 2 } foo: 3 }", "net:1:36: .*no field named"),
        ("declared_param { beta: 2 }", "net:1:1: .*no field named"),
    ],
)
def test_errors_in_declared_settings_name_their_place(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(text, NetParameter(), "net")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("declared_param", {"beta": 2.0}, "another package has declared other settings"),
        ("relu_param", {"beta": 2.0}, "layers have a field relu_param already"),
        ("other_param", {"beta": None}, "beta must have a bool, an int"),
        ("other_param", {"beta": float}, "beta must have a bool, an int"),
        ("other_param", {"beta": []}, "beta must have a bool, an int"),
        ("other_param", {"beta": [1, 2]}, "beta must have a bool, an int"),
        ("other_param", {"beta": 2**63}, "settings 'other_param' cannot be declared: .*default"),
        ("other param", {"beta": 1}, "settings 'other param' cannot be declared: .*name"),
    ],
)
def test_settings_that_cannot_be_declared(name: str, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        declare_settings(name, **settings)


def test_a_layer_that_is_nobodys_is_refused() -> None:
    with pytest.raises(InputError, match=r"register_dialect\('Mish'\): give fork, which says"):
        register_dialect("Mish")(Layer)
