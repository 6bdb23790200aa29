"""Patches a second: the extension beside the usual Python pipeline, same faces, one process.

The rival is what one writes with OpenCV, protobuf and py-lmdb: cv2.warpAffine, cv2.flip,
cv2.imencode, Datum.SerializeToString, txn.put, on a thread pool. From limits.cpp: bare mdb_put of
values of the same sizes, and, by the speed that many bytes reach, write(2) to a file and a copy in
memory, all on one thread. The ceiling of raw is the ratio of a program that did nothing but
write(2); that of JPEG of one that did nothing but cv2.imencode.
Runs alternate and the best of each counts, since other work on the machine only ever slows one
down. The processor's time is given, too: it depends less on what else runs.

    python benchmarks/patches.py [--json FILE] [--folder DIR] [--faces N] [--repeat N] [--simd S]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import lmdb
import numpy as np

from i2cnn import _native
from i2cnn.datasets import load_dataset
from i2cnn.patches.extract import PATCH_SIZE, extract_patches
from i2cnn.patches.schemes import DEEPID, FACE
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.images import as_bgr, as_gray, read_image

SCHEME = DEEPID
QUALITY = 95
#: Records in one transaction of the rival, as Caffe's own tools have it.
TRANSACTION = 1000


def faces(count: int, color: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images with their points."""
    dataset = load_dataset("synthetic", None)
    samples = dataset.samples[:: max(1, len(dataset.samples) // count)][:count]
    images = [read_image(dataset.root / s.image) for s in samples]
    convert = as_bgr if color else as_gray
    return [
        (np.ascontiguousarray(convert(i)), np.array(s.points))
        for i, s in zip(images, samples, strict=True)
    ]


def rival_patches(image: np.ndarray, points: np.ndarray) -> Iterator[np.ndarray]:
    """The 60 patches by OpenCV."""
    matrix = _native.similarity(points, SCHEME.mouth)
    turn, shift = matrix[:, :2], matrix[:, 2]
    inverse = np.linalg.inv(turn)
    for anchor, x, y, width, height in SCHEME.boxes:
        centre = np.array([x, y])
        if anchor != FACE:
            centre = centre + inverse @ (points[int(anchor)] - shift)
        step = np.array([width, height]) / PATCH_SIZE
        first = turn @ (centre - np.array([width, height]) / 2 + step / 2) + shift
        affine = np.column_stack([turn * step, first])
        patch = cv2.warpAffine(
            image,
            affine,
            (PATCH_SIZE, PATCH_SIZE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        yield patch
        yield cv2.flip(patch, 1)


def rival_datum(patch: np.ndarray, encoding: str) -> bytes:
    """A serialised Datum."""
    datum = Datum(label=3)
    if encoding == "raw":
        datum.channels, datum.height, datum.width = 3, PATCH_SIZE, PATCH_SIZE
        planes = 3 * [patch] if patch.ndim == 2 else cv2.split(patch)
        datum.data = b"".join(plane.tobytes() for plane in planes)
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if encoding == "jpeg" else []
        _, file = cv2.imencode(".png" if encoding == "png" else ".jpg", patch, options)
        datum.data = file.tobytes()
        datum.encoded = True
    return datum.SerializeToString()


def keys(count: int) -> list[list[str]]:
    """Shuffled keys, 60 a face."""
    order = np.random.RandomState(0).permutation(count * len(SCHEME)).reshape(count, -1)
    return [[f"{p:08d}_a_patch" for p in row] for row in order]


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


def run_rival(work: list, encoding: str, threads: int, folder: Path) -> None:
    def one(item: tuple[np.ndarray, np.ndarray]) -> list[bytes]:
        return [rival_datum(p, encoding) for p in rival_patches(*item)]

    def ahead(pool: ThreadPoolExecutor) -> Iterator[list[bytes]]:
        """Values in order, a few faces ahead, so that memory stays bounded for it, too."""
        waiting: deque[Future[list[bytes]]] = deque()
        for item in work:
            waiting.append(pool.submit(one, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    with ThreadPoolExecutor(threads) as pool:
        put_all(folder, zip(keys(len(work)), ahead(pool), strict=True))


def run_ours(work: list, encoding: str, threads: int, folder: Path) -> None:
    writer = _native.PatchWriter(
        str(folder), SCHEME.boxes, SCHEME.mouth, PATCH_SIZE, encoding, QUALITY, threads
    )
    patches = list(range(len(SCHEME)))
    for (image, points), names in zip(work, keys(len(work)), strict=True):
        writer.add(image, points, patches, names, 3)
    writer.finish()


def fresh(folder: Path) -> Path:
    """An empty folder, with nothing of earlier runs still on its way to the disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
    return folder


class Limits:
    """limits.cpp, and the bytes a second that write(2) and a copy in memory reach.

    The disk's moods would show in a ratio of two runs: these are the best of several, taken once.
    """

    def __init__(self, folder: Path, faces: int, repeat: int) -> None:
        self.program, self.folder = folder / "limits", folder / "limit"
        source = Path(__file__).with_name("limits.cpp")
        command = ["c++", "-std=c++17", "-O2", str(source), "-o", str(self.program), "-llmdb"]
        subprocess.run(command, check=True)
        sizes = [3 * PATCH_SIZE**2] * (faces * len(SCHEME))
        self.write = sum(sizes) / self.seconds("write", sizes, 2 * repeat)
        self.copy = sum(sizes) / self.seconds("copy", sizes, repeat)

    def seconds(self, limit: str, sizes: list[int], repeat: int) -> float:
        """Least seconds of put (bare mdb_put), write or copy for values of these sizes."""
        text = "\n".join(map(str, sizes))
        command = [str(self.program), limit, str(self.folder)]
        found = []
        for _ in range(repeat):
            fresh(self.folder)
            run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
            found.append(float(run.stdout))
        return min(found)


def measure_codec(work: list, threads: int, repeat: int) -> float:
    """Seconds of cv2.imencode alone for the patches, as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]

    def encode(patches: list[np.ndarray]) -> None:
        for patch in patches:
            cv2.imencode(".jpg", patch, options)

    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeat):
            total = 0.0
            # A few faces at a time, so that memory stays bounded.
            for first in range(0, len(work), 2 * threads):
                ready = [list(rival_patches(*item)) for item in work[first : first + 2 * threads]]
                start = time.perf_counter()
                list(pool.map(encode, ready))
                total += time.perf_counter() - start
            seconds.append(total)
    return min(seconds)


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds, and peak memory in MB above what there was before."""

    seconds: float
    processor: float
    memory: float


def measure(function: Callable[[], object]) -> Cost:
    status = Path("/proc/self/status")

    def memory(field: str) -> float:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines[field].split()[0]) / 1000

    def processor() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    Path("/proc/self/clear_refs").write_text("5")
    before, used = memory("VmRSS"), processor()
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    return Cost(seconds, processor() - used, memory("VmHWM") - before)


def best(
    functions: dict[str, Callable[[], object]],
    repeat: int,
    prepare: Callable[[], object] = lambda: None,
) -> dict[str, Cost]:
    """Least time and most memory of each, runs alternating; `prepare` is not counted."""
    found: dict[str, list[Cost]] = {name: [] for name in functions}
    for _ in range(repeat):
        for name, function in functions.items():
            prepare()
            found[name].append(measure(function))
    return {
        name: Cost(
            min(r.seconds for r in runs),
            min(r.processor for r in runs),
            max(r.memory for r in runs),
        )
        for name, runs in found.items()
    }


def measure_warping(count: int, color: bool, repeat: int) -> dict:
    """Sampling in memory, one thread each."""
    work = faces(count, color)

    def rival() -> None:
        for item in work:
            for _ in rival_patches(*item):
                pass

    def ours() -> None:
        for image, points in work:
            extract_patches(image, points)

    total = count * len(SCHEME)
    costs = best({"rival": rival, "ours": ours}, 3 * repeat)
    return {"step": "warp", "color": color, "threads": 1} | compare(costs, total)


def compare(costs: dict[str, Cost], total: int) -> dict[str, float]:
    """Patches a second, microseconds of processor a patch, and their ratios."""
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
    encoding: str,
    color: bool,
    threads: int,
    count: int,
    folder: Path,
    limits: Limits,
    repeat: int,
) -> dict:
    """End to end into an LMDB, images in memory."""
    work = faces(count, color)
    total = count * len(SCHEME)

    database = folder / "db"
    run_ours(work, encoding, threads, fresh(database))
    with lmdb.open(str(database), readonly=True, lock=False) as env, env.begin() as txn:
        sizes = [len(value) for _, value in txn.cursor()]
    costs = best(
        {
            "rival": lambda: run_rival(work, encoding, threads, database),
            "ours": lambda: run_ours(work, encoding, threads, database),
        },
        repeat,
        lambda: fresh(database),
    )
    put = limits.seconds("put", sizes, repeat)
    write, copy = sum(sizes) / limits.write, sum(sizes) / limits.copy
    ours = costs["ours"].seconds
    floor = write if encoding == "raw" else None
    if encoding == "jpeg":
        floor = measure_codec(work, threads, repeat)
    return (
        {"step": encoding, "color": color, "threads": threads}
        | compare(costs, total)
        | {
            "bytes_per_patch": sum(sizes) / total,
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
    "| processor, us a patch | kB a patch | MB/s | % of mdb_put / write(2) / copy "
    "| peak MB, ours / rival |"
)


def row(r: dict) -> str:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--folder", type=Path, help="where databases go (default: temporary)")
    parser.add_argument("--faces", type=int, default=60, help="default: 60")
    parser.add_argument("--repeat", type=int, default=3, help="default: 3")
    parser.add_argument("--only", nargs="*", help="steps: warp, raw, png, jpeg (default: all)")
    parser.add_argument("--simd", default="auto", help="plain, avx2, avx512 (default: the best)")
    options = parser.parse_args()
    _native.set_simd(options.simd)
    steps = options.only or ["warp", "raw", "png", "jpeg"]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {_native.simd_level()}\n")
    results = []
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        limits = Limits(Path(folder), options.faces, options.repeat)
        print(f"write(2) {limits.write / 1e6:.0f} MB/s, copy {limits.copy / 1e6:.0f} MB/s\n")
        print(HEADER)
        print("|---" * (HEADER.count("|") - 1) + "|")
        for step, color in itertools.product(steps, (False, True)):
            for threads in (1,) if step == "warp" else (1, 2):
                if step == "warp":
                    result = measure_warping(options.faces, color, options.repeat)
                else:
                    result = measure_database(
                        step, color, threads, options.faces, Path(folder), limits, options.repeat
                    )
                results.append(result)
                print(row(result), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
