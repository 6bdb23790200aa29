"""The tutorial of docs/lenet.md, run as it stands, and the model that ships: genuine Caffe's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import lenet
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.storage import read_weights
from tests.helpers.golden import GOLDEN, load_program
from tests.helpers.markdown import blocks_of

RECORDED = json.loads((GOLDEN / "lenet/lenet.json").read_text())


def check(path: str, iterations: int) -> None:
    """Fail unless the weights are those of genuine Caffe after so many iterations."""
    recorded = RECORDED[str(iterations)]["params"]
    ours = load_program("lenet", "record").summary(read_weights(path))
    assert list(ours) == list(recorded)
    for name, (shape, numbers) in recorded.items():
        assert ours[name][0] == shape
        *mine, mine_sum, _ = ours[name][1]
        *others, other_sum, size = numbers
        np.testing.assert_allclose(mine, others, rtol=2e-6, atol=3e-6, err_msg=name)
        assert mine_sum == pytest.approx(other_sum, rel=0, abs=3e-6 + 2e-7 * size), name


def test_the_tutorials_weights_and_those_that_ship_are_genuine_caffes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict = {"__name__": "__main__"}
    block = next(b for b in blocks_of("docs/lenet.md") if b.language == "python")
    exec(compile(block.code, "docs/lenet.md", "exec"), names)
    check("lenet_iter_100.caffemodel", 100)
    accuracy = RECORDED["100"]["accuracy"]
    assert capsys.readouterr().out == f"{accuracy:.1%} of 297 digits are right\n"

    assert Path(lenet.MODEL).read_text() == names["lenet"](None, 1)
    check(lenet.WEIGHTS, 1000)
    net = caffe.Net(lenet.MODEL, caffe.TEST, weights=lenet.WEIGHTS)
    digits = names["images"][1500:] / 256
    net.blobs["data"].reshape(*digits.shape)
    right = net.forward(data=digits)["prob"].argmax(1) == names["digits"].target[1500:]
    assert right.sum() == 278
    assert right.mean() == pytest.approx(RECORDED["1000"]["accuracy"], abs=1e-6)
