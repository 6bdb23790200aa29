"""A set that does not say who is shown is evaluated on its own split, and everything says so."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.evaluation.folds import own_split
from i2cnn.evaluation.inputs import prepare, read_inputs
from i2cnn.evaluation.run_card import run_card
from i2cnn.evaluation.settings import PEOPLE_UNKNOWN, read_settings
from i2cnn.faces.table import read_faces_csv, write_faces_csv
from i2cnn.report.downloads import compared_tables, text_tables
from i2cnn.report.make_report import make_report
from i2cnn.report.page import compare
from i2cnn.report.results import read_results
from i2cnn.report.tables import paper_tables
from i2cnn.report.terminal import print_comparison
from i2cnn.util.errors import InputError

Output = pytest.CaptureFixture[str]


def parts(root: Path) -> Path:
    """Three people of the embedded set in two parts; one test picture is also in training."""
    for part, people in (("train", ("S01", "S02")), ("test", ("S03",))):
        for code, label in (("HA", "happy"), ("SA", "sadness")):
            folder = root / part / label
            folder.mkdir(parents=True)
            for person in people:
                for path in embedded_root().glob(f"{person}.{code}*.png"):
                    shutil.copy(path, folder)
    first = next((root / "train" / "happy").iterdir())
    shutil.copy(first, root / "test" / "happy" / "again.png")
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own_split")
    data, out = parts(folder / "set"), folder / "run"
    words = ["--dataset=split", "--k=none", "--rivals=pixels", "--device=cpu", f"--out={out}"]
    assert main(["evaluate", str(data), *words]) == 0
    return out


def test_the_split_is_the_one_fold(run: Path) -> None:
    (fold,) = json.loads((run / "folds.json").read_text())["folds"]
    assert {name.split("/")[0] for name in fold["test"]} == {"test"}
    assert {name.split("/")[0] for side in ("validation", "training") for name in fold[side]} == {
        "train"
    }
    assert [len(fold[side]) for side in ("test", "validation", "training")] == [7, 2, 10]
    faces = read_inputs(run).faces
    assert all(face.subject == face.image for face in faces)


def test_metrics_say_it_and_count_copies(run: Path) -> None:
    metrics = json.loads((run / "report" / "metrics.json").read_text())
    assert metrics["protocol"] == PEOPLE_UNKNOWN
    assert metrics["intervals_over"] == "pictures"
    assert metrics["copies_across_parts"] == {"validation": 0, "test": 1}
    assert metrics["leak_audit"]["predictions_checked"] == 14
    assert metrics["chance"] == 4 / 7
    assert metrics["comparisons"][0]["pictures"] == 7
    row = metrics["methods"][0]
    assert row["interval95"] == row["interval95_wilson"]


def test_a_subject_that_is_no_picture_of_the_set_is_named(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "folds.json").unlink()
    first, *others = read_faces_csv(copy / "faces.csv")
    write_faces_csv(copy / "faces.csv", [replace(first, subject="Anna"), *others])
    with pytest.raises(InputError, match=r"faces.csv: subject Anna is no picture of .*undo"):
        prepare(copy, read_settings(copy / "run.json"))


def test_page_and_terminal_say_it(run: Path, capsys: Output) -> None:
    page = (run / "report" / "report.html").read_text()
    first = page[page.index('<p class="lead">') :].partition("</p>")[0]
    assert "of 7 pictures of the test part correctly" in first
    assert PEOPLE_UNKNOWN in first
    assert "person-independent" not in page.partition("<h2>Terms</h2>")[0].lower().replace(
        "one of person-independent folds", ""
    )
    tables = page.split('<table class="methods">')[1:]
    assert all(PEOPLE_UNKNOWN in table.partition("<thead>")[0] for table in tables)
    assert "the same picture as one of another part: 0 of the validation part, 1 of the" in page
    assert main(["report", str(run)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"split (2, own split), {PEOPLE_UNKNOWN}" in printed
    assert "interval of the pooled accuracy, over pictures" in printed


def test_saved_and_compared_tables_say_it(run: Path, tmp_path: Path, capsys: Output) -> None:
    report = make_report(read_results(run))
    saved = [*text_tables(report).values(), *compared_tables(paper_tables([report])).values()]
    for table in saved:
        (head, *_) = csv.reader(io.StringIO(table.csv()))
        assert PEOPLE_UNKNOWN in head[0]
    print_comparison(compare([run], tmp_path / "c.html"))
    assert PEOPLE_UNKNOWN in (tmp_path / "c.html").read_text()
    assert PEOPLE_UNKNOWN in " ".join(capsys.readouterr().out.split())


def test_the_card_says_it(run: Path) -> None:
    card = run_card(read_inputs(run), 1, "profile paper", "HOG", {"linear_accuracy": 4 / 7})
    assert "learned from 12 pictures of a set in parts (profile paper)" in card.warning
    assert PEOPLE_UNKNOWN in card.warning
    assert "57% of 7 pictures right" in card.protocol
    assert "12 pictures of unknown people" in card.text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reference=person"], "--reference person: --dataset split does not say who is shown"),
        (["--folds=5"], "--folds 5: --dataset split does not say who is shown"),
    ],
)
def test_what_needs_people_is_refused(
    words: list[str], message: str, tmp_path: Path, capsys: Output
) -> None:
    command = ["evaluate", str(tmp_path), "--dataset=split", f"--out={tmp_path / 'run'}", *words]
    assert main(command) == 1
    assert message in capsys.readouterr().err


def test_steps_do_not_take_pictures_for_people(run: Path, capsys: Output) -> None:
    assert main(["svm", "x.npy", f"--faces={run / 'faces.csv'}", f"--out={run / 'x.csv'}"]) == 1
    error = capsys.readouterr().err
    assert "does not say who is shown" in error
    assert "call the subjects something else than the pictures" in error


def test_a_validation_part_is_kept_and_else_drawn() -> None:
    names = [f"{i:02d}" for i in range(30)]
    labels = ["a" if i < 20 else "b" for i in range(30)]
    given = ["training"] * 19 + ["validation", "test"] + ["training"] * 9
    (fold,) = own_split(names, labels, given, 0).folds
    assert (fold.validation, fold.test) == (("19",), ("20",))
    drawn = ["training"] * 29 + ["test"]
    (fold,) = own_split(names, labels, drawn, 0).folds
    assert [sum(labels[int(n)] == label for n in fold.validation) for label in "ab"] == [2, 1]
    assert own_split(names, labels, drawn, 0).folds == (fold,)
    assert own_split(names, labels, drawn, 1).folds != (fold,)
    with pytest.raises(InputError, match=r"no picture .* is labelled b; add some .* \(two, where"):
        own_split(names, labels, ["training"] * 20 + ["test"] * 10, 0)
