"""The network's own answer is what the net itself says at its `prob`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.network.profiles import fill_deploy
from i2cnn.network.vote import softmax_vote
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import write_prototxt
from i2cnn.util.errors import InputError


def test_the_vote_is_the_mean_of_the_nets_softmax(tmp_path: Path) -> None:
    caffe.set_random_seed(3)
    write_prototxt(tmp_path / "deploy.prototxt", fill_deploy("better", classes=5))
    net = caffe.Net(str(tmp_path / "deploy.prototxt"), caffe.TEST)
    net.params["fc8"][1].data[...] = np.arange(5) / 5
    net.save(str(tmp_path / "net.caffemodel"))
    rng = np.random.RandomState(1)
    net.blobs["data"].reshape(6, 3, 56, 56)
    net.blobs["data"].data[...] = rng.randn(6, 3, 56, 56)
    probabilities = net.forward()["prob"]
    faces = net.blobs["fc7"].data.reshape(2, 3, -1)
    vote = softmax_vote(faces, tmp_path / "net.caffemodel")
    np.testing.assert_allclose(vote, probabilities.reshape(2, 3, 5).mean(axis=1), rtol=1e-5)
    with pytest.raises(InputError, match="no layer fc8 for 7 features"):
        softmax_vote(faces[..., :7], tmp_path / "net.caffemodel")
