"""Every kind of file that a verb takes: how to make a valid one, and the command that takes it."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
from PIL import Image

from i2cnn.cli.answers import Answer
from i2cnn.cli.pictures import Picture
from i2cnn.cli.records import CsvFile, entries
from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.datasets.labels import SEVEN
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import read_faces_csv, write_faces_csv
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.schemes import PatchSet, get_scheme
from i2cnn.torchcaffe.formats.storage import read_weights
from tests.fuzz.door import PREDICT, REVIEW
from tests.helpers.faces import some_faces
from tests.helpers.golden import GOLDEN, copy_golden
from tests.helpers.runs import write_run
from tests.helpers.small_runs import small_set
from tests.helpers.trees import CKPLUS
from tests.helpers.videos import write_video

_FACE = "S03.HA1.010.png"


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Parameters
    ----------
    name : str
    make : callable
        Writes valid inputs into a new folder.
    file : str
        The one that is changed.
    words : str
        The command line, run in the folder; it writes into `out`.
    is_text : bool
    writes : str
        Folder that it also writes into, or file that it writes.
    """

    name: str
    make: Callable[[Path], None]
    file: str
    words: str
    is_text: bool = False
    writes: str = "out"


def kinds() -> list[Kind]:
    """All kinds."""
    return [*_pictures(), *_tables(), *_caffe(), *_runs(), *_recognisers(), *_requests()]


def _face(size: int = 160) -> Image.Image:
    return Image.open(embedded_root() / _FACE).convert("RGB").resize((size, size))


def _pictures() -> list[Kind]:
    def save(name: str, mode: str) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            picture = _face().convert("L" if mode == "I;16" else mode)
            if mode == "I;16":
                cv2.imwrite(str(folder / name), np.asarray(picture).astype(np.uint16) * 257)
            else:
                picture.save(folder / name)

        return make

    modes = {
        "png": "RGB",
        "jpg": "RGB",
        "tiff": "L",
        "bmp": "P",
        "pgm": "L",
        "webp": "RGB",
        "gif": "P",
    }
    found = [
        Kind(f"{suffix} picture", save(f"x.{suffix}", mode), f"x.{suffix}", f"predict x.{suffix}")
        for suffix, mode in modes.items()
    ]
    found.append(Kind("16-bit picture", save("x.png", "I;16"), "x.png", "predict x.png"))
    found.append(Kind("video", _with_video, "x.avi", "predict x.avi --every 2 --json"))
    listed = "predict x.txt --json"
    found.append(Kind("list to predict", _with_picture_list, "x.txt", listed, True))
    resumed = "predict x.jpg --model smile --resume --csv x.csv"
    found.append(Kind("table to go on with", _with_answers, "x.csv", resumed, True, "x.csv"))
    preview = "patches x.jpg --preview out/p.png"
    found.append(Kind("previewed picture", save("x.jpg", "RGB"), "x.jpg", preview))
    return found


def _with_video(folder: Path) -> None:
    write_video(folder / "x.avi", [np.asarray(_face())] * 3)


def _with_picture_list(folder: Path) -> None:
    _face().save(folder / "x.png")
    (folder / "x.txt").write_text("x.png\n# two\n./x.png\n")


def _with_answers(folder: Path) -> None:
    _face().save(folder / "x.jpg")
    with CsvFile(str(folder / "x.csv"), ("neutral", "happy"), False) as table:
        answer = Answer(Picture(folder / "other.jpg", folder), [])
        for entry in entries(answer, 1, False, False):
            table.write(entry)


def _faces(folder: Path, number: int = 6) -> None:
    faces = some_faces(number)
    for face in faces:
        shutil.copy(embedded_root() / face.image, folder)
    write_faces_csv(folder / "faces.csv", faces)


def _with_scheme(folder: Path) -> None:
    _faces(folder)
    (folder / "x.toml").write_text(
        'mouth = 1.1\nscales = [1.0, 1.5]\n[[region]]\nname = "all"\nanchor = "face"\n'
        "centre = [0, 0]\nsize = [3, 3]\n"
    )


def _with_database(folder: Path) -> None:
    faces = some_faces(4)
    chosen = PatchSet.of(get_scheme("deepid"), 1)
    labels = [SEVEN.index(face.label) for face in faces]
    options = DatabaseOptions(chosen, "png", classes=SEVEN.labels, size=64)
    write_database(
        faces, labels, embedded_root(), folder / "db", options, mean_file=folder / "x.binaryproto"
    )
    shutil.copytree(folder / "db", folder / "other")


def _with_list(folder: Path) -> None:
    rows = [("image", "subject", "label")]
    for i, label in enumerate(("joy", "calm")):
        _face(100).rotate(i).save(folder / f"{i}.png")
        rows.append((f"{i}.png", "ab"[i], label))
    with open(folder / "x.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)


def _with_pixels(folder: Path) -> None:
    pixels = " ".join(str(i) for i in range(64))
    usages = ("Training", "PublicTest", "PrivateTest")
    rows = [f"{code},{pixels},{usage}" for usage in usages for code in (3, 6)]
    (folder / "x.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))


def _with_rafdb(folder: Path) -> None:
    for name in ("train_1.png", "test_1.png"):
        _face(100).save(folder / name)
    (folder / "list_patition_label.txt").write_text("train_1.jpg 4\ntest_1.jpg 7\n")


def _with_features(folder: Path) -> None:
    dataset = load_dataset("synthetic")
    dataset.samples = [s for s in dataset.samples if re.match(r"S0[1-4]\.(HA|NE|SU)1\.", s.image)]
    faces = locate_faces(dataset).faces
    write_faces_csv(folder / "faces.csv", faces)
    features = np.random.RandomState(0).randn(len(faces), 2, 8).astype(np.float32)
    np.save(folder / "x.npy", features)
    state = {"key": "x", "done": len(faces)}
    (folder / "x.npy.progress.json").write_text(json.dumps(state))


def _with_sequence(folder: Path) -> None:
    shutil.copytree(CKPLUS, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "cohn-kanade-images/S01/002")


def _tables() -> list[Kind]:
    patches = "patches faces.csv --out out/db --k 1 --size 32"
    svm = "svm x.npy --faces faces.csv --folds 3 --out out/p.csv"
    listed = "faces --dataset folder x.csv --out out/faces.csv --skip-bad"
    emotion = "Emotion/S01/001/S01_001_00000010_emotion.txt"
    trained = "train --train db --validation other --mean x.binaryproto --classes 7 --out out/net"
    trained += " --profile quick --max-iter 1 --batch-size 2 --device cpu"
    return [
        Kind("patches", _with_database, "db/data.mdb", trained),
        Kind("patches' contents", _with_database, "db/patches.json", trained, True),
        Kind("patches' mean", _with_database, "x.binaryproto", trained),
        Kind("faces.csv", lambda f: _faces(f), "faces.csv", patches, True),
        Kind("scheme", _with_scheme, "x.toml", f"{patches} --scheme x.toml", True),
        Kind("list of pictures", _with_list, "x.csv", listed, True),
        Kind("table of pixels", _with_pixels, "x.csv", "convert x.csv out/set", True),
        Kind(
            "RAF-DB's list",
            _with_rafdb,
            "list_patition_label.txt",
            "faces --dataset rafdb . --out out/faces.csv --skip-bad",
            True,
        ),
        Kind(
            "landmarks.csv",
            lambda f: shutil.copytree(small_set(f.parent / "small", 1), f, dirs_exist_ok=True),
            "landmarks.csv",
            "faces . --out out/faces.csv",
            True,
        ),
        Kind(
            "emotion code",
            _with_sequence,
            emotion,
            "faces --dataset ckplus . --task six --out out/faces.csv",
            True,
        ),
        Kind("features", _with_features, "x.npy", svm),
        Kind("features' faces", _with_features, "faces.csv", svm, True),
        Kind("features' progress", _with_features, "x.npy.progress.json", svm, True),
    ]


def _golden(folder: Path) -> None:
    shutil.rmtree(folder)
    copy_golden(folder)
    for path in (GOLDEN / "snapshots").glob("sgd_*"):
        shutil.copy(path, folder)
    solver = (folder / "solver_sgd.prototxt").read_text()
    short = solver.replace("max_iter: 20", "max_iter: 11").replace("test_iter: 4", "test_iter: 1")
    # Without a prefix, snapshots lie beside their solver.
    (folder / "out").mkdir(exist_ok=True)
    (folder / "out" / "solver_short.prototxt").write_text(short)
    text = (folder / "tiny_train_val.prototxt").read_text()
    layers = text[text.index('layer {\n  name: "conv1"') :]
    with h5py.File(folder / "x.h5", "w") as file:
        file["data"] = np.zeros((4, 3, 24, 24), np.float32)
        file["label"] = np.zeros((4,), np.float32)
    (folder / "list.txt").write_text("x.h5\n")
    weights, biases = read_weights(folder / "init.caffemodel")["fc2"]
    np.save(folder / "x.npy", {"fc2": {"weights": weights.T, "biases": biases}, "fc9": [biases]})
    (folder / "h5.prototxt").write_text(
        'layer { name: "data" type: "HDF5Data" top: "data" top: "label" '
        'hdf5_data_param { source: "list.txt" batch_size: 2 } }\n' + layers
    )


def _caffe() -> list[Kind]:
    net, solver = "tiny_train_val.prototxt", "out/solver_short.prototxt"
    timed = f"caffe time -model {net} -iterations 1"
    trained = f"caffe train -solver {solver} -snapshot"
    tested = f"caffe test -model {net} -iterations 1 -weights"
    meant = "caffe time -model tiny_meanfile_train_val.prototxt -iterations 1"
    hdf5 = "caffe time -model h5.prototxt -iterations 1"
    kinds = [
        ("net", net, timed, True),
        ("solver", solver, f"caffe train -solver {solver}", True),
        ("solver's net", net, f"caffe train -solver {solver}", True),
        ("caffemodel", "init.caffemodel", f"{tested} init.caffemodel", False),
        ("caffemodel.npy", "x.npy", f"{tested} x.npy"),
        ("caffemodel.h5", "sgd_h5_iter_20.caffemodel.h5", f"{tested} sgd_h5_iter_20.caffemodel.h5"),
        ("solverstate", "sgd_iter_10.solverstate", f"{trained} sgd_iter_10.solverstate"),
        (
            "solverstate.h5",
            "sgd_h5_iter_20.solverstate.h5",
            f"{trained} sgd_h5_iter_20.solverstate.h5",
        ),
        ("binaryproto", "mean.binaryproto", meant),
        ("HDF5 data", "x.h5", hdf5),
        ("list of HDF5 files", "list.txt", hdf5, True),
        ("LMDB", "data_lmdb/data.mdb", timed),
    ]
    return [Kind(name, _golden, *rest) for name, *rest in kinds]  # type: ignore[arg-type]


def _runs() -> list[Kind]:
    def make(folder: Path) -> None:
        write_run(folder / "run")

    names = {
        "run.json": True,
        "dataset.json": True,
        "folds.json": True,
        "faces.csv": True,
        "fold_01/k1_seed0/job.json": True,
        "fold_01/k1_seed0/predictions_trained.csv": True,
    }
    return [
        Kind(f"run's {name}", make, f"run/{name}", "report run", text, "run/report")
        for name, text in names.items()
    ]


def _recognisers() -> list[Kind]:
    def make(folder: Path) -> None:
        import i2cnn.models

        smile = Path(i2cnn.models.__file__).parent / "smile"
        shutil.copytree(smile, folder / "model")
        _face().save(folder / "x.png")

    return [
        Kind(f"recogniser's {name}", make, f"model/{name}", "predict x.png --model model", text)
        for name, text in (
            ("recogniser.json", True),
            ("card.json", True),
            ("svm.npz", False),
            ("reference.npz", False),
        )
    ]


def _requests() -> list[Kind]:
    """Requests to pages, where the packages that serve them are installed."""
    if importlib.util.find_spec("fastapi") is None:
        return []

    def picture(folder: Path) -> None:
        content = io.BytesIO()
        _face().save(content, "jpeg")
        head = (
            "POST /api/predict?file=x.jpg&explain=true HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: image/jpeg\r\nContent-Length: {len(content.getvalue())}\r\n"
            "Connection: close\r\n\r\n"
        )
        (folder / "x.http").write_bytes(head.encode() + content.getvalue())

    def decision(folder: Path) -> None:
        _faces(folder)
        points = read_faces_csv(folder / "faces.csv")[1].points + 1
        body = json.dumps({"decision": "manual", "points": points.tolist()})
        (folder / "x.http").write_text(
            "POST /api/faces/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    return [
        Kind("decision", decision, "x.http", f"{REVIEW} x.http", True, "faces.csv"),
        Kind("request's head", picture, "x.http", f"{PREDICT} x.http", True),
        Kind("request's picture", picture, "x.http", f"{PREDICT} x.http"),
    ]
