"""Fills the templates in prototxt/ through protobuf messages: classes, databases, schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from i2cnn.network import PROFILES
from i2cnn.torchcaffe.formats.prototext import read_net, read_solver, write_prototxt
from i2cnn.torchcaffe.proto import TEST, TRAIN
from i2cnn.util.errors import InputError

TRAIN_DB, VALIDATION_DB, MEAN_FILE = "train_lmdb", "validation_lmdb", "mean.binaryproto"
FEATURE_BLOB = "fc7"
_CLASSIFIER = "fc8"


def template_dir(profile: str) -> Path:
    """Folder of a profile's templates: in the installed package, else in the checkout."""
    if profile not in PROFILES:
        raise InputError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    package = Path(__file__).parents[1]
    for base in (package / "_prototxt", package.parent / "prototxt"):
        folder = base if profile == "paper" else base / profile
        if (folder / "train_val.prototxt").is_file():
            return folder
    raise InputError(f"the prototxt templates are missing beside {package}; install i2cnn again")


def template_schedule(profile: str) -> dict[str, int]:
    """max_iter, validate_every, patience and batch_size as the templates have them.

    Patience is one step of the rate for the paper's solver, whose rule is to go on "until the
    accuracy is not increased any longer"; the quick profile runs to its end.
    """
    solver = read_solver(template_dir(profile) / "solver.prototxt")
    net = read_net(template_dir(profile) / "train_val.prototxt")
    return {
        "max_iter": solver.max_iter,
        "validate_every": solver.test_interval,
        "patience": solver.stepsize if profile == "paper" else 0,
        "batch_size": _data_layer(net, TRAIN).data_param.batch_size,
    }


def fill_train_val(
    profile: str,
    *,
    classes: int,
    batch_size: int,
    validation_batch: int,
    train_db: str = TRAIN_DB,
    validation_db: str = VALIDATION_DB,
    mean_file: str = MEAN_FILE,
    encoded: bool = True,
) -> Any:
    """NetParameter for training on two LMDBs.

    Parameters
    ----------
    profile : {"paper", "quick"}
    classes : int
        Outputs of the last layer.
    batch_size, validation_batch : int
        Images a batch in training and in validation.
    train_db, validation_db, mean_file : str
        Paths as Caffe shall read them, relative to where it is started.
    encoded : bool
        The databases hold PNG or JPEG pictures, whose gray ones `force_color` spreads over three
        planes. For raw ones the field is left out: genuine Caffe prints an error for every image.
    """
    net = read_net(template_dir(profile) / "train_val.prototxt")
    for phase, source in ((TRAIN, train_db), (TEST, validation_db)):
        layer = _data_layer(net, phase)
        layer.data_param.source = source
        layer.transform_param.mean_file = mean_file
        if not encoded:
            layer.transform_param.ClearField("force_color")
    _data_layer(net, TRAIN).data_param.batch_size = batch_size
    _data_layer(net, TEST).data_param.batch_size = validation_batch
    _set_classes(net, classes)
    return net


def fill_solver(
    profile: str,
    *,
    max_iter: int,
    test_iter: int,
    seed: int,
    gpu: bool,
    prefix: str,
) -> Any:
    """SolverParameter for our training loop.

    Validation and snapshots are the loop's, which watches the accuracy; the solver's own test and
    snapshot intervals are out of reach. The steps of the rate shrink with `max_iter`, so that a
    shorter schedule has the same shape.
    """
    solver = read_solver(template_dir(profile) / "solver.prototxt")
    solver.stepsize = max(1, round(solver.stepsize * max_iter / solver.max_iter))
    solver.max_iter = max_iter
    solver.test_iter[:] = [test_iter]
    solver.test_interval = max_iter + 1
    solver.test_initialization = False
    solver.snapshot = 0
    solver.snapshot_prefix = prefix
    solver.random_seed = seed
    solver.solver_mode = solver.GPU if gpu else solver.CPU
    return solver


def fill_deploy(profile: str, *, classes: int) -> Any:
    """NetParameter for features and prediction."""
    net = read_net(template_dir(profile) / "deploy.prototxt")
    _set_classes(net, classes)
    return net


def write_job(
    folder: Path,
    profile: str,
    *,
    classes: int,
    batch_size: int,
    validation_batch: int,
    max_iter: int,
    test_iter: int,
    seed: int,
    gpu: bool,
    prefix: str,
    databases: tuple[str, str] = (TRAIN_DB, VALIDATION_DB),
    mean_file: str = MEAN_FILE,
    encoded: bool = True,
) -> None:
    """Write solver, train_val and deploy files of one training into a folder."""
    train_val = fill_train_val(
        profile,
        classes=classes,
        batch_size=batch_size,
        validation_batch=validation_batch,
        train_db=databases[0],
        validation_db=databases[1],
        mean_file=mean_file,
        encoded=encoded,
    )
    solver = fill_solver(
        profile, max_iter=max_iter, test_iter=test_iter, seed=seed, gpu=gpu, prefix=prefix
    )
    header = f"Filled by i2cnn from the {profile} profile; start caffe in this folder."
    write_prototxt(folder / "train_val.prototxt", train_val, header)
    write_prototxt(folder / "solver.prototxt", solver, header)
    write_prototxt(folder / "deploy.prototxt", fill_deploy(profile, classes=classes), header)


def _data_layer(net: Any, phase: int) -> Any:
    for layer in net.layer:
        if layer.type == "Data" and any(rule.phase == phase for rule in layer.include):
            return layer
    raise InputError(f"net {net.name!r} has no Data layer for each phase")


def _set_classes(net: Any, classes: int) -> None:
    layer = next((x for x in net.layer if x.name == _CLASSIFIER), None)
    if layer is None:
        raise InputError(f"net {net.name!r} has no layer {_CLASSIFIER}")
    layer.inner_product_param.num_output = classes
