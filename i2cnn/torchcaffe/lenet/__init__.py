"""LeNet on digits: a small trained model that ships, to try things with.

The net of docs/lenet.md after 1000 iterations, on the first 1500 of scikit-learn's digits (NIST's,
from the UCI repository). Of the other 297 it gets 278 right, 93.6%. Genuine Caffe's weights after
the same training differ by at most 2.4e-6 of the largest in each layer.
"""

from __future__ import annotations

from pathlib import Path

#: Paths of the net for one image, (1, 1, 8, 8) from 0 to 1, and of its weights.
MODEL = str(Path(__file__).with_name("deploy.prototxt"))
WEIGHTS = str(Path(__file__).with_name("lenet.caffemodel"))
