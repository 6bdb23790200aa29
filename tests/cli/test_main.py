"""The command line: what it imports, and what it says to a wrong call."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import i2cnn
from i2cnn import __main__ as program
from i2cnn.cli import main as command
from i2cnn.cli.main import function, main
from i2cnn.cli.parser import build_parser
from i2cnn.torchcaffe import cli as caffe
from i2cnn.util.errors import InputError
from tests.helpers.programs import start

PROGRAM = Path(__file__).parents[1] / "programs" / "modules_after.py"
#: What makes a command line slow to answer.
HEAVY = {"cv2", "dlib", "google", "h5py", "jinja2", "lmdb", "matplotlib", "numpy", "PIL", "rich"}
HEAVY |= {"scipy", "skimage", "sklearn", "threadpoolctl", "torch"}
Output = pytest.CaptureFixture[str]


def modules_after(*words: str) -> set[str]:
    """Top-level packages that a fresh process has imported after a command line."""
    result = subprocess.run(
        [sys.executable, str(PROGRAM), *words], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def refusal(words: list[str], capsys: Output) -> str:
    """The line that a wrong command line is answered with."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err.strip()


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["--version"], ["evaluate", "--help"], ["evalute"], ["train", "--otu=x"]],
    ids=" ".join,
)
def test_answers_without_importing_anything_heavy(words: list[str]) -> None:
    assert modules_after(*words) & HEAVY == set()


def test_faces_are_found_without_the_packages_of_training() -> None:
    assert modules_after("faces", "nowhere") & {"torch", "sklearn", "matplotlib"} == set()


def test_a_report_is_written_without_the_packages_of_jobs() -> None:
    assert modules_after("report", "nowhere") & {"dlib", "skimage", "torch"} == set()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["evalute"], "i2cnn: error: unknown verb evalute; did you mean evaluate?"),
        (["qqq"], "i2cnn: error: unknown verb qqq; see `i2cnn --help`"),
        (["--verison"], "i2cnn: error: unknown option --verison; did you mean --version?"),
        (
            ["evaluate", "--otu=r"],
            "i2cnn evaluate: error: unknown option --otu; did you mean --out?",
        ),
        (
            ["svm", "--zzzzz", "1"],
            "i2cnn svm: error: unknown option --zzzzz; see `i2cnn svm --help`",
        ),
        (["doctor", "-x"], "i2cnn doctor: error: unknown option -x; see `i2cnn doctor --help`"),
        (
            ["report", "r", "--task=seven"],
            "i2cnn report: error: unknown option --task; see `i2cnn report --help`",
        ),
        (
            ["faces", "--task=sevn"],
            "i2cnn faces: error: argument --task: 'sevn' is not one of six, seven, eight; "
            "did you mean seven?",
        ),
        (
            ["doctor", "more"],
            "i2cnn doctor: error: unexpected argument more; see `i2cnn doctor --help`",
        ),
        (
            ["enrol", "a.png"],
            "i2cnn enrol: error: the following arguments are required: --out",
        ),
    ],
)
def test_a_wrong_command_line_is_answered_with_one_line(
    words: list[str], line: str, capsys: Output
) -> None:
    assert refusal(words, capsys) == line


def test_an_option_may_be_abbreviated() -> None:
    assert build_parser().parse_args(["evaluate", "--out=r", "--max=7"]).max_iter == 7


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--k", "1,x", "'1,x' is not a list of numbers like 1,5"),
        ("--jobs", "0", "'0' is not a number above 0"),
        ("--schedule", "2", "'2' is neither full nor a share above 0 and at most 1"),
        ("--slurm", "gpu", "'gpu' is not a list like partition=gpu,time=600"),
    ],
)
def test_a_wrong_value_is_named(option: str, value: str, message: str, capsys: Output) -> None:
    assert message in refusal(["evaluate", "--out=r", f"{option}={value}"], capsys)


def test_lists_of_options_can_be_empty() -> None:
    options = build_parser().parse_args(["evaluate", "--out=r", "--k=none", "--rivals=none"])
    assert (options.k, options.rivals) == ((), ())


def test_without_a_verb_the_help_is_printed(capsys: Output) -> None:
    assert main([]) == 2
    assert "the paper's evaluation" in capsys.readouterr().out


def test_help_ends_well(capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: i2cnn")


def test_every_verb_names_a_function_that_exists() -> None:
    (verbs,) = (
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    addresses = [p.get_default("run") for name, p in verbs.choices.items() if name != "caffe"]
    assert len(addresses) == 15
    assert all(callable(function(address)) for address in addresses)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.png: no such file"), 1, "error: a.png: no such file"),
        (
            ModuleNotFoundError("No module named 'rich'"),
            1,
            "error: No module named 'rich'; `i2cnn doctor` lists what is missing",
        ),
        (
            OSError(28, "No space left on device", "x.csv"),
            1,
            "error: x.csv: No space left on device",
        ),
        (OSError(12, "Cannot allocate memory"), 1, "error: doctor: Cannot allocate memory"),
        (KeyboardInterrupt(), 130, "interrupted; nothing is left half-written"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_goes_wrong_is_one_line_and_a_status(
    error: BaseException, status: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def fail(options: object) -> int:
        raise error

    monkeypatch.setattr(command, "function", lambda address: fail)
    assert main(["doctor"]) == status
    assert capsys.readouterr().err == f"i2cnn: {line}\n"


@pytest.mark.parametrize("interrupts", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_is_ctrl_c_even_where_that_is_ignored(
    interrupts: Any, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def wait(options: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        return 0

    monkeypatch.setattr(command, "function", lambda address: wait)
    before = signal.signal(signal.SIGINT, interrupts)
    try:
        assert main(["doctor"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "i2cnn: interrupted; nothing is left half-written\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def deep() -> None:
    """Recurse until Python refuses."""
    deep()


def allocate() -> None:
    """Ask for more memory than there is."""
    bytearray(2**62)


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def bug() -> None:
    raise OSError("not of the operating system\x1b[31m\nand more")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (deep, "RecursionError: maximum recursion depth exceeded"),
        (allocate, "out of memory"),
        (bug, r"OSError: not of the operating system\x1b[31m"),
    ],
)
def test_what_nobody_foresaw_is_one_line_with_a_log(
    fault: Callable[[], None],
    reason: str,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.setattr(command, "function", lambda address: lambda options: fault())
    assert main(["predict", "a b.jpg"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"i2cnn: error: predict 'a b.jpg': {reason}")
    assert error.count("\n") == 1
    (log,) = logs.iterdir()
    assert f"(see {log})" in error
    assert f"in {fault.__name__}" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_without_a_place_for_the_log_the_line_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    monkeypatch.setattr(command, "function", lambda address: lambda options: deep())
    assert main(["doctor"]) == 1
    assert "its trace cannot be saved, No such file" in capsys.readouterr().err


def test_caffe_has_the_same_net(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def fail(flags: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(caffe._COMMANDS, "time", fail)
    assert main(["caffe", "time", "-model", "net.prototxt"]) == 1
    (log,) = logs.iterdir()
    line = f"i2cnn caffe: error: net.prototxt: ZeroDivisionError: division by zero (see {log})\n"
    assert capsys.readouterr().err == line


def test_an_output_that_is_full_is_said() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "i2cnn", "models"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert result.returncode == 1
    line = "i2cnn: error: standard output: No space left on device\n"
    assert result.stderr == line


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("i2cnn.cli.parser", "predict a.png"),
        ("i2cnn.cli.answers", "predict a.png"),
        ("numpy", "predict a.png"),
        ("cv2", "predict a.png"),
        ("i2cnn.torchcaffe.cli", "caffe time"),
        ("torch", "caffe time"),
    ],
)
def test_ctrl_c_during_imports_is_one_line(module: str, words: str) -> None:
    process = start("interrupted_import", module, *words.split())
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.count("\n")) == (130, 1), errors
    assert "interrupted" in errors


@pytest.mark.parametrize(
    ("words", "steps"), [("caffe run a.py", ["run"]), ("predict a.png", ["run", "freeze"])]
)
def test_commands_of_ours_end_without_a_search_for_cycles(
    words: str, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(sys, "argv", ["i2cnn", *words.split()])
    monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))
    monkeypatch.setattr(program, "enter", lambda module: done.append("run") or 3)
    assert program.main() == 3
    assert done == steps


def test_a_reader_that_stops_reading_is_no_error() -> None:
    line = f"{sys.executable} -m i2cnn doctor --device=cpu | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "0"
    assert result.stderr == ""


def test_caffe_without_torch_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.delitem(sys.modules, "i2cnn.torchcaffe.cli", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["caffe", "device_query"]) == 1
    assert "`i2cnn doctor` lists what is missing" in capsys.readouterr().err


def test_python_m_i2cnn_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "i2cnn", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"i2cnn {i2cnn.__version__}\n"


@pytest.mark.parametrize("verb", ["patches faces.csv", "svm f.npy --faces=f.csv", "train"])
def test_seeds_are_natural_numbers(verb: str, capsys: Output) -> None:
    line = refusal([*verb.split(), "--out=x", "--seed=-1"], capsys)
    assert "is not a seed: a number from 0 to 2147483647" in line


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["evaluate", "--dataset=jaffe", "--out=r"], "needs the path of your copy"),
        (["evaluate", "nowhere", "--out=r"], "no such folder"),
        (["evaluate", ".", "--out=r"], "say with --dataset what it is: folder (your own labelled"),
        (["evaluate", "jaffe", "--out=r"], "chosen by --dataset jaffe"),
        (["evaluate", "--out=r", "--folds=30"], "use --folds 20"),
        (["evaluate", "--out=r", "--folds=5", "--only-folds=9"], "fold 9 is not one of 1 to 5"),
        (["evaluate", "--out=r", "--k=7"], "choose 1, 5 or 60"),
        (["evaluate", "--out=r", "--scheme=mine"], "unknown patch scheme"),
        (["evaluate", "--out=r", "--device=tpu"], "unknown device"),
        (["evaluate", "--out=r", "--device=cuda:9"], "cuda:9 is not available"),
        (["patches", "f.csv", "--out=db", "--k=0"], "choose 1, 5 or 60"),
        (["predict", "a.png", "--device=gpu"], "unknown device 'gpu'; use auto, cpu, cuda or"),
        (["report", "nowhere"], "not a run directory"),
        (["report", "nowhere", "--out", "x.html"], "--out is for several runs"),
        (["faces", "--dataset=folder", "--out=f.csv"], "needs the path"),
        (["svm", "f.npy", "--faces=none.csv", "--out=p"], "no such file"),
    ],
)
def test_an_argument_that_cannot_be_used_is_answered_with_one_line(
    command: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert sum(line.startswith("i2cnn: error") for line in error.splitlines()) == 1
