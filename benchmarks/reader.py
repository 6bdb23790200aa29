"""What an encoding costs as a whole: write, read for training, disk.

Writes patches of the embedded faces with each encoding, reads an epoch of them as the paper's
network does (crop 227, mean image) by our Data layer and, with --caffe, by genuine Caffe's, files
in the page cache, runs alternating, the best of each. Then scales linearly to the patches of CK+.

    python benchmarks/reader.py [--caffe PATH_OF_caffe] [--json FILE] [--faces N] [--repeat N]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import torch

from i2cnn.datasets import load_dataset
from i2cnn.faces.locate import locate_faces
from i2cnn.patches import ENCODINGS
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.schemes import DEEPID
from i2cnn.torchcaffe.core.context import Context, NetOptions
from i2cnn.torchcaffe.core.memory import keep_freed_memory
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.data.batches import RecordBatches
from i2cnn.torchcaffe.data.reader import CachingReader
from i2cnn.torchcaffe.proto import LayerParameter

BATCH = 64
#: Patches of CK+ with seven classes: 1236 faces of 60.
CKPLUS = 74_160


def write(encoding: str, count: int, folder: Path) -> dict[str, float]:
    """Microseconds and bytes per patch."""
    dataset = load_dataset("synthetic", None)
    dataset.samples = dataset.samples[:count]
    faces = locate_faces(dataset).faces
    start = time.perf_counter()
    info = write_database(
        faces,
        [0] * len(faces),
        dataset.root,
        folder / encoding,
        DatabaseOptions(encoding=encoding),
        mean_file=folder / f"{encoding}.binaryproto",
    )
    seconds = time.perf_counter() - start
    return {"write_us": 1e6 * seconds / info.records, "bytes": info.bytes / info.records}


def read(encoding: str, count: int, folder: Path) -> tuple[float, float]:
    """Wall and processor microseconds per image, one epoch by our reader."""
    param = LayerParameter(
        name="data",
        data_param={"source": str(folder / encoding), "batch_size": BATCH, "backend": "LMDB"},
        transform_param={
            "crop_size": 227,
            "mean_file": str(folder / f"{encoding}.binaryproto"),
            "force_color": encoding != "raw",
        },
    )
    options = NetOptions(torch.device("cpu"), CaffeRNG(1))
    reader = CachingReader("data", RecordBatches(param, Context("reader", True, options)))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    for _ in range(count // BATCH):
        reader.next()
    seconds = time.perf_counter() - start
    end = resource.getrusage(resource.RUSAGE_SELF)
    reader.close()
    images = count // BATCH * BATCH
    used = end.ru_utime + end.ru_stime - usage.ru_utime - usage.ru_stime
    return 1e6 * seconds / images, 1e6 * used / images


def read_by_caffe(program: str, encoding: str, count: int, folder: Path) -> float:
    """Wall microseconds per image by genuine Caffe, which has one thread that reads."""
    model = folder / f"{encoding}.prototxt"
    color = "" if encoding == "raw" else "force_color: true"
    model.write_text(
        f"""name: "reader"
layer {{ name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ crop_size: 227 mean_file: "{folder}/{encoding}.binaryproto" {color} }}
  data_param {{ source: "{folder}/{encoding}" batch_size: {BATCH} backend: LMDB }} }}
layer {{ name: "end" type: "Silence" bottom: "data" bottom: "label" }}
"""
    )
    run = subprocess.run(
        [program, "time", "-model", str(model), "-iterations", str(count // BATCH)],
        env={"OPENBLAS_CORETYPE": "HASWELL", **os.environ, "GLOG_minloglevel": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Average Forward pass: ([\d.e+-]+) ms", run.stderr)
    if found is None:
        raise SystemExit(f"{program} did not print its time:\n{run.stderr}")
    return 1e3 * float(found[1]) / BATCH


def measure(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    """Least of each figure, by encoding."""
    count = options.faces * len(DEEPID)
    results: dict[str, dict[str, float]] = {encoding: {} for encoding in ENCODINGS}
    for _ in range(options.repeat):
        for encoding, result in results.items():
            shutil.rmtree(folder / encoding, ignore_errors=True)
            os.sync()
            found = write(encoding, options.faces, folder)
            found["read_us"], found["read_processor_us"] = read(encoding, count, folder)
            if options.caffe:
                found["caffe_us"] = read_by_caffe(options.caffe, encoding, count, folder)
            for name, value in found.items():
                result[name] = min(value, result.get(name, value))
    return results


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--caffe", help="genuine caffe's program")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--faces", type=int, default=64, help="default: 64, 3840 patches")
    parser.add_argument("--repeat", type=int, default=3, help="default: 3")
    options = parser.parse_args()
    keep_freed_memory()  # as a net does; it makes no difference to writing
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options, Path(folder))
    print(f"{os.cpu_count()} cores, {options.faces * len(DEEPID)} gray patches\n")
    print(
        "| encoding | kB on the disk | read, images/s | processor, us per image | genuine Caffe, "
        f"images/s | {CKPLUS} patches: write, s | read an epoch, s | GB |"
    )
    print("|---" * 8 + "|")
    for encoding, r in results.items():
        caffe = f"{1e6 / r['caffe_us']:.0f}" if "caffe_us" in r else "-"
        print(
            f"| {encoding} | {r['bytes'] / 1e3:.1f} | {1e6 / r['read_us']:.0f} "
            f"| {r['read_processor_us']:.0f} | {caffe} | {CKPLUS * r['write_us'] / 1e6:.1f} "
            f"| {CKPLUS * r['read_us'] / 1e6:.1f} | {CKPLUS * r['bytes'] / 1e9:.2f} |"
        )
    if options.json:
        options.json.write_text(
            json.dumps([{"encoding": e} | r for e, r in results.items()], indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
