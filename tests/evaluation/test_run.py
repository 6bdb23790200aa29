"""A whole evaluation on a small set: results, resuming, refusals, reports, prediction."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.evaluation.folds import read_folds
from i2cnn.evaluation.inputs import read_inputs
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.predictions import read_predictions, write_predictions
from i2cnn.patches.schemes import FACE, get_scheme
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.report.page import write_report
from i2cnn.report.run_report import leak_audit
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from i2cnn.util.landmarks import POINT_NAMES
from tests.check_report import check
from tests.helpers.small_runs import JOB, arguments, copy_of, data_of, small_set
from tests.helpers.trees import jaffe_tree


def test_numbers_follow_from_the_stored_predictions(run: Path) -> None:
    metrics = json.loads((run / "report" / "metrics.json").read_text())
    folds = read_folds(run / "folds.json")
    assert [m["method"] for m in metrics["methods"]] == ["I2CNN-5", "untrained net, k = 5"]
    for method in metrics["methods"]:
        rows = read_predictions(run / JOB / f"predictions_{method['group']}.csv")
        assert {r.subject for r in rows} == set(folds.folds[0].test)
        assert len(rows) == method["faces"] == 7
    assert check(run) == []
    assert metrics["chance"] == pytest.approx(1 / 7)
    assert metrics["leak_audit"]["predictions_checked"] == 14


def test_the_independent_check_finds_faults(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    path = copy / JOB / "predictions_trained.csv"
    rows = read_predictions(path)
    other = "fear" if rows[0].predicted != "fear" else "happy"
    write_predictions(path, [replace(rows[0], predicted=other), *rows[1:]])
    assert any("k5_trained: confusion" in fault for fault in check(copy))
    stranger = read_folds(run / "folds.json").folds[0].training[0]
    write_predictions(path, [replace(rows[0], subject=stranger), *rows[1:]])
    assert any(fault.startswith("leak") for fault in check(copy))


def test_files_of_a_run(run: Path) -> None:
    names = {p.name for p in run.iterdir()}
    assert names == {
        ".lock",
        "run.json",
        "dataset.json",
        "faces.csv",
        "faces.png",
        "folds.json",
        "pictures.json",
        "fold_01",
        "recogniser",
        "report",
    }
    job = {p.name for p in (run / JOB).iterdir()}
    assert "net.caffemodel" in job
    # Large files that only the way needed are gone.
    assert not job & {"train_lmdb", "validation_lmdb", "snapshots", "features_trained.npy"}
    html = (run / "report" / "report.html").read_text()
    assert "data:image/png;base64" in html
    assert "http" not in html.replace("http://www.w3.org", "")
    for picture in (run / "report").glob("*.png"):
        assert read_image(picture).shape[0] > 100


def test_a_second_call_does_nothing_again(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    before = {p: p.stat().st_mtime_ns for p in (copy / JOB).iterdir()}
    assert main(arguments(data_of(run), copy)) == 0
    assert {p: p.stat().st_mtime_ns for p in (copy / JOB).iterdir()} == before


def test_a_copied_run_still_reports(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "elsewhere")
    assert main(["report", str(copy)]) == 0


def test_a_leak_is_found(run: Path) -> None:
    folds = read_folds(run / "folds.json")
    rows = read_predictions(run / JOB / "predictions_trained.csv")
    assert leak_audit(folds, rows).predictions_checked == len(rows)
    stranger = folds.folds[0].training[0]
    with pytest.raises(InputError, match=f"leak.*{stranger}"):
        leak_audit(folds, [replace(rows[0], subject=stranger)])


def test_report_of_an_unfinished_run(tmp_path: Path, run: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    shutil.rmtree(copy / "fold_01")
    with pytest.raises(InputError, match="no finished fold yet"):
        write_report(copy)


def test_killed_in_training_then_again(tmp_path: Path) -> None:
    """kill -9 in the middle of training; the second call ends with the same bits."""
    data = small_set(tmp_path / "data")
    whole = tmp_path / "whole"
    options = ["--k=1"]
    assert main([*arguments(data, whole, iterations=12), *options]) == 0
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "i2cnn", *arguments(data, killed, iterations=12), *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    job = killed / "fold_01" / "k1_seed0"
    deadline = time.monotonic() + 120
    while not (job / "training.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (job / "job.json").exists()
    assert main([*arguments(data, killed, iterations=12), *options]) == 0
    for name in ("net.caffemodel", "predictions_trained.csv", "predictions_untrained.csv"):
        expected = (whole / "fold_01" / "k1_seed0" / name).read_bytes()
        assert (job / name).read_bytes() == expected


def test_interrupt_then_again(tmp_path: Path) -> None:
    """Ctrl-C ends with status 130 and a word, and nothing half-written."""
    data = small_set(tmp_path / "data")
    out = tmp_path / "run"
    command = [sys.executable, "-m", "i2cnn", *arguments(data, out, iterations=3000), "--k=1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    state = out / "fold_01" / "k1_seed0" / "training.json"
    deadline = time.monotonic() + 120
    while not state.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "continues from here" in text
    assert "Traceback" not in text
    iteration = json.loads(state.read_text())["resume_iter"]
    assert (state.parent / "snapshots" / f"net_iter_{iteration}.solverstate").exists()


def test_prediction_on_photographs(run: Path, tmp_path: Path, capsys) -> None:
    data = pytest.importorskip("skimage.data")
    photo = tmp_path / "astronaut.png"
    from i2cnn.util.images import write_image

    write_image(photo, np.ascontiguousarray(data.astronaut()[:, :, ::-1]))
    model = str(run / "recogniser")
    saved = tmp_path / "out"
    command = ["predict", str(photo), "--model", model, "--device=cpu", "--save", str(saved)]
    assert main([*command, "--json", "--explain"]) == 0
    (face,) = json.loads(capsys.readouterr().out)
    assert sum(face["scores"].values()) == pytest.approx(1)
    assert face["label"] in face["scores"]
    assert len(face["patches"]) == 5
    assert read_image(saved / "astronaut_expressions.png").shape == (512, 512, 3)
    assert main(command) == 0
    assert "Scores are shares" in capsys.readouterr().out


def test_an_own_scheme_goes_along_with_a_recogniser(run: Path, tmp_path: Path) -> None:
    # deepid's table in a file must give deepid's answers, wherever the bundle lies.
    scheme = get_scheme("deepid")
    table = [f"mouth = {scheme.mouth}", f"scales = {list(scheme.scales)}"]
    for r in scheme.regions:
        anchor = "face" if r.anchor == FACE else POINT_NAMES[r.anchor]
        table += ["[[region]]", f"name = '{r.name}'", f"anchor = '{anchor}'"]
        table += [f"centre = [{r.x}, {r.y}]", f"size = [{r.width}, {r.height}]"]
    (tmp_path / "mine.toml").write_text("\n".join(table))
    inputs = read_inputs(run)
    path = tmp_path / "mine.toml"
    settings = replace(inputs.settings, scheme=str(path), scheme_digest=get_scheme(path).digest)
    mine = replace(inputs, settings=settings)
    NetworkJob(1, 5, 0).save_recogniser(tmp_path / "first", run, mine)
    (tmp_path / "first").rename(tmp_path / "moved")
    (tmp_path / "mine.toml").unlink()
    image = read_image(next(embedded_root().glob("*.png")))
    own = Recogniser(tmp_path / "moved", device="cpu").predict(image)
    theirs = Recogniser(run / "recogniser", device="cpu").predict(image)
    assert [p.patches for p in own] == [p.patches for p in theirs]
    assert len(own) == 1


def test_prediction_without_a_face(run: Path, tmp_path: Path, capsys) -> None:
    from i2cnn.util.images import write_image

    write_image(tmp_path / "flat.png", np.full((200, 200), 128, np.uint8))
    model = str(run / "recogniser")
    assert main(["predict", str(tmp_path / "flat.png"), "--model", model, "--device=cpu"]) == 1
    assert "no face found" in capsys.readouterr().out


def test_pictures_of_one_name_are_not_overwritten(run: Path, tmp_path: Path, capsys) -> None:
    photos = [str(tmp_path / "a" / "face.png"), str(tmp_path / "b" / "face.jpg")]
    command = ["predict", *photos, "--model", str(run / "recogniser"), "--save", str(tmp_path)]
    assert main(command) == 1
    assert "would both be saved as face_expressions.png" in capsys.readouterr().err


def test_damaged_recognisers_are_named(run: Path, tmp_path: Path, capsys) -> None:
    photo = str(next(embedded_root().glob("*.png")))
    copy = copy_of(run / "recogniser", tmp_path / "recogniser")
    (copy / "svm.npz").write_bytes(b"no")
    assert main(["predict", photo, "--model", str(copy)]) == 1
    assert "svm.npz: damaged" in capsys.readouterr().err
    (copy / "net.caffemodel").unlink()
    assert main(["predict", photo, "--model", str(copy)]) == 1
    assert "net.caffemodel missing" in capsys.readouterr().err
    assert main(["predict", photo, "--model", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["patches faces.csv", "svm f.npy --faces=f.csv", "train"])
def test_seeds_are_natural_numbers(verb: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main([*verb.split(), "--out=x", "--seed=-1"])
    assert "is not a seed: a number from 0 to 2147483647" in capsys.readouterr().err


def test_the_steps_one_by_one(tmp_path: Path, monkeypatch, capsys) -> None:
    data = small_set(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    faces = ["faces.csv", "--root", str(data)]
    assert main(["faces", str(data), "--sheet", "sheet.png"]) == 0
    options = [*faces, "--task=seven", "--k=5"]
    train = [*options, "--out=train_db", "--subjects=S01, S02", "--mean=mean.binaryproto"]
    assert main(["patches", *train]) == 0
    assert main(["patches", *options, "--out=val_db", "--subjects=S03"]) == 0
    databases = ["--train=train_db", "--validation=val_db", "--mean=mean.binaryproto"]
    schedule = ["--profile=quick", "--max-iter=2", "--batch-size=4", "--device=cpu"]
    assert main(["train", *databases, "--classes=7", "--out=net", *schedule]) == 0
    assert main(["features", *faces, "--net=net", "--out=f.npy", "--k=5", "--device=cpu"]) == 0
    assert np.load("f.npy").shape == (28, 5, 512)
    assert main(["svm", "f.npy", "--faces=faces.csv", "--folds=4", "--out=p.csv"]) == 0
    assert len(read_predictions(Path("p.csv"))) == 28
    assert "accuracy" in capsys.readouterr().out
    # Features that are unfinished, or of other faces, are refused.
    state = Path("f.npy.progress.json")
    svm = ["svm", "f.npy", "--folds=4", "--out=q.csv"]
    lines = Path("faces.csv").read_text().splitlines()
    Path("turned.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    assert main([*svm, "--faces=turned.csv"]) == 1
    assert "its 28 faces are not the 28 given" in capsys.readouterr().err
    state.write_text(json.dumps(json.loads(state.read_text()) | {"done": 16}))
    assert main([*svm, "--faces=faces.csv"]) == 1
    assert "holds 16 of 28 faces; repeat `i2cnn features`" in capsys.readouterr().err
    assert not Path("q.csv").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["evaluate", "--dataset=jaffe", "--out=r"], "needs the path of your copy"),
        (["evaluate", "nowhere", "--out=r"], "no such folder"),
        (["evaluate", "jaffe", "--out=r"], "chosen by --dataset jaffe"),
        (["evaluate", "--out=r", "--folds=30"], "use --folds 20"),
        (["evaluate", "--out=r", "--folds=5", "--only-folds=9"], "fold 9 is not one of 1 to 5"),
        (["evaluate", "--out=r", "--k=7"], "choose 1, 5 or 60"),
        (["evaluate", "--out=r", "--scheme=mine"], "unknown patch scheme"),
        (["evaluate", "--out=r", "--device=tpu"], "unknown device"),
        (["evaluate", "--out=r", "--device=cuda:9"], "cuda:9 is not available"),
        (["patches", "f.csv", "--out=db", "--k=0"], "choose 1, 5 or 60"),
        (["report", "nowhere"], "not a run directory"),
        (["report", "nowhere", "--out", "x.html"], "--out is for several runs"),
        (["faces", "--dataset=folder", "--out=f.csv"], "needs the path"),
        (["svm", "f.npy", "--faces=none.csv", "--out=p"], "no such file"),
    ],
)
def test_wrong_arguments_are_one_line(command, message, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert sum(line.startswith("i2cnn: error") for line in error.splitlines()) == 1


def test_a_jaffe_run_stands_beside_the_paper(tmp_path: Path, capsys) -> None:
    """Detected landmarks, the paper's numbers as published, ours beside them with the profile."""
    data = jaffe_tree(tmp_path / "jaffe", subjects=("KA", "KL", "KM"))
    for path in data.glob("*[23].*.tiff"):  # one take is enough
        path.unlink()
    command = [*arguments(data, tmp_path / "run", k="1", iterations=2), "--dataset=jaffe"]
    command = ["--folds=3" if word == "--folds=4" else word for word in command]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "missing" in printed.err
    metrics = json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())
    assert metrics["dataset"]["faces_found"]["dlib"] >= 15
    assert [p["accuracy"] for p in metrics["paper"][:3]] == [75.2806, 70.9825, 62.8602]
    html = (tmp_path / "run" / "report" / "report.html").read_text()
    assert "75.2806" in html
    assert "a demonstration for CPUs" in html
