"""What can be known before a run starts: what is missing, too small or too slow."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from i2cnn.cli.doctor import DEPENDENCIES
from i2cnn.evaluation.jobs import Execution, Job
from i2cnn.evaluation.settings import Settings
from i2cnn.evaluation.workers import Workers
from i2cnn.network.engine import check_precision, choose_device, get_engine
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable, free_space
from i2cnn.util.machine import memory_limit
from i2cnn.util.progress import say

if TYPE_CHECKING:  # a plan measures, with all that a run imports
    from i2cnn.evaluation.cost_plan import Plan

#: Less disk space is not enough for any run.
_LEAST_DISK = 50_000_000
#: Shorter runs are not worth the minute that an estimate may take.
_LONG_RUN_IMAGES = 200_000


def check_machine(out: Path, settings: Settings, execution: Execution, workers: Workers) -> None:
    """InputError for whatever is missing here and would stop the run later.

    A cluster's login node need not have the workers' engine and devices.
    """
    # dlib is missed by those whose faces must be found, at the run's very beginning.
    needed = [(name, module) for name, module, _ in DEPENDENCIES if module != "dlib"]
    missing = [name for name, module in needed if not _is_there(module)]
    if (workers.slurm or (workers.jobs or 1) > 1) and not _is_there("submitit"):
        missing.append("submitit")
    if missing:
        raise InputError(
            f"not installed: {', '.join(missing)}; `pip install {' '.join(missing)}`, and "
            "`i2cnn doctor` says what else is missing"
        )
    if not workers.slurm:
        device = choose_device(execution.device)
        if settings.patch_counts:
            get_engine(execution.engine)
            check_precision(settings.precision, execution.engine, device)
    check_writable(out / "run.json")
    free = free_space(out)
    if free < _LEAST_DISK:
        raise InputError(
            f"{out}: {free / 1e6:.0f} MB are free on its disk, too few for any run; choose another "
            "--out"
        )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False
    except ValueError:  # imported already, by something else than a finder
        return True


def print_estimate(
    out: Path, settings: Settings, execution: Execution, workers: Workers, left: Sequence[Job]
) -> None:
    """Say what a long run will take, before it starts; a cluster's is not known here.

    Raises
    ------
    InputError
        The disk or the memory is too small for it.
    """
    images = settings.schedule.max_iter * settings.schedule.batch_size
    trainings = sum(job.patch_count > 0 for job in left)
    if workers.slurm or images * trainings < _LONG_RUN_IMAGES:
        return
    from i2cnn.evaluation.cost_plan import make_plan
    from i2cnn.evaluation.cost_table import total_words

    plan = make_plan(out, settings, execution, left)
    at_a_time = workers.at_a_time(trainings)
    say(total_words(plan, at_a_time, free_space(out)))
    check_room(plan, out, at_a_time)


def check_room(plan: Plan, out: Path, at_a_time: int) -> None:
    """InputError if the disk or the memory is too small for a plan."""
    disk, free = plan.peak_bytes(at_a_time), free_space(out)
    if disk > free:
        raise InputError(
            f"{out}: {free / 1e9:.1f} GB are free on its disk, and the run needs "
            f"{disk / 1e9:.1f} GB; choose another --out, --encoding jpeg or fewer --jobs"
        )
    memory, limit = plan.memory_bytes(at_a_time), memory_limit()
    if memory > limit:
        raise InputError(
            f"the run needs {memory / 1e9:.1f} GB of memory, and there are {limit / 1e9:.1f} GB; "
            "choose fewer --jobs, a smaller --batch-size or fewer patches (--k)"
        )
