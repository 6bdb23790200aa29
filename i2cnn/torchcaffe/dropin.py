"""`import caffe` is torchcaffe: in this process, or in a program that was written for pycaffe."""

from __future__ import annotations

import importlib
import importlib.util
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from i2cnn.torchcaffe import CAFFE_VERSION
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.util.text import warn

#: pycaffe's modules and what they are here.
_PYCAFFE = "i2cnn.torchcaffe.pycaffe"
_PARTS = "_caffe classifier coord_map detector draw io net_spec pycaffe"
MODULES = {
    "caffe": _PYCAFFE,
    "caffe.proto": "i2cnn.torchcaffe.proto",
    "caffe.proto.caffe_pb2": "i2cnn.torchcaffe.proto.torchcaffe_pb2",
    **{f"caffe.{part}": f"{_PYCAFFE}.{part}" for part in _PARTS.split()},
}
#: A folder with a package `caffe` that installs, for processes that a program starts.
SHIM = Path(__file__).parent / "shim"

RUN = """\
usage: i2cnn caffe run [-shadow] SCRIPT [ARGUMENT ...]
       i2cnn caffe run [-shadow] -m MODULE [ARGUMENT ...]
       i2cnn caffe run [-shadow] -c CODE [ARGUMENT ...]

Run a Python program that imports caffe, unchanged, on torchcaffe. Where a compiled genuine pycaffe
would be found, that one runs; -shadow takes torchcaffe all the same.
"""


class _Finder(MetaPathFinder, Loader):
    """Finds `caffe` and its parts among this package's modules, before the path is searched."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "caffe":
            return None
        if fullname not in MODULES:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(MODULES[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the specification of the other name there.
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


_finder = _Finder()


def install(shadow: bool = False) -> ModuleType:
    """Make `import caffe` mean torchcaffe in this process; returns the module.

    Parameters
    ----------
    shadow : bool
        Do so even where a genuine pycaffe is installed, and say so.

    Raises
    ------
    InputError
        A genuine pycaffe is installed or imported, and `shadow` is False.
    """
    found = genuine()
    if found and not shadow:
        raise CaffeError(
            f"a genuine pycaffe is in {found}; torchcaffe.install(shadow=True) takes torchcaffe "
            "all the same"
        )
    if found:
        warn(f"i2cnn: import caffe is torchcaffe; the genuine pycaffe in {found} is not used")
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
        for name in [n for n in sys.modules if n.partition(".")[0] == "caffe"]:
            del sys.modules[name]
    return importlib.import_module("caffe")


def genuine() -> Path | None:
    """Folder of the compiled genuine pycaffe that is imported, or would be; None if there is none.

    Its source alone, and the empty package `caffe` of the Python package index, do not count.
    """
    if _finder in sys.meta_path:
        return None
    folders = [Path(entry, "caffe") for entry in sys.path]
    return next((folder for folder in folders if any(folder.glob("_caffe*.so"))), None)


def run(words: Sequence[str]) -> int:
    """`i2cnn caffe run`: run a program as `python` would; returns its exit status.

    Raises
    ------
    InputError
        The program is not there.
    """
    words = list(words)
    shadow = words[:1] in (["-shadow"], ["--shadow"])
    words = words[shadow:]
    option = words[0] if words[:1] in (["-m"], ["-c"]) else ""
    words = words[bool(option) :]
    if not words or words[0] in ("-h", "-help", "--help"):
        print(RUN, end="", file=sys.stdout if words else sys.stderr)
        return 0
    program, arguments = words[0], words[1:]
    if not option and not Path(program).is_file():
        raise CaffeError(f"File not found: {program}")
    sys.path[0] = os.getcwd() if option else str(Path(program).resolve().parent)
    found = genuine()
    if found and not shadow:
        warn(f"i2cnn: import caffe is the genuine pycaffe in {found}; -shadow takes torchcaffe")
    else:
        install(shadow)
        warn(f"i2cnn: import caffe is torchcaffe, Caffe {CAFFE_VERSION} on PyTorch")
        # For processes that the program starts: multiprocessing hands its own path on.
        sys.path.insert(1, str(SHIM))
        paths = [str(SHIM), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.argv = ["-c" if option == "-c" else program, *arguments]
    return _run(program, option)


def _run(program: str, option: str) -> int:
    """Run the program; what it raises is shown with its own trace."""
    try:
        if option == "-m":
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        elif option == "-c":
            code = compile(program, "<string>", "exec", dont_inherit=True)
            module = sys.modules["__main__"] = ModuleType("__main__")
            exec(code, module.__dict__)
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            raise
        sys.stderr.write(f"{end.code}\n")  # as Python does: sys.exit("what is wrong")
        return 1
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals["__name__"] in (__name__, "runpy"):
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace or error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0
