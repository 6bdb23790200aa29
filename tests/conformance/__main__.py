"""Compares random nets with a genuine Caffe: forward, backward, initial weights and refusals.

`python -m tests.conformance --python DIR/python`, where DIR is what tools/get_caffe.sh unpacked
with python3-caffe. Nets follow from --seed alone. Nets that differ are kept in --keep.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.conformance import compare
from tests.conformance.nets import make_files, write_case, write_model
from tests.helpers.golden import GOLDEN

PROGRAM = Path(__file__).with_name("program.py")
#: Cases that genuine Caffe runs while ours runs others.
AHEAD = 8


@dataclass
class Case:
    """A net in its folder."""

    name: str
    folder: Path
    types: list[str]
    refused: str = ""
    is_model: bool = False


def main() -> int:
    """Run nets until their number or the time is up; status 1 if one differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--python", required=True, help="a Python that has genuine pycaffe")
    parser.add_argument("--seed", type=int, help="default: another one each time")
    parser.add_argument("--nets", type=int, default=2000, help="number of nets (default 2000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first net")
    parser.add_argument("--models", type=Path, help="folder of models to run before the nets")
    parser.add_argument("--seconds", type=float, default=600.0, help="at most (default 600)")
    parser.add_argument("--keep", type=Path, help="folder for the nets that differ")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    compare.prepare(GOLDEN / "layers")
    python = str(Path(options.python).absolute())
    keep = options.keep and options.keep.absolute()
    models = options.models and options.models.absolute()
    end = time.monotonic() + options.seconds
    outcomes: collections.Counter[str] = collections.Counter()
    types: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as base:
        os.chdir(base)
        make_files()
        numbers = range(options.first, options.first + options.nets)
        nets = itertools.takewhile(
            lambda case: time.monotonic() < end,
            itertools.chain(
                _models(models, Path(base)) if models else (),
                (_new_case(seed, number, Path(base)) for number in numbers),
            ),
        )
        for case in _answered(python, nets, Path(base)):
            outcome = compare.outcome(case.folder, case.refused)
            outcomes[outcome.kind] += 1
            if outcome.kind == "same":
                types.update(set(case.types))
            if outcome.words or case.is_model:
                entry = asdict(outcome) | {"net": case.name, "types": case.types}
                entry["kept"] = _keep(case, keep) if outcome.words else ""
                print(json.dumps({key: value for key, value in entry.items() if value}), flush=True)
            shutil.rmtree(case.folder)
    result = {"nets": sum(outcomes.values()), "seed": seed, **outcomes}
    print(json.dumps(result | {"nets by type": dict(sorted(types.items()))}))
    return int(bool(outcomes["different"]))


def _answered(python: str, cases: Iterator[Case], base: Path) -> Iterator[Case]:
    """The cases when genuine Caffe has run them; it runs some ahead meanwhile."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(GOLDEN / "layers"),
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with subprocess.Popen(
        [python, str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=base,
        env=environment,
    ) as genuine:
        assert genuine.stdin
        waiting: collections.deque[Case] = collections.deque()
        for case in cases:
            waiting.append(case)
            genuine.stdin.write(f"{case.folder}\n")
            genuine.stdin.flush()
            if len(waiting) > AHEAD:
                yield _wait(genuine, waiting.popleft())
        while waiting:
            yield _wait(genuine, waiting.popleft())
        genuine.stdin.close()


def _models(models: Path, base: Path) -> Iterator[Case]:
    """Every .prototxt of a folder that has weights of its name, on random inputs."""
    found = 0
    for path in sorted(models.rglob("*.prototxt")):
        files = [path.with_suffix(suffix) for suffix in (".caffemodel", ".caffemodel.h5")]
        weights = next(filter(Path.is_file, files), None)
        if weights is None:
            print(f"{path}: left out, there is no {files[0].name} beside it", file=sys.stderr)
            continue
        folder = base / "model" / str(found)
        folder.mkdir(parents=True)
        write_model(path, weights, folder)
        yield Case(str(path), folder, [], is_model=True)
        found += 1
    if not found:
        sys.exit(f"{models}: has no NAME.prototxt beside a NAME.caffemodel")


def _new_case(seed: int, number: int, base: Path) -> Case:
    folder = base / str(number)
    folder.mkdir()
    types, refused = write_case(np.random.default_rng([seed, number]), folder)
    return Case(str(number), folder, types, refused)


def _wait(genuine: subprocess.Popen[str], case: Case) -> Case:
    assert genuine.stdout
    if not genuine.stdout.readline():
        sys.exit("The genuine Caffe ended; does its Python have pycaffe?")
    return case


def _keep(case: Case, folder: Path | None) -> str:
    if folder is None:
        return ""
    target = folder / Path(case.name).stem
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(case.folder, target)
    return str(target)


if __name__ == "__main__":
    sys.exit(main())
