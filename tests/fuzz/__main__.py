"""Tries changed inputs: `python -m tests.fuzz --seconds 600` or `--cases 300 --seed 1`."""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dlib

from i2cnn.faces.finder import FaceFinder
from tests.fuzz.kinds import Kind, kinds
from tests.fuzz.mutate import mutated
from tests.fuzz.sandbox import Outcome, run

#: Imported before the forks, so that no case waits for it.
_HEAVY = (
    "i2cnn.cli.album",
    "i2cnn.cli.convert",
    "i2cnn.cli.faces",
    "i2cnn.cli.main",
    "i2cnn.cli.parser",
    "i2cnn.cli.patches",
    "i2cnn.cli.predict",
    "i2cnn.cli.report",
    "i2cnn.cli.svm",
    "i2cnn.cli.train",
    "i2cnn.torchcaffe.cli",
    "i2cnn.torchcaffe.pycaffe",
    "sympy",  # torch imports it when a net is built
)


def main() -> int:
    """Run cases until their number or the time is up; status 1 if one broke the rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="default: another one each time")
    parser.add_argument("--cases", type=int, help="number of cases")
    parser.add_argument("--seconds", type=float, default=60.0, help="if --cases is not given")
    parser.add_argument("--kind", help="only kinds with this text in their names")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that broke the rule")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    _warm_up()
    chosen = [kind for kind in kinds() if (options.kind or "") in kind.name]
    end, broken, done = time.monotonic() + options.seconds, 0, 0
    with tempfile.TemporaryDirectory() as base:
        for number, (kind, outcome, folder) in enumerate(_cases(chosen, seed, Path(base))):
            done = number + 1
            if outcome.broken:
                broken += 1
                kept = _keep(kind, folder, options.keep, number)
                entry = {"kind": kind.name, "case": number, "broken": outcome.broken}
                print(json.dumps(entry | {"words": kind.words, "kept": kept}), flush=True)
                print(outcome.text[-3000:], file=sys.stderr, flush=True)
            if done == options.cases or (options.cases is None and time.monotonic() > end):
                break
    print(json.dumps({"cases": done, "kinds": len(chosen), "broken": broken, "seed": seed}))
    return int(bool(broken))


def _warm_up() -> None:
    """Import and load once what each case would wait for."""
    for name in _HEAVY:
        importlib.import_module(name)
    if importlib.util.find_spec("fastapi"):
        for name in (
            "i2cnn.pages.predict",
            "i2cnn.pages.review",
            "anyio._backends._asyncio",
            "uvicorn.lifespan.off",
            "uvicorn.loops.auto",
            "uvicorn.protocols.http.h11_impl",
        ):
            importlib.import_module(name)
    # Every finder loads the landmark model anew.
    for name in ("shape_predictor", "get_frontal_face_detector"):
        setattr(dlib, name, functools.cache(getattr(dlib, name)))
    FaceFinder()


def _cases(chosen: list[Kind], seed: int, base: Path) -> Iterator[tuple[Kind, Outcome, Path]]:
    """Each kind in turn: the valid input first, which must be taken, then changed ones for ever."""
    case = 0
    while True:
        for kind in chosen:
            pristine = base / kind.name.replace("/", "_")
            if not pristine.exists():
                pristine.mkdir()
                kind.make(pristine)
            folder = base / "case"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(pristine, folder)
            for name in ("out", "tmp"):
                (folder / name).mkdir(exist_ok=True)
            if case >= len(chosen):
                path = folder / kind.file
                path.write_bytes(
                    mutated(path.read_bytes(), random.Random(f"{seed} {case}"), kind.is_text)
                )
            outcome = run(folder, kind.words.split(), kind.writes)
            if case < len(chosen) and outcome.status != 0:
                outcome = Outcome(outcome.status, outcome.text, "refused though it is valid")
            yield kind, outcome, folder
            case += 1


def _keep(kind: Kind, folder: Path, keep: Path | None, number: int) -> str:
    if keep is None:
        return ""
    target = keep / f"{number} {kind.name}".replace("/", "_")
    shutil.copytree(folder, target, dirs_exist_ok=True)
    return str(target)


if __name__ == "__main__":
    sys.exit(main())
