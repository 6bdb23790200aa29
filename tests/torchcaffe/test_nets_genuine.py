"""How genuine Caffe 1.0 builds small nets: names, splits, outputs, loss weights, gradients."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe

NETS = json.loads((Path(__file__).parents[1] / "golden" / "nets" / "nets.json").read_text())


def size(array: np.ndarray) -> float:
    return float(np.abs(array).sum())


@pytest.mark.parametrize("case", sorted(NETS))
def test_net(case: str, tmp_path: Path) -> None:
    name, phase = case.split("/")
    facts = NETS[case]
    path = tmp_path / "net.prototxt"
    path.write_text(facts["prototxt"])
    caffe.set_random_seed(3)
    staged = name == "stages"
    net = caffe.Net(
        str(path),
        phase=getattr(caffe, phase),
        level=int(staged),
        stages=["deploy"] if staged else None,
    )
    rng = np.random.RandomState(0)
    for blob in net.inputs:
        data = net.blobs[blob].data
        data[...] = rng.randint(0, 2, data.shape) if data.ndim == 1 else rng.randn(*data.shape)

    assert [[k, list(b.data.shape)] for k, b in net.blobs.items()] == facts["blobs"]
    assert [[k, [list(b.shape) for b in v]] for k, v in net.params.items()] == facts["params"]
    assert net.inputs == facts["inputs"]
    assert net.outputs == facts["outputs"]
    assert [layer.type for layer in net.layers] == facts["types"]
    assert list(net._layer_names) == facts["names"]
    assert [net._blob_names[i] for i in net._inputs] == facts["inputs"]
    assert [net._blob_names[i] for i in net._outputs] == facts["outputs"]
    assert [[k, v] for k, v in net.top_names.items()] == facts["tops"]
    assert [[k, v] for k, v in net.bottom_names.items()] == facts["bottoms"]
    assert dict(net.blob_loss_weights) == pytest.approx(facts["loss_weights"])

    # Sums of absolute values of float32 arrays, added up in another order.
    assert {k: size(v) for k, v in net.forward().items()} == pytest.approx(facts["sums"], rel=1e-5)
    for expected in facts["gradients"]:
        net.clear_param_diffs()
        net.backward()
        found = {f"{k}.{i}": b for k, v in net.params.items() for i, b in enumerate(v)}
        found.update(net.blobs)
        sums = {k: size(b.diff) for k, b in found.items()}
        assert sums == pytest.approx(expected, rel=1e-5, abs=1e-6)
        if name == "two_losses":
            for blob in ("zloss", "aloss"):
                net.blobs[blob].diff[...] = 7
