"""What genuine Caffe's Data layer puts out: crops, mirrors, means, encodings; bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.data.device_cache import DeviceCache
from i2cnn.torchcaffe.data.transform import DataTransformer
from tests.helpers.golden import GOLDEN, arrays_of

CASES = json.loads((GOLDEN / "data_layer.json").read_text())


@pytest.mark.parametrize("device", ["", "transforms", "caches"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_data_layer(name: str, device: str, golden: Path, monkeypatch) -> None:
    case = CASES[name]
    Path("net.prototxt").write_text(case["prototxt"])
    if case["seed"] is not None:
        caffe.set_random_seed(case["seed"])
    net = caffe.Net("net.prototxt", phase=getattr(caffe, case["phase"]))
    # What a GPU does with the bytes, here on the CPU.
    reader = net.layers[0].reader
    reader.maker.transform_on_device = bool(device)
    if device == "caches":
        reader.cache = DeviceCache(reader.maker.records.count, 1 << 30)
    calls = []
    batch = DataTransformer.apply_windows
    monkeypatch.setattr(
        DataTransformer, "apply_windows", lambda *words: calls.append(1) or batch(*words)
    )
    stored = arrays_of("data_layer.npz", name)
    rows = len(stored["label"])
    found: dict[str, list[np.ndarray]] = {blob: [] for blob in stored}
    while sum(map(len, found["label"])) < rows:
        net.forward()
        for blob, parts in found.items():
            parts.append(net.blobs[blob].data.copy())
    assert bool(calls) == bool(device)
    for blob, values in stored.items():
        # Of the longest case only a corner of each image was recorded.
        corner = tuple(slice(0, n) for n in values.shape)
        np.testing.assert_array_equal(np.concatenate(found[blob])[corner], values)
