"""The network's own answer is what the net itself says at its `prob`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from i2cnn.datasets import embedded_root
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.profiles import fill_deploy
from i2cnn.network.transform import Transform
from i2cnn.network.vote import softmax_votes
from i2cnn.patches.schemes import DEEPID, PatchSet
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import write_prototxt
from i2cnn.util.images import read_image
from tests.helpers.faces import some_faces


def test_the_vote_is_the_mean_of_the_nets_softmax(tmp_path: Path) -> None:
    caffe.set_random_seed(3)
    write_prototxt(tmp_path / "deploy.prototxt", fill_deploy("better", classes=5))
    net = caffe.Net(str(tmp_path / "deploy.prototxt"), caffe.TEST)
    net.params["fc8"][1].data[...] = np.arange(5) / 5
    faces, root, chosen = some_faces(2), embedded_root(), PatchSet(DEEPID, (0, 2, 7))
    transform = Transform(np.zeros((3, 64, 64), np.float32), 56, 0.015625)
    extractor = FeatureExtractor(net, transform)
    votes = softmax_votes(extractor, faces, root, chosen)
    assert votes.shape == (2, 5)
    for face, vote in zip(faces, votes, strict=True):
        inputs = extractor.inputs(read_image(root / face.image), face.points, chosen)
        net.blobs["data"].data[...] = inputs
        np.testing.assert_allclose(vote, net.forward()["prob"].mean(axis=0), rtol=1e-5)
