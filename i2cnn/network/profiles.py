"""Fills the templates in prototxt/ through protobuf messages: classes, databases, schedule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from i2cnn.network import PROFILES
from i2cnn.network.training_folder import (
    DEPLOY_FILE,
    MEAN_FILE,
    SNAPSHOT_PREFIX,
    SOLVER_FILE,
    TRAIN_DB,
    TRAIN_VAL_FILE,
    VALIDATION_DB,
)
from i2cnn.patches import PATCH_SIZE
from i2cnn.torchcaffe.formats.prototext import read_net, read_solver, write_prototxt
from i2cnn.torchcaffe.proto import TEST, TRAIN, LayerParameter, NetParameter, SolverParameter
from i2cnn.util.errors import InputError

#: Blobs that may be a net's features, the first that it has: a deploy net may name its own, in the
#: alphabet after `prob`, which pycaffe's Classifier and other programs take as the first output.
FEATURE_BLOBS = ("svm_features", "fc7")
PROBABILITY_BLOB = "prob"
#: Jittered copies of each training patch in an evaluation, by profile; none where it has no entry.
JITTER = {"better": 4}
#: Side in pixels of the patches that a profile takes; the paper's where it has no entry.
SIZES = {"quick": 64, "better": 64}
CLASSIFIER = "fc8"
#: Most iterations: Caffe's integers have 32 bits, and the solver's own test is one after the end.
_LONGEST = 2**31 - 2


@dataclass(frozen=True)
class Schedule:
    """How long a net trains, and on how much at a time.

    Parameters
    ----------
    max_iter : int
        Iterations at most.
    validate_every : int
        Iterations between two validations; a snapshot is taken at each.
    patience : int
        Stop after this many iterations without a new best validation, by accuracy and, where that
        is equal, by loss; 0 never stops.
    batch_size : int
        Images per iteration.

    Raises
    ------
    InputError
        A number is too small, or too large for Caffe.
    """

    max_iter: int
    validate_every: int
    patience: int
    batch_size: int

    def __post_init__(self) -> None:
        for name in ("max_iter", "validate_every", "batch_size"):
            number = getattr(self, name)
            if not 1 <= number <= _LONGEST:
                limit = "at least 1" if number < 1 else f"at most {_LONGEST}"
                raise InputError(f"{name} must be {limit}, not {number}")
        if self.patience < 0:
            raise InputError(
                f"patience must be at least 0 (0: never stop early), not {self.patience}"
            )

    @property
    def first_stop(self) -> int:
        """Iterations of the shortest training: the first validation stays the best."""
        if not self.patience:
            return self.max_iter
        waits = -(-self.patience // self.validate_every)
        return min(self.max_iter, (1 + waits) * self.validate_every)


@dataclass(frozen=True)
class TrainingSetup:
    """What one training is made of.

    Parameters
    ----------
    profile : {"paper", "quick", "better"}
    classes : int
        Outputs of the last layer.
    schedule : Schedule
    seed : int
        Seed of the weights and of dropout.
    databases : tuple of str
        LMDBs of training and validation, relative to the training folder or absolute.
    mean_file : str
        Mean image of the training patches, likewise.
    precision : {"float32", "tf32", "bf16"}
        What convolutions and inner products multiply in.
    """

    profile: str
    classes: int
    schedule: Schedule
    seed: int = 0
    databases: tuple[str, str] = (TRAIN_DB, VALIDATION_DB)
    mean_file: str = MEAN_FILE
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise InputError(f"classes must be at least 2, not {self.classes}")


@dataclass(frozen=True)
class ValidationPass:
    """One validation: forward passes of the test net.

    Parameters
    ----------
    batch_size : int
        Images per forward pass.
    batches : int
        Forward passes.
    """

    batch_size: int
    batches: int

    @classmethod
    def covering(cls, records: int) -> ValidationPass:
        """Largest batch up to 100 that divides the records, so that each is seen once."""
        batch_size = max(size for size in range(1, 101) if records % size == 0)
        return cls(batch_size, records // batch_size)


def patch_size(profile: str) -> int:
    """Side in pixels of the patches that a profile's nets are trained on, and take."""
    return SIZES.get(profile, PATCH_SIZE)


def template_dir(profile: str) -> Path:
    """Folder of a profile's templates: in the installed package, else in the checkout."""
    if profile not in PROFILES:
        raise InputError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    package = Path(__file__).parents[1]
    for base in (package / "_prototxt", package.parent / "prototxt"):
        folder = base if profile == "paper" else base / profile
        if (folder / TRAIN_VAL_FILE).is_file():
            return folder
    raise InputError(f"the prototxt templates are missing beside {package}; install i2cnn again")


def template_schedule(profile: str) -> Schedule:
    """Schedule of a profile, as its templates have it.

    Patience is one step of the rate for the paper's solver, whose rule is to go on "until the
    accuracy is not increased any longer" (section 3.3); the other profiles' solvers have no steps
    and run to their end.
    """
    solver = read_solver(template_dir(profile) / SOLVER_FILE)
    net = read_net(template_dir(profile) / TRAIN_VAL_FILE)
    return Schedule(
        max_iter=solver.max_iter,
        validate_every=solver.test_interval,
        patience=solver.stepsize,
        batch_size=_data_layer(net, TRAIN).data_param.batch_size,
    )


def fill_train_val(
    setup: TrainingSetup, validation_batch: int, *, encoded: bool = True
) -> NetParameter:
    """Net for training on two LMDBs.

    Parameters
    ----------
    setup : TrainingSetup
    validation_batch : int
        Images per batch in validation.
    encoded : bool
        The databases hold PNG or JPEG pictures, whose gray ones `force_color` spreads over three
        planes. For raw ones the field is left out: genuine Caffe prints an error for every image.
    """
    net = read_net(template_dir(setup.profile) / TRAIN_VAL_FILE)
    for phase, source in zip((TRAIN, TEST), setup.databases, strict=True):
        layer = _data_layer(net, phase)
        layer.data_param.source = source
        layer.transform_param.mean_file = setup.mean_file
        if not encoded:
            layer.transform_param.ClearField("force_color")
    _data_layer(net, TRAIN).data_param.batch_size = setup.schedule.batch_size
    _data_layer(net, TEST).data_param.batch_size = validation_batch
    _set_classes(net, setup.classes)
    return net


def fill_solver(
    setup: TrainingSetup, validation_batches: int, *, gpu: bool = False
) -> SolverParameter:
    """Solver for our training loop.

    Validation and snapshots are the loop's, which watches the accuracy; the solver's own test and
    snapshot intervals are set beyond its end. In the small profiles the rate falls with `max_iter`
    by its policy, `poly`, so that a shorter schedule has the same shape. The paper's steps stay
    where the paper has them: a training that ends earlier never reaches them, and one whose rate
    fell after a few hundred iterations would not even leave the plateau at ln(classes).
    """
    solver = read_solver(template_dir(setup.profile) / SOLVER_FILE)
    solver.max_iter = setup.schedule.max_iter
    solver.test_iter[:] = [validation_batches]
    solver.test_interval = solver.max_iter + 1
    solver.test_initialization = False
    solver.snapshot = 0
    solver.snapshot_prefix = SNAPSHOT_PREFIX
    solver.random_seed = setup.seed
    solver.solver_mode = solver.GPU if gpu else solver.CPU
    return solver


def fill_deploy(profile: str, *, classes: int) -> NetParameter:
    """Net for features and prediction."""
    net = read_net(template_dir(profile) / DEPLOY_FILE)
    _set_classes(net, classes)
    return net


def write_training_files(
    folder: Path,
    setup: TrainingSetup,
    validation: ValidationPass,
    *,
    encoded: bool = True,
    gpu: bool = False,
) -> None:
    """Write solver, train_val and deploy files of one training into its folder.

    Parameters
    ----------
    folder : Path
    setup : TrainingSetup
    validation : ValidationPass
    encoded : bool
        As for :func:`fill_train_val`.
    gpu : bool
        `solver_mode` of the solver.
    """
    header = f"Filled by i2cnn from the {setup.profile} profile; start caffe in this folder."
    train_val = fill_train_val(setup, validation.batch_size, encoded=encoded)
    write_prototxt(folder / TRAIN_VAL_FILE, train_val, header)
    solver = fill_solver(setup, validation.batches, gpu=gpu)
    write_prototxt(folder / SOLVER_FILE, solver, header)
    deploy = fill_deploy(setup.profile, classes=setup.classes)
    write_prototxt(folder / DEPLOY_FILE, deploy, header)


def _data_layer(net: NetParameter, phase: int) -> LayerParameter:
    for layer in net.layer:
        if layer.type == "Data" and any(rule.phase == phase for rule in layer.include):
            return layer
    raise InputError(f"net {net.name!r} has no Data layer for each phase")


def _set_classes(net: NetParameter, classes: int) -> None:
    layer = next((x for x in net.layer if x.name == CLASSIFIER), None)
    if layer is None:
        raise InputError(f"net {net.name!r} has no layer {CLASSIFIER}")
    layer.inner_product_param.num_output = classes
