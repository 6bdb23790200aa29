"""Instruction sets that the extension can use on this processor."""

from __future__ import annotations

from i2cnn import _native


def simd_levels() -> list[str]:
    """Names for `_native.set_simd`, slowest first."""
    levels = ["plain"]
    for name in ("avx2", "avx512"):
        try:
            _native.set_simd(name)
        except ValueError:
            break
        levels.append(name)
    _native.set_simd("auto")
    return levels


LEVELS = simd_levels()
