"""`i2cnn train` and `features`: what does not belong together is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.torchcaffe.formats.storage import write_mean
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.images import read_image, write_image
from tests.helpers.small_runs import small_set

Output = pytest.CaptureFixture[str]
TRAIN = ["train", "--train=train_db", "--validation=val_db", "--mean=mean.binaryproto"]
TRAIN += ["--classes=7", "--out=net", "--profile=quick", "--batch-size=4", "--device=cpu"]
TWO = [*TRAIN, "--max-iter=2"]
FEATURES = ["features", "faces.csv", "--root=data", "--net=net", "--out=f.npy", "--k=1"]
FEATURES += ["--device=cpu"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with faces, databases of several kinds and a net trained for two iterations."""
    folder = tmp_path_factory.mktemp("train") / "folder"
    small_set(folder / "data")
    patches = ["patches", "faces.csv", "--root=data", "--task=seven", "--k=1", "--size=64"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["faces", "data"]) == 0
        for name, subjects, *more in (
            ("train_db", "S01,S02", "--mean=mean.binaryproto"),
            ("val_db", "S03"),
            ("others", "S04"),
            ("five", "S03", "--k=5"),
            ("tight", "S03", "--scheme=tight"),
            ("raw", "S03", "--encoding=raw"),
        ):
            assert main([*patches, f"--out={name}", f"--subjects={subjects}", *more]) == 0
        lines = Path("faces.csv").read_text().splitlines()
        Path("six.csv").write_text("\n".join(x for x in lines if ",fear," not in x) + "\n")
        six = "patches six.csv --root=data --k=1 --size=64 --out=six --subjects=S03"
        assert main(six.split()) == 0
        assert main(TWO) == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, to work in and to change."""
    copy: Path = shutil.copytree(finished, tmp_path / "folder")
    monkeypatch.chdir(copy)
    return copy


def refusal(words: list[str], capsys: Output) -> str:
    """What the command says when it refuses."""
    assert main(words) == 1
    return capsys.readouterr().err


def test_a_finished_training_may_be_asked_for_again(folder: Path) -> None:
    net = (folder / "net" / "net.caffemodel").read_bytes()
    assert main(TWO) == 0
    assert (folder / "net" / "net.caffemodel").read_bytes() == net


def test_a_net_from_elsewhere_is_not_replaced(folder: Path, capsys: Output) -> None:
    net = folder / "net" / "net.caffemodel"
    net.write_bytes(b"a snapshot of genuine Caffe")
    assert "net.caffemodel: was not written by the training in this folder" in refusal(TWO, capsys)
    (folder / "net" / "training.json").unlink()  # stopped before its first validation
    assert "net.caffemodel: was not written by the training in this folder" in refusal(TWO, capsys)
    assert net.read_bytes() == b"a snapshot of genuine Caffe"


def test_another_schedule_is_refused(folder: Path, capsys: Output) -> None:
    message = "net: holds a training with other settings or data"
    assert message in refusal([*TRAIN, "--max-iter=3"], capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-iter=0"], "max_iter must be at least 1"),
        (["--patience=-1"], "patience must be at least 0"),
    ],
)
def test_a_number_that_is_too_small_is_named(
    folder: Path, options: list[str], message: str, capsys: Output
) -> None:
    assert message in refusal([*TWO, *options], capsys)


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ("others", "net: holds a training with other settings or data"),
        ("five", "written with other patches"),
        ("tight", "written with other scheme"),
        ("raw", "one holds raw pixels, the other image files"),
        ("six", "written with other classes"),
    ],
)
def test_a_database_that_does_not_belong_there_is_refused(
    folder: Path, database: str, message: str, capsys: Output
) -> None:
    assert message in refusal([*TWO, f"--validation={database}"], capsys)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--classes=9", "train_db: has 7 classes (neutral, anger,"),
        ("--profile=paper", "train_db: its patches are 64 x 64 pixels"),
        ("--mean=faces.csv", "faces.csv: damaged, or not a mean image"),
        ("--mean=large.binaryproto", "large.binaryproto: a mean image of 256 x 256 pixels"),
        ("--validation=train_db", "train_db: given to train and to validate"),
        ("--validation=nothing", "nothing: no LMDB"),
        ("--device=cuda:99", "device cuda:99 is not available"),
    ],
)
def test_a_refused_training_leaves_no_folder(
    folder: Path, option: str, message: str, capsys: Output
) -> None:
    write_mean("large.binaryproto", np.zeros((3, 256, 256), np.float32))
    assert message in refusal([*TWO, option, "--out=new"], capsys)
    assert not Path("new").exists()


def test_features_of_another_scheme_are_refused(folder: Path, capsys: Output) -> None:
    message = "net: was trained on patches of another scheme"
    assert message in refusal([*FEATURES, "--scheme=tight"], capsys)


def test_a_net_keeps_its_mean_whatever_becomes_of_the_file(folder: Path) -> None:
    (folder / "mean.binaryproto").unlink()
    assert main(FEATURES) == 0


def change_pictures(folder: Path, change: Callable[[UInt8Array], UInt8Array]) -> None:
    """Replace all pictures of the data set under their names."""
    for path in (folder / "data").glob("*.png"):
        write_image(path, change(read_image(path)))


def test_other_pictures_under_the_same_names_are_other_features(folder: Path) -> None:
    assert main(FEATURES) == 0
    before = (folder / "f.npy").read_bytes()
    change_pictures(folder, lambda image: image[::-1])
    assert main(FEATURES) == 0
    assert (folder / "f.npy").read_bytes() != before


def test_pictures_that_the_landmarks_do_not_belong_to_are_refused(
    folder: Path, capsys: Output
) -> None:
    change_pictures(folder, lambda image: image[::4, ::4])
    assert "is outside of its 64 x 64 pixels" in refusal(FEATURES, capsys)
