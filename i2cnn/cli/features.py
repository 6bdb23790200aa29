"""`i2cnn features`: step 4, the features of every patch."""

from __future__ import annotations

import argparse

from i2cnn.cli.inputs import load_faces
from i2cnn.network.engine import start_engine
from i2cnn.network.features import FeatureExtractor, extract_features
from i2cnn.network.training_folder import DEPLOY_FILE, NET_FILE
from i2cnn.network.transform import Transform
from i2cnn.patches.lmdb_facts import database_contents
from i2cnn.patches.schemes import PatchSet, get_scheme
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable, digest
from i2cnn.util.progress import progress
from i2cnn.util.text import show


def features(options: argparse.Namespace) -> None:
    """Extract the features of every patch of every face."""
    check_writable(options.out)
    chosen, root = load_faces(options)
    engine = start_engine(options.engine, options.device, options.precision)
    weights = options.net / NET_FILE
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; `i2cnn train` writes it")
    scheme = get_scheme(options.scheme)
    trained = database_contents(options.net)
    if trained is not None and trained.scheme != scheme.digest:
        raise InputError(
            f"{options.net}: was trained on patches of another scheme than {options.scheme}; give "
            "the --scheme that its databases were written with"
        )
    net = engine.Net(str(options.net / DEPLOY_FILE), TEST, weights=str(weights))
    extractor = FeatureExtractor(
        net,
        Transform.from_training_folder(options.net),
        fingerprint=digest([str(weights.resolve()), weights.stat().st_mtime_ns, options.precision]),
    )
    patches = PatchSet.of(scheme, options.k)
    with progress("features") as update:
        result = extract_features(extractor, chosen, root, options.out, patches, update)
    show(f"{options.out}: {result.shape[0]} faces x {result.shape[1]} patches x {result.shape[2]}")
