"""The flags of Caffe's command line, in gflags' spellings, and its usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.parallel import Request
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.util.text import warn

USAGE = """\
usage: i2cnn caffe <command> <args>

commands:
  train           train or finetune a model
  test            score a model
  device_query    show GPU diagnostic information
  time            benchmark model execution time
  run             run a Python program that imports caffe: run script.py args...
  check           all that keeps nets from running: check net.prototxt...
  export          write a net as ONNX or for torch.export, verified

programs with flags of their own:
  convert_imageset, compute_image_mean, extract_features, upgrade_net_proto_text,
  upgrade_net_proto_binary, upgrade_solver_proto_text, classify, detect, draw_net, parse_log,
  plot_training_log, extract_seconds

flags (with one dash or two, as -flag value or -flag=value):
  -solver         solver definition (train)
  -model          model definition (test, time)
  -weights        pretrained weights to finetune, comma-separated (train, test)
  -snapshot       solver state to resume training from (train)
  -iterations     number of iterations to run (test, time; default 50)
  -gpu            device to run on; if not given, the CPU or what the solver says; train takes
                  0,1,... or all: each device then takes a full batch of its own and gradients
                  are averaged
  -precision      float32 (default, exact), tf32 (CUDA only) or bf16 (train, test, time)
  -gpus 0 1       as Caffe's train.py has it: -gpu 0,1
  -timing         log what each layer takes at each display (train)
  -phase          TRAIN or TEST (time)
  -level, -stage  network level and comma-separated stages
  -sigint_effect  stop (default), snapshot or none
  -sighup_effect  snapshot (default), stop or none
  --version       print the version of Caffe that this reproduces

glog's flags:
  -log_dir          folder of a log file as well (default: none is written)
  -minloglevel      0 logs all, 1 warnings and errors, 2 errors
  -alsologtostderr  print what is logged (default); with -log_dir, -noalsologtostderr does not
  -logtostderr      print only, whatever -log_dir says
  -stderrthreshold  with -noalsologtostderr, print from this level on (default 2, errors)
  -v                verbose level; Caffe has no further lines at any level

Several processes on the CPU, on several machines, or one per device:
  torchrun --nproc-per-node N -m i2cnn.torchcaffe train -solver solver.prototxt
"""

_DEFAULTS = {
    "solver": "",
    "model": "",
    "weights": "",
    "snapshot": "",
    "iterations": "50",
    "gpu": "",
    "phase": "",
    "level": "0",
    "stage": "",
    "sigint_effect": "stop",
    "sighup_effect": "snapshot",
    "precision": "float32",
    "timing": "false",
}
EFFECTS = {"stop": Request.STOP, "snapshot": Request.SNAPSHOT, "none": Request.NONE}

_BOOLEAN = ("logtostderr", "alsologtostderr")
_FALSE = ("false", "0", "f", "no", "n")


def parse_flags(arguments: Sequence[str]) -> dict[str, str]:
    """Flags by name; glog's only where they are given.

    Raises
    ------
    InputError
        A flag is unknown, lacks its value or cannot have it.
    """
    flags, others = split_flags(_join_gpus(arguments), _DEFAULTS, ["timing"])
    if others:
        raise CaffeError(f"unknown command line flag '{others[0]}'; see `i2cnn caffe --help`")
    _check_values(flags)
    return flags


def _join_gpus(words: Sequence[str]) -> list[str]:
    """Words in which Caffe's train.py's --gpus 0 1 is -gpu=0,1."""
    joined: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.lstrip("-") == "gpus" and word.startswith("-"):
            numbers = []
            while rest and rest[0].isdecimal():
                numbers.append(rest.pop(0))
            word = f"-gpu={','.join(numbers or ['0'])}"
        joined.append(word)
    return joined


def split_flags(
    arguments: Sequence[str], defaults: Mapping[str, str], booleans: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Flags by name, glog's only where they are given, and the words that are no flags.

    Parameters
    ----------
    arguments : sequence of str
        Words of a command line, without the program's name.
    defaults : mapping
        The flags that the program has, with their values where they are not given.
    booleans : sequence of str
        Those that are true or false: -name, -noname, -name=true.

    Raises
    ------
    InputError
        A flag is unknown or lacks its value, or a boolean one is neither true nor false.
    """
    flags, others = dict(defaults), []
    both = (*_BOOLEAN, *booleans)
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, has_value, value = word.lstrip("-").partition("=")
        if not word.startswith("-"):
            others.append(word)
            continue
        if name.removeprefix("no") in both and not has_value:
            name, value = name.removeprefix("no"), "false" if name.startswith("no") else "true"
        elif name not in {*flags, *log.DEFAULTS}:
            raise CaffeError(f"unknown command line flag '{word}'; see `i2cnn caffe --help`")
        elif not has_value:
            if not rest:
                raise CaffeError(f"flag '{word}' is missing its argument")
            value = rest.pop(0)
        flags[name] = value
    for name in both:
        if flags.get(name, "true").lower() not in (*log.TRUE, *_FALSE):
            raise CaffeError(f"flag -{name}: {flags[name]!r} is neither true nor false")
    return flags, others


def show_usage(text: str) -> int:
    """Print a program's usage on standard error; returns the exit status."""
    for line in text.splitlines():
        warn(line)
    return 1


def is_true(value: str) -> bool:
    """Whether a flag's value is one that gflags takes as true."""
    return value.lower() in log.TRUE


def _check_values(flags: dict[str, str]) -> None:
    for name in ("iterations", "level", "minloglevel", "stderrthreshold", "v"):
        value = flags.get(name, "0")
        digits = value if name == "iterations" else value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or int(digits) >= 2**31:
            raise CaffeError(f"flag -{name}: {value!r} is not a number from 0 to {2**31 - 1}")
    if int(flags["iterations"]) < 1:
        raise CaffeError("flag -iterations: must be at least 1")
    for name in ("sigint_effect", "sighup_effect"):
        if flags[name] not in EFFECTS:
            raise CaffeError(f"flag -{name}: {flags[name]!r} is not one of {', '.join(EFFECTS)}")


def apply_log_flags(flags: dict[str, str]) -> None:
    """Let glog's flags, where given, decide what this process logs and where."""
    log.reset_options()
    for name in log.DEFAULTS:
        if name in flags:
            log.set_option(name, flags[name].lower() if name in _BOOLEAN else flags[name])
    if log.option("alsologtostderr") not in log.TRUE and not log.option("log_dir"):
        raise CaffeError("flag -alsologtostderr: without it give -log_dir, else nothing is logged")
