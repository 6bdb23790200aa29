"""What using a recogniser costs: a photograph, many of them, a video, and a server's answers.

    python benchmarks/predict.py [--model MODEL] [--before CHECKOUT] [--pictures DIR] [--json FILE]

Processor time (user and system) and peak memory of the `i2cnn` command, whatever else the machine
does; the start is taken off where there is more than one picture. With `--before`, an earlier
checkout with its compiled extension does the same. Photographs are those of a folder, or the
embedded rendered faces; videos are made of one or two of them, which move.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from i2cnn.datasets import embedded_root
from i2cnn.util.images import as_bgr, read_image

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, RATE = 1280, 720, 25
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """What one thing costs in a checkout: processor seconds, and peak memory in MB."""

    what: str
    checkout: str
    processor: float
    memory: float


def command(checkout: Path, *words: str) -> subprocess.Popen[str]:
    """An `i2cnn` command of a checkout, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "i2cnn", *words],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def run(checkout: Path, *words: str) -> tuple[float, float]:
    """Processor seconds and peak MB of an `i2cnn` command."""
    process = command(checkout, *words)
    assert process.stdout is not None
    process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"i2cnn {' '.join(words[:1])} ended with status {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def write_clip(path: Path, pictures: Sequence[Path], seconds: float) -> Path:
    """A clip of 720p in which a face or two sway, grow, shrink and turn a little, with noise."""
    rng = np.random.RandomState(0)
    coarse = rng.randint(60, 190, (HEIGHT // 40, WIDTH // 40, 3)).astype(np.uint8)
    ground = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    faces = [as_bgr(read_image(picture)) for picture in pictures]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    for number in range(round(seconds * RATE)):
        frame, t = ground.copy(), 2 * np.pi * number / RATE
        for i, face in enumerate(faces):
            side = face.shape[0]
            size = 300 + 80 * np.cos(t / 7 + 2 * i)
            place = WIDTH * (0.27 + 0.46 * i) + 80 * np.sin(t / 2.5), 360 + 60 * np.sin(t / 3 + i)
            turn = cv2.getRotationMatrix2D((side / 2, side / 2), 8 * np.sin(t / 3), size / side)
            turn[:, 2] += np.array(place) - side / 2
            cv2.warpAffine(face, turn, (WIDTH, HEIGHT), frame, borderMode=cv2.BORDER_TRANSPARENT)
        writer.write(np.clip(frame + 3 * rng.randn(HEIGHT, WIDTH, 1), 0, 255).astype(np.uint8))
    writer.release()
    return path


def serve(
    checkout: Path, model: str, pictures: Sequence[Path], requests: int
) -> tuple[float, float]:
    """Processor seconds per request, and peak MB, of a server that is asked in parallel."""
    process = command(checkout, "serve", "--port", "0", "--model", model)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[0]
        ask(url, pictures[0])
        before = _used(process.pid)
        with ThreadPoolExecutor(requests) as pool:
            turns = itertools.islice(itertools.cycle(pictures), requests)
            faces = list(pool.map(lambda picture: ask(url, picture), turns))
        if not all(faces):
            raise SystemExit("a request was answered without a face")
        return (_used(process.pid) - before) / requests, _peak(process.pid)
    finally:
        process.terminate()
        process.wait()


def ask(url: str, picture: Path) -> int:
    """Number of faces that a server finds."""
    request = urllib.request.Request(
        f"{url}api/predict", picture.read_bytes(), {"Content-Type": "image/png"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return len(json.load(answer)["faces"])


def _used(pid: int) -> float:
    """Processor seconds of a process that runs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _peak(pid: int) -> float:
    """Peak MB of a process that runs."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def measure(
    name: str,
    checkout: Path,
    pictures: Sequence[Path],
    videos: Mapping[str, Sequence[Path]],
    options: argparse.Namespace,
) -> list[Row]:
    """All rows of a checkout; of each kind of video there are a short and a long one."""
    words = ["predict", "--model", options.model]
    run(checkout, *words, str(pictures[0]))  # which also compiles what was edited
    one, memory = run(checkout, *words, str(pictures[0]))
    rows = [Row("one photograph", name, one, memory)]
    with tempfile.TemporaryDirectory() as folder:
        table = str(Path(folder) / "faces.csv")
        words += ["--csv", table]
        many, memory = run(checkout, *words, *map(str, pictures))
        each = (many - one) / (len(pictures) - 1)
        rows.append(Row(f"each of {len(pictures)} photographs", name, each, memory))
        for what, clips in videos.items():
            (short, _), (long, memory) = (run(checkout, *words, str(clip)) for clip in clips)
            rows.append(Row(what, name, (long - short) / options.seconds, memory))
    used, memory = serve(checkout, options.model, pictures, options.requests)
    rows.append(Row(f"each of {options.requests} requests at once", name, used, memory))
    return rows


def main() -> None:
    """Print a row per thing, with both checkouts side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smile", help="a recogniser's name or folder")
    parser.add_argument("--before", type=Path, help="an earlier checkout")
    parser.add_argument("--pictures", type=Path, default=embedded_root())
    parser.add_argument("--number", type=int, default=20, help="photographs")
    parser.add_argument("--seconds", type=float, default=2.0, help="of video")
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    found = sorted(p for p in options.pictures.rglob("*") if p.suffix in (".jpg", ".png"))
    pictures = [p.absolute() for p in found[:: max(1, len(found) // options.number)]]
    checkouts = {"now": ROOT} | ({"before": options.before.absolute()} if options.before else {})
    with tempfile.TemporaryDirectory() as folder:
        videos = {
            f"each second of 720p, faces: {faces}": [
                write_clip(Path(folder) / f"{faces}-{seconds}.mp4", shown, seconds)
                for seconds in (1.0, 1.0 + options.seconds)
            ]
            for faces, shown in ((1, pictures[-1:]), (2, [pictures[0], pictures[-1]]))
        }
        rows = {
            name: measure(name, checkout, pictures[: options.number], videos, options)
            for name, checkout in checkouts.items()
        }
    for same in zip(*rows.values(), strict=True):
        figures = [f"{r.checkout} {r.processor:.3f} s, {r.memory:.0f} MB" for r in same]
        if len(same) == 2:
            figures.append(f"before / now {same[1].processor / same[0].processor:.2f}")
        print(f"{same[0].what}: {'; '.join(figures)}")
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for own in rows.values() for r in own]))


if __name__ == "__main__":
    main()
