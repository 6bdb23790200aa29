"""The tutorial of docs/lenet.md, run as it stands: its weights are genuine Caffe's."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe.formats.storage import read_weights
from tests.helpers.golden import GOLDEN
from tests.helpers.markdown import blocks_of

FOLDER = GOLDEN / "lenet"


def test_the_tutorials_weights_are_genuine_caffes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("record_lenet", FOLDER / "record.py")
    assert spec is not None
    assert spec.loader is not None
    record = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(record)
    recorded = json.loads((FOLDER / "lenet.json").read_text())
    (block,) = (b for b in blocks_of("docs/lenet.md") if b.language == "python")
    exec(compile(block.code, "docs/lenet.md", "exec"), {"__name__": "__main__"})
    ours = record.summary(read_weights("lenet_iter_100.caffemodel"))
    assert list(ours) == list(recorded["params"])
    for name, (shape, numbers) in recorded["params"].items():
        assert ours[name][0] == shape
        np.testing.assert_allclose(ours[name][1], numbers, rtol=2e-6, atol=3e-6, err_msg=name)
    assert capsys.readouterr().out == f"{recorded['accuracy'][-1]:.1%} of 297 digits are right\n"
