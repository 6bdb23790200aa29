"""What a run's numbers and times depend on: versions of packages, and the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
from contextlib import suppress
from pathlib import Path

from i2cnn import __version__
from i2cnn.util.control_groups import group_limits
from i2cnn.util.cores import available_cores

_CPUINFO = Path("/proc/cpuinfo")
#: What Linux calls the instructions that multiply bfloat16, of x86 and of ARM processors.
_BF16_FLAGS = {"amx_bf16", "avx512_bf16", "bf16", "svebf16"}
PACKAGES = (
    "numpy",
    "opencv-python",
    "dlib-bin",
    "scikit-learn",
    "scikit-image",
    "lmdb",
    "protobuf",
    "torch",
    "h5py",
    "Pillow",
)


def versions() -> dict[str, str]:
    """Versions of i2cnn, Python and the packages that decide a run's numbers."""
    found = {"i2cnn": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def machine() -> dict[str, str]:
    """Operating system, processor type and number of usable cores."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": str(available_cores()),
    }


def bf16_instructions() -> set[str] | None:
    """What the processor has for bfloat16, as Linux calls it; None if that is not known."""
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return None
    flags = [line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Feat"))]
    return _BF16_FLAGS.intersection(flags[0]) if flags else None


def multiplies_bf16() -> bool:
    """False if the processor is known to lack instructions for bfloat16, which is slow then."""
    return bf16_instructions() != set()


def memory_limit() -> int:
    """Bytes of memory that this process can have at most: the machine's, or its control group's."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = group_limits("memory.max", "memory", "memory.limit_in_bytes")
    return min([whole, *(limit for (limit,) in limits)])


def free_memory() -> int:
    """Bytes that this process can have at most: what is free, what it has, and its limits."""
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    found = [memory_limit(), *(limit for limit in limits if limit != resource.RLIM_INFINITY)]
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        found.append(1024 * int(text.split()[0]) + pages * resource.getpagesize())
    return min(found)
