"""Names of the files in a training folder, relative to it; caffe is started there."""

from __future__ import annotations

TRAIN_DB, VALIDATION_DB = "train_lmdb", "validation_lmdb"
MEAN_FILE = "mean.binaryproto"
TRAIN_VAL_FILE, SOLVER_FILE, DEPLOY_FILE = (
    "train_val.prototxt",
    "solver.prototxt",
    "deploy.prototxt",
)
#: Weights before the first iteration.
UNTRAINED_FILE = "untrained.caffemodel"
#: The best weights of a finished training.
NET_FILE = "net.caffemodel"
#: Settings and data of the training, so that it is not resumed with others.
SETTINGS_FILE = "training_settings.json"
#: State of the training loop after its last validation.
STATE_FILE = "training.json"
SNAPSHOT_FOLDER = "snapshots"
SNAPSHOT_PREFIX = f"{SNAPSHOT_FOLDER}/net"


def snapshot_name(iteration: int, kind: str = "caffemodel") -> str:
    """Caffe's name of a snapshot; `kind` is its suffix, "caffemodel" or "solverstate"."""
    return f"{SNAPSHOT_PREFIX}_iter_{iteration}.{kind}"
