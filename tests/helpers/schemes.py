"""A user's own patch scheme."""

from __future__ import annotations

#: TOML of 2 regions x 2 scales, so 8 patches.
OWN_SCHEME = """
mouth = 1.0
scales = [0.5, 1.0]

[[region]]
name = "whole"
anchor = "face"
centre = [0, 0.4]
size = [2.0, 2.5]

[[region]]
name = "tip"
anchor = "nose"
centre = [0.1, -0.1]
size = [1, 1]
"""
