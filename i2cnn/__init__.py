"""I2CNN: a Caffe-faithful replication of the identity-aware CNN for facial expressions.

The public API is imported when it is first used, so that `import i2cnn` and the command line's
`--help` are quick.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from i2cnn.util.cores import limit_openmp

if TYPE_CHECKING:
    from i2cnn.datasets import load_dataset
    from i2cnn.network.engine import get_engine
    from i2cnn.patches.extract import extract_patches
    from i2cnn.patches.schemes import get_scheme
    from i2cnn.recogniser.patch_features import PatchFeatures
    from i2cnn.recogniser.recogniser import Recogniser
    from i2cnn.svm.gram_svc import GramSVC

__version__ = "0.2.0"

# OpenMP's threads spin while they wait, unless told otherwise: beside another busy process a pass
# through a net then takes many times as long. OpenMP reads this when it is loaded, with torch.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & os.environ.keys():
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

limit_openmp()

__all__ = [
    "GramSVC",
    "PatchFeatures",
    "Recogniser",
    "__version__",
    "extract_patches",
    "get_engine",
    "get_scheme",
    "load_dataset",
]

_HOMES = {
    "GramSVC": "i2cnn.svm.gram_svc",
    "PatchFeatures": "i2cnn.recogniser.patch_features",
    "Recogniser": "i2cnn.recogniser.recogniser",
    "extract_patches": "i2cnn.patches.extract",
    "get_engine": "i2cnn.network.engine",
    "get_scheme": "i2cnn.patches.schemes",
    "load_dataset": "i2cnn.datasets",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its room (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
