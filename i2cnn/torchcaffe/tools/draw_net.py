"""draw_net: a picture of a net's graph."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from i2cnn.torchcaffe.formats.prototext import read_message
from i2cnn.torchcaffe.formats.upgrade import upgrade_net
from i2cnn.torchcaffe.proto import TEST, TRAIN, NetParameter
from i2cnn.torchcaffe.pycaffe import draw
from i2cnn.util.text import show

_PHASES = {"TRAIN": TRAIN, "TEST": TEST, "ALL": None}


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser("i2cnn caffe draw_net", description=__doc__)
    parser.add_argument("input_net_proto_file", help="Input network prototxt file")
    parser.add_argument("output_image_file", help="Output image file; its ending is the format")
    parser.add_argument(
        "--rankdir", default="LR", help="Direction: LR (default), TB, BT, RL, of Graphviz's dot"
    )
    parser.add_argument(
        "--phase",
        default="ALL",
        choices=_PHASES,
        help="Phase that is drawn (default: ALL)",
    )
    parser.add_argument("--display_lrm", action="store_true", help="Show learning rate multipliers")
    options = parser.parse_args(words)
    source = options.input_net_proto_file
    net = upgrade_net(read_message(source, NetParameter()), source)
    show(f"Drawing net to {options.output_image_file}")
    draw.draw_net_to_file(
        net,
        options.output_image_file,
        options.rankdir,
        _PHASES[options.phase],
        options.display_lrm,
    )
    return 0
