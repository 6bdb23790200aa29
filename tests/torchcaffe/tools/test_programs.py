"""Caffe's Python programs: classify, detect, draw_net, parse_log and its like."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main
from i2cnn.torchcaffe.flags import parse_flags
from i2cnn.torchcaffe.tools.logs import read_log
from i2cnn.torchcaffe.tools.plot_training_log import CHARTS, chart
from tests.helpers.golden import GOLDEN, load_program

PROGRAM = load_program("dropin")
MODEL = ["--model_def", "small.prototxt", "--pretrained_model", "small.caffemodel"]
TOOLS = GOLDEN / "tools"


@pytest.fixture
def model(folder: Path) -> Path:
    """A working folder with a small net, its weights and a picture."""
    Path("small.prototxt").write_text(PROGRAM.NET)
    caffe.set_random_seed(5)
    caffe.Net("small.prototxt", caffe.TEST).save("small.caffemodel")
    PROGRAM.picture()
    return folder


@pytest.fixture
def logged(folder: Path) -> Path:
    """A working folder with the log of a training by genuine Caffe."""
    Path("sgd.log").write_bytes(gzip.decompress((GOLDEN / "cli" / "sgd.log.gz").read_bytes()))
    return folder


def test_classify(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("mean.npy", np.array([0.1, 0.2, 0.3]))
    flags = ["--mean_file", "mean.npy", "--images_dim", "15,16", "--ext", "ppm"]
    assert main(["classify", ".", "scores", *MODEL, *flags]) == 0
    image = caffe.io.load_image("picture.ppm")
    np.save("images.npy", np.stack([image, image]))
    assert main(["classify", "images.npy", "two.npy", *MODEL, *flags, "--center_only"]) == 0
    classifier = caffe.Classifier(
        "small.prototxt",
        "small.caffemodel",
        image_dims=(15, 16),
        mean=np.load("mean.npy"),
        raw_scale=255,
        channel_swap=(2, 1, 0),
    )
    np.testing.assert_array_equal(np.load("scores.npy"), classifier.predict([image]))
    two = classifier.predict([image, image], oversample=False)
    np.testing.assert_array_equal(np.load("two.npy"), two)
    corners = np.concatenate([-classifier.crop_dims / 2.0, classifier.crop_dims / 2.0])
    assert set(abs(corners)) == set(np.divide(classifier.blobs["data"].shape[2:], 2))
    out = capsys.readouterr().out
    assert "CPU mode\nLoading folder: .\nClassifying 1 inputs.\n" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.png", "--mean_file", ""], "File not found: gone.png"),
        (["picture.ppm", "--mean_file", "gone.npy"], "File not found: gone.npy"),
        (["picture.ppm", "--mean_file", "picture.ppm"], "picture.ppm: not an array of numbers"),
        ([".", "--mean_file", ""], "has no *.jpg; --ext gives another ending"),
        (["picture.ppm", "--mean_file", "", "--images_dim", "9"], "is not height,width"),
        (["picture.ppm", "--mean_file", "", "--channel_swap", "rgb"], "are not numbers like"),
    ],
)
def test_what_classify_refuses(
    words: list[str], message: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", words[0], "out.npy", *MODEL, *words[1:]]) == 1
    assert message in capsys.readouterr().err


def test_detect(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["picture.ppm", *window] for window in PROGRAM.WINDOWS.tolist()]
    with open("windows.csv", "w") as file:
        csv.writer(file).writerows([["filename", "ymin", "xmin", "ymax", "xmax"], *rows])
    flags = [*MODEL, "--mean_file", "", "--crop_mode", "list", "--context_pad", "2"]
    assert main(["detect", "windows.csv", "found.csv", *flags]) == 0
    with open("found.csv") as file:
        table = list(csv.DictReader(file))
    detector = caffe.Detector(
        "small.prototxt", "small.caffemodel", raw_scale=255, channel_swap=(2, 1, 0), context_pad=2
    )
    expected = detector.detect_windows([("picture.ppm", PROGRAM.WINDOWS)])
    for row, entry in zip(table, expected, strict=True):
        assert [int(row[n]) for n in ("ymin", "xmin", "ymax", "xmax")] == entry["window"].tolist()
        scores = [float(row[f"class{i}"]) for i in range(6)]
        np.testing.assert_allclose(scores, entry["prediction"], rtol=1e-6, atol=1e-30)
    Path("bad.csv").write_text("filename,ymin\npicture.ppm,1\n")
    Path("names.txt").write_text("picture.ppm\n")
    capsys.readouterr()
    for words, message in (
        (["bad.csv", "x.csv", *flags], "bad.csv:2: a row has filename and numbers for ymin"),
        (["names.txt", "x.csv", *MODEL, "--mean_file", ""], "context_pad 16 needs a square input"),
        (["names.txt", "x.csv", *flags[:-4], *flags[-2:]], "Selective Search needs MATLAB"),
        (["gone.csv", "x.csv", *flags], "File not found: gone.csv"),
    ):
        assert main(["detect", *words]) == 1
        assert message in capsys.readouterr().err


def test_draw_net(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pydot")
    words = ["draw_net", "small.prototxt", "net.png", "--rankdir", "TB", "--phase", "TEST"]
    status = main(words)
    if "needs Graphviz" in capsys.readouterr().err:
        pytest.skip("Graphviz is not installed")
    assert status == 0
    assert cv2.imread("net.png").shape[0] > 100
    assert main(["draw_net", "small.prototxt", "net.odd"]) == 1
    assert "dot cannot draw the net as 'odd'" in capsys.readouterr().err


def test_tables_of_a_log_are_those_of_caffes_parse_log(
    logged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parse_log", "sgd.log", ".", "--verbose"]) == 0
    assert capsys.readouterr().out == "Wrote sgd.log.train\nWrote sgd.log.test\n"
    for name in ("sgd.log.train", "sgd.log.test"):
        assert Path(name).read_bytes() == (TOOLS / name).read_bytes()
    assert main(["extract_seconds", "sgd.log", "sgd.seconds"]) == 0
    assert Path("sgd.seconds").read_text() == (TOOLS / "sgd.seconds").read_text()


def test_a_log_over_new_year_with_a_loss_that_is_no_number(folder: Path) -> None:
    lines = [
        "I1231 23:59:59.500000  7 solver.cpp:289] Solving net",
        "I1231 23:59:59.750000  7 solver.cpp:239] Iteration 0 (0 iter/s), loss = 2.5",
        "Warning: no time",
        "I0101 00:00:01.500000  7 solver.cpp:239] Iteration 1 (0 iter/s), loss = -nan",
        "I0101 00:00:01.500001  7 solver.cpp:258]     Train net output #0: loss = -nan (* 1)",
        "I0101 00:00:01.600000  7 sgd_solver.cpp:112] Iteration 1, lr = 1e-05",
    ]
    Path("a.log").write_text("\n".join(lines))
    training = read_log("a.log")
    assert [row["Seconds"] for row in training.losses] == [0.25, 2.0]
    (row,) = training.train
    assert math.isnan(row["loss"])
    assert training.rates == [{"NumIters": 1, "Seconds": 2.1, "LearningRate": 1e-5}]


@pytest.mark.parametrize(("before", "after"), [("0228", "0229"), ("0229", "0301")])
def test_a_log_has_29_february_in_any_year(before: str, after: str, folder: Path) -> None:
    # Its year is guessed from the file's, which may have no such day.
    lines = [
        f"I{before} 23:59:59.500000  7 solver.cpp:289] Solving net",
        f"I{after} 00:00:00.500000  7 solver.cpp:239] Iteration 0 (0 iter/s), loss = 2.5",
    ]
    Path("a.log").write_text("\n".join(lines))
    assert [row["Seconds"] for row in read_log("a.log").losses] == [1.0]


def test_each_test_net_has_rows_of_its_own_as_in_caffes_parse_log(folder: Path) -> None:
    text = "I0101 00:00:00.000001  7 solver.cpp:289] Solving net\n"
    for iteration in (0, 4, 8):
        for net in (0, 1):
            for message in (
                f"Iteration {iteration}, Testing net (#{net})",
                f"    Test net output #0: accuracy = 0.{iteration}{net}",
                f"    Test net output #1: loss = 1.{iteration}{net}",
            ):
                text += f"I0101 00:00:0{iteration}.5  7 solver.cpp:347] {message}\n"
    Path("a.log").write_text(text)
    rows = [(row["NumIters"], row["accuracy"], row["loss"]) for row in read_log("a.log").test]
    assert rows == [
        (0, 0.01, 1.01),  # only the second net's, in genuine Caffe too
        (4, 0.4, 1.4),
        (4, 0.41, 1.41),
        (8, 0.8, 1.8),
        (8, 0.81, 1.81),
    ]


def test_every_chart_of_a_log_is_drawn(logged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = read_log("sgd.log")
    points = {y: chart(training, y) for y, _ in CHARTS}
    assert [len(found) for found in points.values()] == [5, 5, 20, 21]
    assert points["Test loss"][1]["y"] == 1.8904
    assert main(["plot_training_log", "3", "chart.png", "sgd.log", "sgd.log"]) == 0
    assert cv2.imread("chart.png") is not None
    assert main(["plot_training_log"]) == 1
    assert "    6: Train loss  vs. Iters\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("plot_training_log 8 a.png sgd.log", "8 is not a valid chart type"),
        ("plot_training_log 0 a.jpg sgd.log", "must end in .png"),
        ("plot_training_log 0 a.png short.log", "short.log: says nothing of test accuracy"),
        ("parse_log empty.log .", "empty.log: no training begins in it"),
        ("parse_log gone.log .", "File not found: gone.log"),
        ("parse_log april.log .", "april.log: a line's date or time does not exist"),
        ("parse_log sgd.log . --delimiter ab", "is not one character"),
        ("extract_seconds gone.log x", "File not found: gone.log"),
        ("extract_seconds empty.log x", "no training begins in it"),
        ("extract_seconds empty.log", "usage: i2cnn caffe extract_seconds"),
    ],
)
def test_what_programs_of_logs_refuse(
    words: str, message: str, logged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.log").write_text("I1231 23:59:59.750000  7 x.cpp:1] Iteration 0\n")
    Path("april.log").write_text("I0431 23:59:59.500000  7 solver.cpp:289] Solving net\n")
    Path("short.log").write_text("I1231 23:59:59.500000  7 solver.cpp:289] Solving net\n")
    assert main(words.split()) == 1
    assert message in capsys.readouterr().err


def test_train_tells_what_each_layer_takes(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    Path("solver.prototxt").write_text(PROGRAM.SOLVER + "display: 2\n")
    assert main(["train", "--solver", "solver.prototxt", "--timing"]) == 0
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    found = [line for line in lines if line.startswith(("forw", "back", "solver total"))]
    layers = 7
    assert len(found) == 3 * (2 * layers + 1)  # iterations 0, 2 and 4
    assert found[1].startswith("forw   1     conv : ")
    assert found[layers].startswith("back   6     loss : ")


def test_gpus_are_named_as_in_train_py() -> None:
    words = ["--solver", "a", "--gpus", "0", "2", "--timing"]
    assert parse_flags(words)["gpu"] == "0,2"
    assert parse_flags(["--gpus"])["gpu"] == "0"
