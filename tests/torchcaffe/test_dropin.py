"""`import caffe` is torchcaffe where it was asked for, and nowhere else."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import i2cnn
from i2cnn import torchcaffe
from i2cnn.network.engine import get_engine
from i2cnn.torchcaffe import dropin, pycaffe
from i2cnn.torchcaffe.cli import main
from i2cnn.util.errors import InputError
from tests.helpers.programs import ROOT

PARTS = "io net_spec draw coord_map classifier detector pycaffe _caffe"


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process imports as before once the test is done."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "caffe"]:
        del sys.modules[name]


def pretend_genuine(folder: Path) -> Path:
    """A folder that looks like one with a compiled pycaffe, first on the path."""
    (folder / "caffe").mkdir()
    (folder / "caffe" / "__init__.py").write_text("genuine = True\n")
    (folder / "caffe" / "_caffe.so").touch()
    sys.path.insert(0, str(folder))
    return folder / "caffe"


def test_every_module_of_pycaffe_is_there() -> None:
    caffe = torchcaffe.install()
    assert caffe is pycaffe
    assert importlib.import_module("caffe") is pycaffe
    for part in PARTS.split():
        module = importlib.import_module(f"caffe.{part}")
        assert module is getattr(caffe, part)
        assert module.__spec__ is not None
        assert module.__spec__.name == module.__name__
    pb2 = importlib.import_module("caffe.proto.caffe_pb2")
    assert caffe.io.caffe_pb2 is pb2
    assert dropin.install() is caffe  # once more does nothing
    # A module of ours that pycaffe does not have is not found twice.
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'caffe\.net'"):
        importlib.import_module("caffe.net")


def test_what_was_pickled_by_genuine_pycaffe_is_read() -> None:
    dropin.install()
    theirs = b"ccaffe.io\nTransformer\n."
    assert pickle.loads(theirs) is pycaffe.io.Transformer
    messages = importlib.import_module("caffe.proto.caffe_pb2")
    datum = messages.Datum(label=3)
    assert pickle.loads(pickle.dumps(datum)) == datum


def test_a_genuine_pycaffe_is_shadowed_only_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pretend_genuine(tmp_path)
    assert importlib.import_module("caffe").genuine
    with pytest.raises(InputError, match=f"a genuine pycaffe is in {folder}"):
        dropin.install()
    assert importlib.import_module("caffe").genuine
    assert dropin.install(shadow=True) is pycaffe
    assert importlib.import_module("caffe") is pycaffe
    assert f"the genuine pycaffe in {folder} is not used" in capsys.readouterr().err


def test_the_source_of_pycaffe_and_the_empty_package_do_not_count(tmp_path: Path) -> None:
    pretend_genuine(tmp_path)
    (tmp_path / "caffe" / "_caffe.so").unlink()
    assert dropin.install() is pycaffe


def test_torchcaffe_is_not_taken_for_the_genuine_engine() -> None:
    dropin.install()
    with pytest.raises(InputError, match="import caffe is torchcaffe"):
        get_engine("caffe")


SCRIPT = """
import multiprocessing, os, sys
import caffe
from caffe.proto import caffe_pb2

def version(message):
    import caffe.io
    return caffe.__version__, message.label, __name__

if __name__ == "__main__":
    print(sys.argv, os.path.basename(__file__), caffe.layers.ReLU().fn.type_name, flush=True)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(version, [caffe_pb2.Datum(label=7)]))
    sys.exit(5)
"""


def test_a_program_and_the_processes_it_starts_run_on_torchcaffe(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "i2cnn.torchcaffe", "run", str(script), "-a", "b"],
        cwd=tmp_path / "work",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "i2cnn: import caffe is torchcaffe, Caffe 1.0.0 on PyTorch\n"
    assert done.stdout.splitlines() == [
        f"['{script}', '-a', 'b'] script.py ReLU",
        "[('1.0.0', 7, '__mp_main__')]",
    ]
    assert done.returncode == 5


def test_code_on_the_command_line_runs_as_with_python(capsys: pytest.CaptureFixture[str]) -> None:
    code = "import caffe, sys\nprint(caffe.__version__, sys.argv)\nclass A: pass\n"
    code += "import pickle\npickle.dumps(A())\n1 / 0"
    assert main(["run", "-c", code, "-a", "b"]) == 1
    out, err = capsys.readouterr()
    assert out == "1.0.0 ['-c', '-a', 'b']\n"
    trace = 'Traceback (most recent call last):\n  File "<string>", line 6, in <module>\n'
    assert err.endswith(f"{trace}ZeroDivisionError: division by zero\n")


def test_a_program_may_end_with_a_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong.py").write_text("import sys\nsys.exit('no pictures\\ngiven')\n")
    assert main(["run", "wrong.py"]) == 1
    assert capsys.readouterr().err.endswith("\nno pictures\ngiven\n")


def test_a_program_that_fails_shows_its_own_trace(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("wrong.py").write_text("import caffe\ncaffe.Net('gone.prototxt', caffe.TEST)\n")
    assert main(["run", "wrong.py"]) == 1
    errors = capsys.readouterr().err
    assert 'wrong.py", line 2' in errors
    assert "runpy" not in errors
    assert errors.endswith("File not found: gone.prototxt\n")
    assert main(["run", "gone.py"]) == 1
    assert capsys.readouterr().err == "i2cnn caffe: error: File not found: gone.py\n"
    assert main(["run", "-h"]) == 0
    assert capsys.readouterr().out == dropin.RUN


def test_run_says_which_caffe_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = pretend_genuine(folder)
    Path("which.py").write_text("import caffe\nprint(hasattr(caffe, 'genuine'))\n")
    assert main(["run", "which.py"]) == 0
    out, err = capsys.readouterr()
    assert out == "True\n"
    assert f"import caffe is the genuine pycaffe in {theirs}; -shadow takes torchcaffe" in err
    assert main(["run", "-shadow", "-m", "which"]) == 0
    out, err = capsys.readouterr()
    assert out == "False\n"
    assert f"the genuine pycaffe in {theirs} is not used" in err


def test_the_distribution_is_of_this_version() -> None:
    text = (dropin.SHIM / "pyproject.toml").read_text()
    assert f'version = "{i2cnn.__version__}"' in text
    assert f'dependencies = ["i2cnn=={i2cnn.__version__}"]' in text
