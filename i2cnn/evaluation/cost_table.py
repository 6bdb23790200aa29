"""A cost plan on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from i2cnn.evaluation.cost_plan import Plan
from i2cnn.evaluation.speed import Speed
from i2cnn.evaluation.workers import Workers
from i2cnn.rivals import RIVALS
from i2cnn.util.console import PlainConsole, table_of
from i2cnn.util.files import free_space
from i2cnn.util.progress import duration
from i2cnn.util.text import counted, show

#: From a week on, a run is said to be long, with what is shorter.
_LONG_SECONDS = 7 * 24 * 3600


def print_plan(plan: Plan, out: Path, workers: Workers) -> None:
    """Print the plan as a table, with a warning if the disk is too small.

    Parameters
    ----------
    plan : Plan
    out : Path
        The run directory, which need not exist; its disk is looked at.
    workers : Workers
        How many jobs will run at a time.
    """
    at_a_time = workers.at_a_time(sum(e.jobs for e in plan.estimates) or 1)
    console = PlainConsole()
    free = free_space(out)
    show(*plan.account)
    if plan.speed is None:
        console.print(f"Plan: {_faces_words(plan)}; no network is left to train.")
    if plan.estimates:
        console.print(_table(plan))
    if plan.first_stop_seconds < plan.seconds:
        console.print(
            "Times: if each training stops as soon as it can, and if it runs to the end; it stops "
            "once validation accuracy no longer rises.",
            soft_wrap=True,
        )
    if plan.speed is not None:
        console.print(_speed_words(plan.speed))
    if plan.estimates:
        console.print(total_words(plan, at_a_time, free))
    for line in rival_lines(plan):
        console.print(line, soft_wrap=True)
    if plan.peak_bytes(at_a_time) > free:
        console.print(f"The disk of {out} is too small: choose another --out or fewer --jobs.")


def rival_lines(plan: Plan) -> list[str]:
    """What the rivals take, and which slow ones are not asked for."""
    lines = []
    quick = sum(jobs for name, jobs in plan.rivals.items() if not RIVALS[name].minutes)
    if quick:
        what = counted(quick, "jobs of rivals")
        lines.append(f"{what}, not estimated: seconds each, some minutes in all.")
    slow = {name: rival.minutes * plan.faces / 400 for name, rival in RIVALS.items()}
    slow = {name: minutes for name, minutes in slow.items() if minutes}
    for name, minutes in slow.items():
        if jobs := plan.rivals.get(name):
            lines.append(
                f"{jobs} jobs of {name}, not in the total: about {duration(60 * minutes)} each on "
                "one core."
            )
    left = [n for n in slow if n not in plan.rivals]
    if left:
        words = ", ".join(
            f"{name} (about {duration(60 * slow[name])} per fold"
            + (", clips only)" if RIVALS[name].clips else ")")
            for name in left
        )
        lines.append(f"Slow rivals, not asked for: {words}; --rivals NAME,... adds them.")
    return lines


def _faces_words(plan: Plan) -> str:
    return f"{plan.faces} faces of {plan.subjects or 'unknown'} people"


def _table(plan: Plan) -> Table:
    columns = ("patches", "jobs", "time each", "memory each", "disk each", "disk kept by all")
    title = f"Plan: {_faces_words(plan)}; training, features and SVM"
    table = table_of(*columns, title=title)
    for e in plan.estimates:
        sizes = (e.memory_bytes, e.peak_bytes, e.jobs * e.kept_bytes)
        table.add_row(
            e.title,
            str(e.jobs),
            _range(e.first_stop_seconds, e.seconds),
            *(f"{size / 1e9:.2f} GB" for size in sizes),
        )
    return table


def _range(least: float, most: float) -> str:
    """Durations from the least to the most, once if they read the same."""
    words = (duration(least), duration(most))
    return words[0] if words[0] == words[1] else f"{words[0]} to {words[1]}"


def _speed_words(speed: Speed) -> str:
    return (
        f"Measured here: {1 / speed.patch_seconds:.0f} patches/s into a database "
        f"({speed.patch_bytes / 1e3:.0f} kB each), {speed.iteration_seconds:.2f} s per iteration, "
        f"{1 / speed.feature_seconds:.0f} patches/s to features."
    )


def total_words(plan: Plan, at_a_time: int, free: int) -> str:
    """Time, disk and memory of a whole plan, where `free` bytes of the disk are free."""
    side_by_side = (
        f", about {_range(plan.first_stop_seconds / at_a_time, plan.seconds / at_a_time)} with "
        f"{at_a_time} at a time, each on cores or a GPU of its own"
        if at_a_time > 1
        else ""
    )
    long = plan.first_stop_seconds / at_a_time > _LONG_SECONDS
    shorter = " A GPU, --profile better or a smaller --schedule takes less." if long else ""
    return (
        f"All jobs: {_range(plan.first_stop_seconds, plan.seconds)} one after the other"
        f"{side_by_side}; disk at most {plan.peak_bytes(at_a_time) / 1e9:.1f} GB "
        f"({free / 1e9:.0f} GB free); memory at most {plan.memory_bytes(at_a_time) / 1e9:.1f} GB "
        f"in all.{shorter}"
    )
