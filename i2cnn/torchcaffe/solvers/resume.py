"""What Caffe forgets in a snapshot, in a .resume.npz beside it: where databases and random
numbers of each process stand, so that a run goes on bit for bit."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path

Place = dict[str, np.ndarray]


def resume_file(state: str) -> Path:
    """The file that belongs to a .solverstate or .solverstate.h5."""
    return Path(str(state).split(".solverstate")[0] + ".resume.npz")


def place_of(nets: dict[str, CoreNet]) -> Place:
    """Where this process stands: its nets' data layers, by net, and its random numbers."""
    keys, at = runtime.rng.state()
    place = {"rng_keys": keys, "rng_at": np.array(at)}
    for name, net in nets.items():
        place |= {f"{name}/{key}": value for key, value in net.positions().items()}
    return place


def go_to(place: Place, nets: dict[str, CoreNet]) -> None:
    """Bring nets and random numbers to where :func:`place_of` was taken."""
    for name, net in nets.items():
        start = f"{name}/"
        net.seek({k[len(start) :]: v for k, v in place.items() if k.startswith(start)})
    # Last: going to a place may draw.
    runtime.rng.restore(place["rng_keys"], int(place["rng_at"]))


def write_places(path: Path, places: Sequence[Place]) -> None:
    """Write the places of all processes, by rank."""
    content = {_of(rank) + key: v for rank, place in enumerate(places) for key, v in place.items()}
    with atomic_path(path) as temporary:
        np.savez(temporary, **content)  # type: ignore[arg-type]


def read_place(path: Path, group: Group) -> Place:
    """This process's place; an InputError if the file is damaged or of another group."""
    try:
        with np.load(path, allow_pickle=False) as file:
            content = dict(file)
        _ = content["rng_keys"], int(content["rng_at"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: damaged ({error}); delete it to resume as genuine Caffe does, from the "
            "first record"
        ) from None
    size = sum(key.endswith("rng_at") for key in content)
    if size != group.size:
        raise InputError(
            f"{path}: written by {size} process(es) that trained together, here are {group.size}; "
            "use as many, or delete it to resume as genuine Caffe does, from the first record"
        )
    mine = _of(group.rank)
    return {k[len(mine) :]: v for k, v in content.items() if k.startswith(mine)}


def _of(rank: int) -> str:
    """What a process's entries begin with; the root's have no prefix."""
    return f"rank{rank}/" if rank else ""
