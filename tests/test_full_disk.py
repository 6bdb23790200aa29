"""On a full disk every writer says which file it is, and leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.table import write_faces_csv
from i2cnn.models import find_model
from i2cnn.network.features import _new_store
from i2cnn.recogniser.bundle import load_bundle, save_hog_bundle
from i2cnn.report.page import write_report
from i2cnn.report.publish import publish
from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.formats.storage import (
    State,
    write_mean,
    write_state,
    write_weights,
    write_weights_hdf5,
)
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.torchcaffe.solvers.resume import write_positions
from i2cnn.util.errors import InputError
from i2cnn.util.files import write_json, write_text
from i2cnn.util.images import write_image
from i2cnn.util.npz import write_npz
from tests.helpers.databases import write_faces
from tests.helpers.faces import some_faces
from tests.helpers.runs import write_run

VALUES = np.random.default_rng(0).standard_normal((3, 100, 100)).astype(np.float32)
NOISE = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
BUNDLE = load_bundle(find_model("smile"))
Output = pytest.CaptureFixture[str]


def write_bundle(path: Path) -> None:
    """Write a recogniser as `make_recogniser` does."""
    assert BUNDLE.population is not None
    save_hog_bundle(path, BUNDLE.labels, BUNDLE.patches, BUNDLE.pairs, BUNDLE.population, {})


WRITERS: dict[str, Callable[[Path], object]] = {
    "text.csv": lambda path: write_text(path, "x" * 10**5),
    "faces.csv": lambda path: write_faces_csv(path, some_faces(420)),
    "values.json": lambda path: write_json(path, VALUES.tolist()),
    "values.npz": lambda path: write_npz(path, {"values": VALUES}),
    "picture.png": lambda path: write_image(path, NOISE),
    "sheet.png": lambda path: contact_sheets(some_faces(9), embedded_root(), path),
    "features.npy": lambda path: _new_store(path, VALUES.shape),
    "database": lambda path: write_faces(path, number=1),
    "recogniser": write_bundle,
    "mean.binaryproto": lambda path: write_mean(path, VALUES),
    "net.caffemodel": lambda path: write_weights(path, NetParameter(name="x" * 10**5)),
    "net.caffemodel.h5": lambda path: write_weights_hdf5(path, {"fc": {0: VALUES}}),
    "a.solverstate": lambda path: write_state(path, State(1, "n", [VALUES], 0), hdf5=False),
    "a.solverstate.h5": lambda path: write_state(path, State(1, "n", [VALUES], 0), hdf5=True),
    "a.resume.npz": lambda path: write_positions(path, [{"values": VALUES}], Group()),
}


def fill_up(disk: Path, left: int) -> None:
    """Leave so many bytes of a file system free."""
    with open(disk / "filling", "wb") as file:
        file.write(bytes(shutil.disk_usage(disk).free - left))


@pytest.mark.parametrize("left", [0, 16384])
@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_names_its_file_and_cleans_up(name: str, left: int, small_disk: Path) -> None:
    fill_up(small_disk, left)
    with pytest.raises(InputError, match=rf"disk/{name}.*: .*[Nn]o space left"):
        WRITERS[name](small_disk / name)
    assert [path.name for path in small_disk.iterdir()] == ["filling"]


def test_an_older_file_outlives_a_full_disk(small_disk: Path) -> None:
    (small_disk / "picture.png").write_bytes(b"older")
    fill_up(small_disk, 0)
    with pytest.raises(InputError, match="No space left"):
        write_image(small_disk / "picture.png", NOISE)
    assert (small_disk / "picture.png").read_bytes() == b"older"


def test_an_older_recogniser_outlives_a_full_disk(small_disk: Path) -> None:
    write_bundle(small_disk / "mine")
    fill_up(small_disk, 0)
    with pytest.raises(InputError, match="No space left"):
        write_bundle(small_disk / "mine")
    assert load_bundle(small_disk / "mine").labels == BUNDLE.labels


def test_a_report_and_what_is_published_of_it(small_disk: Path, tmp_path: Path) -> None:
    run = small_disk / "run"
    write_run(run)
    before = sorted(run.rglob("*"))
    fill_up(small_disk, 0)
    with pytest.raises(InputError, match=r"disk/run/report/.*: .*No space left"):
        write_report(run)
    assert sorted(path for path in run.rglob("*") if path.is_file()) == [
        path for path in before if path.is_file()
    ]
    (small_disk / "filling").unlink()
    write_report(run)
    fill_up(small_disk, 16384)
    with pytest.raises(InputError, match=r"disk/(run/report|published).*: .*No space left"):
        publish(run, small_disk / "published")
    assert sorted(path.name for path in small_disk.iterdir()) == ["filling", "run"]


def test_drawings_of_predict_are_whole_or_not_there(small_disk: Path, capsys: Output) -> None:
    fill_up(small_disk, 8192)
    photo = str(next(embedded_root().glob("*.png")))
    assert main(["predict", photo, "--save", str(small_disk / "out")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"i2cnn: error: {small_disk / 'out'}/")
    assert error.endswith("cannot be written (No space left on device)")
    assert list((small_disk / "out").iterdir()) == []


def test_a_csv_file_of_predict_keeps_whole_rows(small_disk: Path, capsys: Output) -> None:
    photos = [str(path) for path in sorted(embedded_root().glob("S03.*.png"))[:12]]
    table = small_disk / "faces.csv"
    fill_up(small_disk, 4096)
    copies = photos * 2
    for number, photo in enumerate(copies):  # other names, so that they are other pictures
        copies[number] = str(Path(photo).parent / ("./" * number) / Path(photo).name)
    assert main(["predict", *copies, "--csv", str(table)]) in (0, 1)
    lines = table.read_text().splitlines(keepends=True)
    assert len(lines) > 3
    assert all(line.endswith("\n") and line.count(",") == lines[0].count(",") for line in lines)
