"""`i2cnn demo`: the main job on the embedded faces, then a taste of the paper's own network."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from i2cnn.database import write_database
from i2cnn.engine import get_engine, set_device
from i2cnn.experiment import evaluate, prepare
from i2cnn.files import read_json, write_json
from i2cnn.job import Execution, Inputs
from i2cnn.patches import get_scheme
from i2cnn.progress import say
from i2cnn.prototxt import MEAN_FILE, TRAIN_DB, VALIDATION_DB, template_schedule, write_job
from i2cnn.report import duration, print_report, write_report
from i2cnn.settings import Settings
from i2cnn.training import SNAPSHOT_PREFIX, working_directory

SPEED_FILE = "paper_speed.json"
#: 3 tasks x 3 values of k x 10 folds (paper, Table 4).
PAPER_TRAININGS = 90

_SETTINGS = Settings(
    dataset="synthetic",
    root=None,
    task="seven",
    profile="quick",
    folds=5,
    patch_counts=(60,),
    seeds=(0,),
    max_iter=1500,
    validate_every=300,
    patience=0,
    batch_size=64,
    encoding="png",
    points="given",
    scheme="deepid",
)


def run_demo(out: Path, engine: str, device: str) -> None:
    """Evaluate one person-independent fold with the quick profile, then time the paper's net."""
    say("The quick profile: a small network that learns on this machine in minutes.")
    execution = Execution(engine, device)
    evaluate(out, _SETTINGS, execution, only_folds=(1,))
    say("The paper profile: a few iterations of the exact AlexNet, to know its speed here.")
    speed = _paper_speed(out, execution)
    path = write_report(out)
    print_report(out)
    schedule = template_schedule("paper")
    full = schedule["max_iter"] * speed["seconds_per_iteration"]
    print(
        "The table's numbers come from the quick profile, on people the network has never seen "
        "(fold 1 of 5).\n"
        f"The paper's AlexNet trains {speed['images_per_second']:.1f} images/s here (batch "
        f"{speed['batch']}): its full schedule of {schedule['max_iter']} iterations would take "
        f"{duration(full)},\nall {PAPER_TRAININGS} trainings of the paper's tables "
        f"{duration(PAPER_TRAININGS * full)}. Take a GPU for those.\n"
        f"report: {path}"
    )


def _paper_speed(out: Path, execution: Execution, iterations: int = 2) -> dict[str, float]:
    """Seconds an iteration of the paper's net and solver takes, its own batch of 256."""
    path = out / SPEED_FILE
    if path.exists():
        return read_json(path)
    inputs, _ = prepare(out, _SETTINGS)
    folder = out / "paper_speed"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / Path(SNAPSHOT_PREFIX).parent).mkdir(parents=True)
    _some_patches(folder, inputs)
    batch = template_schedule("paper")["batch_size"]
    write_job(
        folder,
        "paper",
        classes=len(inputs.task),
        batch_size=batch,
        validation_batch=60,
        max_iter=template_schedule("paper")["max_iter"],
        test_iter=1,
        seed=0,
        gpu=execution.device != "cpu",
        prefix=SNAPSHOT_PREFIX,
    )
    module = get_engine(execution.engine)
    set_device(module, execution.device)
    with working_directory(folder):
        solver = module.get_solver("solver.prototxt")
        solver.step(1)
        start = time.monotonic()
        solver.step(iterations)
        float(solver.net.blobs["loss"].data)  # on a GPU: wait for it
        seconds = (time.monotonic() - start) / iterations
    del solver
    shutil.rmtree(folder)
    result = {
        "batch": batch,
        "seconds_per_iteration": seconds,
        "images_per_second": batch / seconds,
    }
    write_json(path, result)
    return result


def _some_patches(folder: Path, inputs: Inputs) -> None:
    faces = list(inputs.faces[:: len(inputs.faces) // 12])
    labels = [inputs.task.index(face.label) for face in faces]
    patches = get_scheme(_SETTINGS.scheme).select(60)
    for name, mean in ((TRAIN_DB, folder / MEAN_FILE), (VALIDATION_DB, None)):
        write_database(faces, labels, inputs.root, folder / name, patches=patches, mean_file=mean)
