"""A few hundred changed inputs with a fixed seed, and the fuzzer's own parts."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.mutate import mutated
from tests.helpers.markdown import ROOT

CASES = 400


@pytest.mark.slow
def test_changed_inputs_break_no_verb() -> None:
    """What this finds becomes a test of its own, in the room whose code was at fault."""
    command = [sys.executable, "-m", "tests.fuzz", "--seed=1", f"--cases={CASES}"]
    alone = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **alone}, capture_output=True, text=True, check=False
    )
    *broken, total = map(json.loads, done.stdout.splitlines())
    assert broken == [], done.stderr
    assert total["cases"] == CASES
    assert done.returncode == 0


@pytest.mark.parametrize("is_text", [False, True])
def test_changes_are_those_of_the_seed(is_text: bool) -> None:
    content = b"a, 1.5\nb, 2\n" * 10
    changed = [mutated(content, random.Random(seed), is_text) for seed in range(200)]
    assert changed == [mutated(content, random.Random(seed), is_text) for seed in range(200)]
    assert sum(c != content for c in changed) > 150


@pytest.mark.parametrize("is_text", [False, True])
def test_empty_files_can_be_changed(is_text: bool) -> None:
    for seed in range(100):
        mutated(b"", random.Random(seed), is_text)


CHECK = """
import os, pathlib, resource, sys
import tests.fuzz.sandbox as sandbox
import i2cnn.cli.main
sandbox.MEMORY_BYTES, sandbox.CPU_SECONDS = 100_000_000, 1
i2cnn.cli.main.main = lambda words: eval(words[0])
folder = pathlib.Path(sys.argv[1])
for name in ("out", "tmp"):
    (folder / name).mkdir()
print(sandbox.run(folder, [sys.argv[2]]).broken)
"""


@pytest.mark.parametrize(
    ("does", "broken"),
    [
        ("0", ""),
        ("open('out/x', 'w').close() or 0", ""),
        ("print('left out', flush=True) or 3", ""),
        ("1", "no word about the error"),
        ("print('error', flush=True) or 7", "status 7"),
        ("1 / 0", "status 99; a traceback"),
        ("os.abort()", "SIGABRT; no word about the error"),
        ("sum(iter(int, 1))", "SIG(KILL|XCPU); no word about the error"),
        ("len(bytearray(300_000_000)) * 0", r"\d{3} MB"),
        ("open('stray', 'w').close() or 0", "wrote stray"),
        ("sys.exit(2)", "no word about the error"),
    ],
)
def test_the_rule_finds_what_breaks_it(does: str, broken: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHECK, str(tmp_path), does]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.fullmatch(broken, done.stdout.strip()), done.stdout
