"""Recogniser folders whose files do not belong together, and pictures without an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.evaluation.inputs import read_inputs
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.settings import Settings, read_settings
from i2cnn.patches.schemes import load_scheme
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest
from i2cnn.util.images import write_image
from i2cnn.util.landmarks import POINT_NAMES
from tests.helpers.small_runs import JOB, arguments, copy_of, data_of

FOREIGN = "is not the one this recogniser was made with; copy the whole folder again"


@pytest.fixture
def bundle(run: Path, tmp_path: Path) -> Path:
    """A recogniser's folder to spoil."""
    return copy_of(run / "recogniser", tmp_path / "recogniser")


def change(bundle: Path, **entries: Any) -> None:
    path = bundle / "recogniser.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def change_svm(bundle: Path, spoil: Callable[[dict[str, np.ndarray]], None], sign: bool) -> None:
    """Another SVM; `sign` makes recogniser.json tell of it, as if it had been saved so."""
    with np.load(bundle / "svm.npz") as file:
        arrays = dict(file)
    spoil(arrays)
    np.savez(bundle / "svm.npz", **arrays)
    if sign:
        files = json.loads((bundle / "recogniser.json").read_text())["files"]
        change(bundle, files=files | {"svm.npz": file_digest(bundle / "svm.npz")})


def one_patch(arrays: dict[str, np.ndarray]) -> None:
    arrays["weights"] = arrays["weights"][:, :1]


def narrow(arrays: dict[str, np.ndarray]) -> None:
    arrays["weights"] = arrays["weights"][:, :, :-1]


def one_pair_less(arrays: dict[str, np.ndarray]) -> None:
    arrays["pairs"] = arrays["pairs"][:-1]


def stranger(arrays: dict[str, np.ndarray]) -> None:
    arrays["pairs"] = arrays["pairs"] + 1


def own_scheme(run: Path, path: Path) -> Settings:
    """Write a scheme of the person's own; settings as if the run had been made with it."""
    lines = ["mouth = 1.1", "scales = [0.75, 1.0, 1.25]"]
    for anchor in ("face", *POINT_NAMES):
        lines += ["[[region]]", f"name = '{anchor}'", f"anchor = '{anchor}'"]
        lines += ["centre = [0, 0]", "size = [2, 2]"]
    path.write_text("\n".join(lines))
    settings = read_settings(run / "run.json")
    return replace(settings, scheme=str(path), scheme_digest=load_scheme(path).digest)


def save(run: Path, settings: Settings, target: Path) -> None:
    inputs = replace(read_inputs(run), settings=settings)
    NetworkJob(1, 5, 0).save_recogniser(target, run, inputs)


@pytest.mark.parametrize(
    "name",
    ["svm.npz", "net.caffemodel", "transform.npz", "deploy.prototxt"],
)
def test_files_of_another_recogniser_are_refused(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[-1] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(InputError, match=f"recogniser/{name}: .*{FOREIGN}"):
        Recogniser(bundle, device="cpu")


def test_an_svm_of_one_patch_is_refused(bundle: Path) -> None:
    change_svm(bundle, one_patch, sign=False)
    with pytest.raises(InputError, match=f"svm.npz: .*{FOREIGN}"):
        Recogniser(bundle, device="cpu")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (one_patch, r"weights than those of svm.npz, \(21, 1, 1568\)"),
        (narrow, r"weights than those of svm.npz, \(21, 5, 1567\)"),
        (one_pair_less, "svm.npz: not one weight vector per pair"),
        (stranger, "svm.npz has pairs of other classes than the 7 labels"),
    ],
)
def test_an_svm_that_does_not_fit_is_refused(bundle: Path, spoil, message: str) -> None:
    change_svm(bundle, spoil, sign=True)
    with pytest.raises(InputError, match=message):
        Recogniser(bundle, device="cpu")


def test_an_edited_scheme_is_refused(run: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    save(run, own_scheme(run, tmp_path / "mine.toml"), bundle)
    assert Recogniser(bundle, device="cpu").bundle.patches.patches == (8, 14, 20, 26, 32)
    scheme = bundle / "scheme.toml"
    scheme.write_text(scheme.read_text().replace("mouth = 1.1", "mouth = 1.2"))
    with pytest.raises(InputError, match=f"scheme.toml: .*{FOREIGN}"):
        Recogniser(bundle, device="cpu")
    scheme.unlink()
    with pytest.raises(InputError, match=r"scheme.toml missing\); copy the whole folder"):
        Recogniser(bundle, device="cpu")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"labels": ["anger", "happy"]}, "2 labels, but net.caffemodel has 7 classes"),
        ({"labels": [*"abcdefgh"]}, "8 labels, but net.caffemodel has 7 classes"),
        ({"labels": [1, 2, 3, 4, 5, 6, 7]}, "labels missing or edited by hand"),
        ({"labels": [*"abcdeff"]}, "labels missing or edited by hand"),
        ({"labels": "neutral"}, "labels missing or edited by hand"),
        ({"patches": [32, 38, 44, 50, 99]}, "patches are not all of the scheme's, 0 to 59"),
        ({"patches": [32, 38, 44, 50, -4]}, "patches are not all of the scheme's, 0 to 59"),
        ({"patches": [32, 38, 44]}, "3 patches and 1568 features need other weights"),
        ({"patches": [32, 38, 44, 50, 50]}, "patches missing or edited by hand"),
        ({"patches": [32, 38, 44, 50, True]}, "patches missing or edited by hand"),
        ({"patches": None, "scheme": ["deepid"]}, "scheme, patches missing or edited by hand"),
        ({"scheme": "../other.toml"}, "scheme missing or edited by hand"),
        ({"files": []}, "files missing or edited by hand"),
        ({"files": {"svm.npz": ""}}, "files missing or edited by hand"),
    ],
)
def test_an_edited_description_is_refused(bundle: Path, entries, message: str) -> None:
    change(bundle, **entries)
    with pytest.raises(InputError, match=rf"recogniser.json: .*{message}.*; copy the whole folder"):
        Recogniser(bundle, device="cpu")


@pytest.mark.parametrize("content", ["[]", "7", "null"])
def test_a_description_of_something_else_is_refused(bundle: Path, content: str, capsys) -> None:
    (bundle / "recogniser.json").write_text(content)
    photo = str(next(embedded_root().glob("*.png")))
    assert main(["predict", photo, "--model", str(bundle), "--device=cpu"]) == 1
    assert "recogniser.json: does not describe a recogniser" in capsys.readouterr().err


@pytest.mark.parametrize("files", [None, {"net.caffemodel": "", "train_val.prototxt": ""}])
def test_evaluate_writes_a_recogniser_of_an_older_version_again(
    run: Path, tmp_path: Path, files: dict[str, str] | None
) -> None:
    copy = copy_of(run, tmp_path / "copy")
    path = copy / "recogniser" / "recogniser.json"
    whole = json.loads(path.read_text())
    old = {k: v for k, v in whole.items() if k != "files"}
    path.write_text(json.dumps(old | ({"files": files} if files else {})))
    (copy / "recogniser" / "transform.npz").unlink()
    with pytest.raises(InputError, match="of an older version of i2cnn; repeat the evaluate"):
        Recogniser(copy / "recogniser", device="cpu")
    data = data_of(run)
    assert main(arguments(data, copy)) == 0
    assert json.loads(path.read_text()) == whole


@pytest.mark.parametrize("name", ["svm.npz", "recogniser.json"])
def test_evaluate_mends_a_recogniser(run: Path, tmp_path: Path, name: str) -> None:
    copy = copy_of(run, tmp_path / "copy")
    (copy / "recogniser" / name).write_text("[]")
    data = data_of(run)
    assert main(arguments(data, copy)) == 0
    for path in (run / "recogniser").iterdir():
        assert (copy / "recogniser" / path.name).read_bytes() == path.read_bytes()


def test_another_net_in_the_job_is_not_bundled(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    net = copy / JOB / "net.caffemodel"
    net.write_bytes(net.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"net.caffemodel: is not the net that job.json"):
        save(copy, read_settings(run / "run.json"), tmp_path / "new")
    assert not list(tmp_path.glob("*new*"))


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """A face, what is no picture, a picture without a face, and another face."""
    first, second = sorted(embedded_root().glob("*.png"))[:2]
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    write_image(tmp_path / "flat.png", np.full((200, 200), 128, np.uint8))
    return [str(p) for p in (first, tmp_path / "bad.jpg", tmp_path / "flat.png", second)]


def entries(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_json_has_a_line_for_every_picture(run: Path, pictures: list[str], capsys) -> None:
    command = ["predict", *pictures, "--model", str(run / "recogniser"), "--device=cpu", "--json"]
    assert main(command) == 1
    out, err = capsys.readouterr()
    answers = entries(out)
    assert [a["file"] for a in answers] == pictures
    assert [bool(a["label"]) for a in answers] == [True, False, False, True]
    assert answers[2]["warnings"] == ["no face found"]
    assert {a["calibrated"] for a in answers} == {True, None}
    assert all(a["label"] in a["scores"] for a in (answers[0], answers[3]))
    assert f"i2cnn: error: {pictures[1]}: not a picture" in err
    assert main([*command, "--explain"]) == 1
    explained = entries(capsys.readouterr().out)
    assert [len(a["patches"]) for a in explained] == [5, 0, 0, 5]
    assert main(["predict", pictures[0], pictures[3], *command[5:]]) == 0


def test_tables_of_every_picture_that_can_be_read(
    run: Path, pictures: list[str], tmp_path: Path, capsys
) -> None:
    saved = tmp_path / "saved"
    command = ["predict", *pictures, "--model", str(run / "recogniser"), "--device=cpu"]
    assert main([*command, "--save", str(saved)]) == 1
    out, err = capsys.readouterr()
    assert out.count("Scores are probabilities") == 1
    assert f"{pictures[2]}: no face found" in out
    assert f"i2cnn: error: {pictures[1]}: not a picture" in err
    assert len(list(saved.glob("*_expressions.png"))) == 3


def test_a_face_that_cannot_be_cut_names_its_picture(
    run: Path, pictures: list[str], monkeypatch, capsys
) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("the landmarks lie on one line")

    monkeypatch.setattr(Recogniser, "predict_face", refuse)
    command = ["predict", pictures[0], "--model", str(run / "recogniser"), "--device=cpu"]
    assert main([*command, "--json"]) == 1
    out, err = capsys.readouterr()
    (answer,) = entries(out)
    assert answer["warnings"] == [f"{pictures[0]}: the landmarks lie on one line"]
    assert f"i2cnn: error: {pictures[0]}: the landmarks lie on one line" in err
