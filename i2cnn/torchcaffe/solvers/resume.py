"""What Caffe's snapshots leave out: each process's position in its data and random numbers.

It is stored in a .resume.npz beside the snapshot, so that a resumed run continues bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.core.position import (
    Position,
    nest,
    part_of,
    restore_rng,
    rng_position,
)
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.util.errors import InputError
from i2cnn.util.npz import read_npz, write_npz

#: Prefix of the generator's entries.
_RNG = "rng_"


def resume_file(state: str) -> Path:
    """The file that belongs to a .solverstate or .solverstate.h5."""
    path = Path(str(state).removesuffix(".h5"))
    return path.with_name(path.name.removesuffix(".solverstate") + ".resume.npz")


def find_beside(learned_net: str, state: str) -> str:
    """Path of a state's weights as the state has it, else the same name beside the state."""
    if Path(learned_net).exists():
        return learned_net
    beside = Path(state).parent / Path(learned_net).name
    return str(beside) if beside.exists() else learned_net


def training_position(nets: dict[str, CoreNet], rng: CaffeRNG) -> Position:
    """This process's position: its nets' data layers, by net, and its random numbers."""
    parts = nest({name: net.position() for name, net in nets.items()})
    return {**rng_position(rng, _RNG), **parts}


def restore_position(position: Position, nets: dict[str, CoreNet], rng: CaffeRNG) -> None:
    """Bring nets and random numbers to where :func:`training_position` was taken."""
    for name, net in nets.items():
        net.restore_position(part_of(position, name))
    # Last: restoring a net may draw.
    restore_rng(rng, position, _RNG)


def write_positions(path: Path, positions: Sequence[Position], group: Group) -> None:
    """Write the positions of all processes, by rank; none where they are not all known.

    Processes that pycaffe's NCCL connects are such: they resume as in genuine Caffe.
    """
    if len(positions) < group.size:
        path.unlink(missing_ok=True)
        return
    content: Position = {}
    for rank, position in enumerate(positions):
        content |= nest({_rank(rank): position}) if rank else position
    write_npz(path, content)


def read_position(path: Path, group: Group) -> Position:
    """This process's position; InputError if the file is damaged or of another group size."""
    try:
        content = read_npz(path, path.stat().st_size)  # np.savez does not compress
        CaffeRNG(0).restore(content["rng_keys"], int(content["rng_at"]))
    except (InputError, OSError, TypeError, ValueError, KeyError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise CaffeError(
            f"{path}: damaged ({reason}); delete it to resume as genuine Caffe does, from the "
            "first record"
        ) from None
    size = sum(key.endswith("rng_at") for key in content)
    if size != group.size:
        raise CaffeError(
            f"{path}: written by {size} process(es) that trained together, here are {group.size}; "
            "use as many, or delete it to resume as genuine Caffe does, from the first record"
        )
    return part_of(content, _rank(group.rank)) if group.rank else content


def _rank(rank: int) -> str:
    """The part that holds a process's entries; the root's are at the top."""
    return f"rank{rank}"
