"""Patches per second: `write_database` beside the usual Python pipeline, same faces, one process.

The rival is what one writes with OpenCV, protobuf and py-lmdb: cv2.imread, cv2.warpAffine,
cv2.flip, cv2.imencode, Datum.SerializeToString, txn.put, on a thread pool. Both begin with picture
files and landmarks. From limits.cpp: bare mdb_put of values of the same sizes, and, by the speed
that many bytes reach, write(2) to a file and a copy in memory, all on one thread. The ceiling of
raw is the ratio of a program that did nothing but write(2); that of JPEG of one that did nothing
but cv2.imencode.
Runs alternate and the best of each counts, since other work on the machine only ever slows one
down. Processor time is given too: it depends less on what else runs.

    python benchmarks/patches.py [--json FILE] [--folder DIR] [--faces N] [--repeat N] [--simd S]
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import platform
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
from cost import Cost, best
from limits import Limits, fresh

from i2cnn import _native
from i2cnn.datasets import load_dataset
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import Face
from i2cnn.patches import PATCH_SIZE
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.lmdb_writer import JPEG_QUALITY, DatabaseOptions, write_database
from i2cnn.patches.schemes import DEEPID, FACE
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.arrays import Float64Array, UInt8Array

LABEL = 3
#: Records per transaction of the rival, as in Caffe's own tools.
TRANSACTION = 1000


@dataclass(frozen=True)
class Work:
    """Faces of the embedded set whose patches are made."""

    faces: list[Face]
    root: Path
    color: bool

    @classmethod
    def of(cls, count: int, color: bool) -> Work:
        dataset = load_dataset("synthetic", None)
        dataset.samples = dataset.samples[:: max(1, len(dataset.samples) // count)][:count]
        return cls(locate_faces(dataset).faces, dataset.root, color)

    @property
    def total(self) -> int:
        """Number of patches."""
        return len(self.faces) * len(DEEPID)

    def read(self, face: Face) -> UInt8Array:
        """A face's picture."""
        flag = cv2.IMREAD_COLOR if self.color else cv2.IMREAD_GRAYSCALE
        return np.asarray(cv2.imread(str(self.root / face.image), flag), np.uint8)


def rival_patches(image: UInt8Array, points: Float64Array) -> Iterator[UInt8Array]:
    """The 60 patches by OpenCV."""
    matrix = _native.similarity(points, DEEPID.mouth)
    turn, shift = matrix[:, :2], matrix[:, 2]
    inverse = np.linalg.inv(turn)
    for anchor, x, y, width, height in DEEPID.boxes:
        centre = np.array([x, y])
        if anchor != FACE:
            centre = centre + inverse @ (points[int(anchor)] - shift)
        step = np.array([width, height]) / PATCH_SIZE
        first = turn @ (centre - np.array([width, height]) / 2 + step / 2) + shift
        patch = cv2.warpAffine(
            image,
            np.column_stack([turn * step, first]),
            (PATCH_SIZE, PATCH_SIZE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        yield np.asarray(patch, np.uint8)
        yield np.asarray(cv2.flip(patch, 1), np.uint8)


def rival_datum(patch: UInt8Array, encoding: str) -> bytes:
    """A serialised Datum."""
    datum = Datum(label=LABEL)
    if encoding == "raw":
        datum.channels, datum.height, datum.width = 3, PATCH_SIZE, PATCH_SIZE
        planes = 3 * [patch] if patch.ndim == 2 else cv2.split(patch)
        datum.data = b"".join(plane.tobytes() for plane in planes)
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if encoding == "jpeg" else []
        _, file = cv2.imencode(".png" if encoding == "png" else ".jpg", patch, options)
        datum.data = file.tobytes()
        datum.encoded = True
    return datum.SerializeToString()


def put_all(folder: Path, rows: Iterator[tuple[list[str], list[bytes]]]) -> None:
    """Write records in transactions and sync at the end."""
    env = lmdb.open(str(folder), map_size=1 << 36, sync=False)
    txn, pending = env.begin(write=True), 0
    for names, values in rows:
        for name, value in zip(names, values, strict=True):
            txn.put(name.encode(), value)
            pending += 1
            if pending == TRANSACTION:
                txn.commit()
                txn, pending = env.begin(write=True), 0
    txn.commit()
    env.sync(True)
    env.close()


def run_rival(work: Work, encoding: str, threads: int, folder: Path) -> None:
    """The usual pipeline, from picture files to an LMDB."""
    order = np.random.RandomState(0).permutation(work.total).reshape(len(work.faces), -1)
    keys = ([f"{p:08d}_a_patch" for p in row] for row in order)

    def one(face: Face) -> list[bytes]:
        return [rival_datum(p, encoding) for p in rival_patches(work.read(face), face.points)]

    def ahead(pool: ThreadPoolExecutor) -> Iterator[list[bytes]]:
        """Values in order, a few faces ahead, so that its memory stays bounded too."""
        waiting: deque[Future[list[bytes]]] = deque()
        for face in work.faces:
            waiting.append(pool.submit(one, face))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    with ThreadPoolExecutor(threads) as pool:
        put_all(folder, zip(keys, ahead(pool), strict=True))


def run_ours(work: Work, encoding: str, threads: int, folder: Path) -> None:
    """`write_database`, from picture files to an LMDB."""
    options = DatabaseOptions(encoding=encoding, color=work.color, threads=threads)
    write_database(work.faces, [LABEL] * len(work.faces), work.root, folder, options)


def codec_seconds(work: Work, threads: int, repeat: int) -> float:
    """Seconds of cv2.imencode alone for the patches, as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]

    def encode(patches: list[UInt8Array]) -> None:
        for patch in patches:
            cv2.imencode(".jpg", patch, options)

    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeat):
            total = 0.0
            # A few faces at a time, so that memory stays bounded.
            for first in range(0, len(work.faces), 2 * threads):
                some = work.faces[first : first + 2 * threads]
                ready = [list(rival_patches(work.read(f), f.points)) for f in some]
                start = time.perf_counter()
                list(pool.map(encode, ready))
                total += time.perf_counter() - start
            seconds.append(total)
    return min(seconds)


def measure_warping(work: Work, repeat: int) -> dict[str, Any]:
    """Sampling in memory, one thread each."""
    images = [(work.read(face), face.points) for face in work.faces]

    def rival() -> None:
        for image, points in images:
            for _ in rival_patches(image, points):
                pass

    def ours() -> None:
        for image, points in images:
            extract_patches(image, points)

    costs = best({"rival": rival, "ours": ours}, 3 * repeat)
    return {"step": "warp", "color": work.color, "threads": 1} | compare(costs, work.total)


def compare(costs: dict[str, Cost], total: int) -> dict[str, float]:
    """Patches per second, microseconds of processor time per patch, and their ratios."""
    rival, ours = costs["rival"], costs["ours"]
    return {
        "rival": total / rival.seconds,
        "ours": total / ours.seconds,
        "ratio": rival.seconds / ours.seconds,
        "rival_processor_us": 1e6 * rival.processor / total,
        "processor_us": 1e6 * ours.processor / total,
        "processor_ratio": rival.processor / ours.processor,
    }


def measure_database(
    work: Work, encoding: str, threads: int, folder: Path, limits: Limits, repeat: int
) -> dict[str, Any]:
    """From picture files into an LMDB."""
    database = folder / "db"
    run_ours(work, encoding, threads, fresh(database))
    with lmdb.open(str(database), readonly=True, lock=False) as env, env.begin() as txn:
        sizes = [len(value) for _, value in txn.cursor()]
    runs = {"rival": run_rival, "ours": run_ours}
    costs = best(
        {name: functools.partial(r, work, encoding, threads, database) for name, r in runs.items()},
        repeat,
        lambda: fresh(database),
    )
    put = limits.seconds("put", sizes, repeat)
    write, copy = sum(sizes) / limits.write, sum(sizes) / limits.copy
    ours = costs["ours"].seconds
    floor = write if encoding == "raw" else None
    if encoding == "jpeg":
        floor = codec_seconds(work, threads, repeat)
    return (
        {"step": encoding, "color": work.color, "threads": threads}
        | compare(costs, work.total)
        | {
            "bytes_per_patch": sum(sizes) / work.total,
            "bytes_per_second": sum(sizes) / ours,
            "ceiling": costs["rival"].seconds / floor if floor else None,
            "share_of_put": put / ours,
            "share_of_write": write / ours,
            "share_of_copy": copy / ours,
            "peak_mb": costs["ours"].memory,
            "rival_peak_mb": costs["rival"].memory,
        }
    )


HEADER = (
    "| step | image | threads | OpenCV + py-lmdb, patches/s | ours, patches/s | ratio | ceiling "
    "| processor, us per patch | kB per patch | MB/s | % of mdb_put / write(2) / copy "
    "| peak MB, ours / rival |"
)


def row(r: dict[str, Any]) -> str:
    """One line of the table."""
    processor = f"{r['rival_processor_us']:.0f} / {r['processor_us']:.0f}"
    cells = [
        r["step"],
        "colour" if r["color"] else "gray",
        f"{r['threads']}",
        f"{r['rival']:.0f}",
        f"{r['ours']:.0f}",
        f"{r['ratio']:.1f}",
        f"{r['ceiling']:.1f}" if r.get("ceiling") else "",
        f"{processor} = {r['processor_ratio']:.1f}",
    ]
    if "share_of_put" in r:
        limits = ("share_of_put", "share_of_write", "share_of_copy")
        cells += [
            f"{r['bytes_per_patch'] / 1e3:.1f}",
            f"{r['bytes_per_second'] / 1e6:.0f}",
            " / ".join(f"{100 * r[name]:.0f}" for name in limits),
            f"{r['peak_mb']:.0f} / {r['rival_peak_mb']:.0f}",
        ]
    else:
        cells += [""] * 4
    return "| " + " | ".join(cells) + " |"


def measure_all(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """All steps, gray and colour, on one and two threads."""
    raw = [3 * PATCH_SIZE**2] * (options.faces * len(DEEPID))
    limits = Limits(folder, raw, options.repeat)
    print(f"write(2) {limits.write / 1e6:.0f} MB/s, copy {limits.copy / 1e6:.0f} MB/s\n")
    print(HEADER)
    print("|---" * (HEADER.count("|") - 1) + "|")
    steps = options.only or ["warp", "raw", "png", "jpeg"]
    for step, color in itertools.product(steps, (False, True)):
        work = Work.of(options.faces, color)
        if step == "warp":
            yield measure_warping(work, options.repeat)
            continue
        for threads in (1, 2):
            yield measure_database(work, step, threads, folder, limits, options.repeat)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--folder", type=Path, help="where databases go (default: temporary)")
    parser.add_argument("--faces", type=int, default=60, help="default: 60")
    parser.add_argument("--repeat", type=int, default=3, help="default: 3")
    parser.add_argument("--only", nargs="*", help="steps: warp, raw, png, jpeg (default: all)")
    parser.add_argument("--simd", default="auto", help="plain, avx2, avx512 (default: the best)")
    options = parser.parse_args()
    _native.set_simd(options.simd)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {_native.simd_level()}\n")
    results = []
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for result in measure_all(options, Path(folder)):
            results.append(result)
            print(row(result), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
