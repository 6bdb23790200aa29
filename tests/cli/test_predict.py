"""`i2cnn predict`: photographs, and recognisers and names that cannot be used."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from i2cnn.cli.drawings import drawing_names
from i2cnn.cli.main import main
from i2cnn.cli.pictures import Picture, find_pictures
from i2cnn.datasets import embedded_root
from i2cnn.util.images import as_gray, read_image, write_image
from tests.helpers.small_runs import JOB, copy_of

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of a person, 512 x 512 pixels."""
    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    write_image(path, np.ascontiguousarray(data.astronaut()[:, :, ::-1]))
    return path


def test_a_photograph_gets_scores_and_an_explanation(
    run: Path, photo: Path, capsys: Output
) -> None:
    command = ["predict", str(photo), "--model", str(run / "recogniser"), "--device=cpu"]
    assert main([*command, "--json", "--explain"]) == 0
    face = json.loads(capsys.readouterr().out)
    assert sum(face["scores"].values()) == pytest.approx(1)
    assert face["label"] in face["scores"]
    assert len(face["patches"]) == 5


def test_an_annotated_picture_is_saved(run: Path, photo: Path, tmp_path: Path) -> None:
    command = ["predict", str(photo), "--model", str(run / "recogniser"), "--device=cpu"]
    assert main([*command, "--save", str(tmp_path / "out")]) == 0
    assert read_image(tmp_path / "out" / "astronaut_expressions.png").shape == (512, 512, 3)


def test_a_page_shows_the_faces_of_several_pictures_by_label(
    run: Path, photo: Path, tmp_path: Path, capsys: Output
) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    (album / "a #1").mkdir(parents=True)
    shutil.copy(photo, album / "a #1" / "<b>.png")
    write_image(album / "nobody.png", np.full((64, 64, 3), 90, np.uint8))
    (album / "text.jpg").write_text("no picture")
    command = ["predict", str(album), "--model", str(run / "recogniser"), "--device=cpu"]
    assert main([*command, "--save", str(out)]) == 1
    assert f"all faces by label: {out / 'predictions.html'}" in capsys.readouterr().err
    page = (out / "predictions.html").read_text()
    (link,) = re.findall(r'<a href="([^#"][^"]*)"><img src="data:image/jpeg;base64,', page)
    assert (out / unquote(link)).is_file()
    assert "a #1/&lt;b&gt;.png</figcaption>" in page
    assert "this recogniser learned from 3 people of rendered faces" in page
    assert f"<li>{album / 'nobody.png'}: no face found</li>" in page
    assert f"<li>{album / 'text.jpg'}: not a picture" in page


def test_a_page_says_that_it_lacks_what_was_done_before(
    run: Path, photo: Path, tmp_path: Path
) -> None:
    album, page = tmp_path / "album", tmp_path / "out" / "predictions.html"
    album.mkdir()
    command = ["predict", str(album), "--model", str(run / "recogniser"), "--device=cpu"]
    command += ["--csv", str(tmp_path / "table.csv"), "--resume", "--save", str(page.parent)]
    shutil.copy(photo, album / "a.png")
    assert main(command) == 0
    assert not page.exists()  # a single picture's drawing shows all
    shutil.copy(photo, album / "b.png")
    assert main(command) == 0
    assert "done before" not in page.read_text()  # the last one of a table is done again
    shutil.copy(photo, album / "c.png")
    assert main(command) == 0
    assert "Pictures that were done before are not shown here: 1." in page.read_text()
    assert page.read_text().count("<figure>") == 2


def test_the_table_says_what_scores_are(run: Path, photo: Path, capsys: Output) -> None:
    assert main(["predict", str(photo), "--model", str(run / "recogniser"), "--device=cpu"]) == 0
    assert "Scores are probabilities" in capsys.readouterr().out


def test_a_run_s_recogniser_warns_of_what_it_learned_from(
    run: Path, photo: Path, capsys: Output
) -> None:
    assert main(["predict", str(photo), "--model", str(run / "recogniser"), "--device=cpu"]) == 0
    warning = capsys.readouterr().err.splitlines()[0]
    assert warning.startswith(
        "i2cnn: this recogniser learned from 3 people of rendered faces (profile quick) and named "
    )
    assert warning.endswith("of 7 faces of 1 unseen person right; it has never seen a photograph.")


def test_a_run_s_recogniser_has_a_card(run: Path, capsys: Output) -> None:
    assert main(["card", str(run / "recogniser")]) == 0
    text = capsys.readouterr().out
    assert text == (run / "recogniser" / "card.md").read_text()
    job = json.loads((run / JOB / "job.json").read_text())
    accuracy = job["methods"]["trained"]["linear_accuracy"]
    confusion = job["methods"]["trained"]["linear_confusion"]
    assert sum(map(sum, confusion)) == 7
    for part in (
        "* rendered faces: 21 pictures of 3 people.",
        f"| without a reference | {accuracy:.1%} (",
        "The interval is Wilson's",
        "## Confusion",
        f"| anger | {' | '.join(map(str, confusion[1]))} |",
        "What people feel, and decisions about them",
        "Photographs: it has seen rendered faces only",
        "Fold 1 of 4",
    ):
        assert part in text, part


def test_a_recogniser_without_a_card_is_told(
    run: Path, photo: Path, tmp_path: Path, capsys: Output
) -> None:
    copy = copy_of(run / "recogniser", tmp_path / "recogniser")
    (copy / "card.json").unlink()
    assert main(["predict", str(photo), "--model", str(copy), "--device=cpu"]) == 0
    assert "has no card: nobody knows what it learned from" in capsys.readouterr().err


def test_a_picture_without_a_face_is_said_to_have_none(
    run: Path, tmp_path: Path, capsys: Output
) -> None:
    write_image(tmp_path / "flat.png", np.full((200, 200), 128, np.uint8))
    model = str(run / "recogniser")
    assert main(["predict", str(tmp_path / "flat.png"), "--model", model, "--device=cpu"]) == 1
    assert "no face found" in capsys.readouterr().out


def test_a_crop_that_is_one_face_is_named_whole(run: Path, tmp_path: Path, capsys: Output) -> None:
    image = as_gray(read_image(next(embedded_root().glob("*.png"))))
    crop = cv2.resize(image[90:190, 80:180], (48, 48), interpolation=cv2.INTER_AREA)
    write_image(tmp_path / "crop.png", crop)
    command = ["predict", str(tmp_path / "crop.png"), "--model", str(run / "recogniser"), "--json"]
    assert main([*command, "--device=cpu", "--whole"]) == 0
    face = json.loads(capsys.readouterr().out)
    assert (face["found"], face["box"], face["warnings"]) == ("whole", [0, 0, 48, 48], [])
    assert face["label"] in face["scores"]


def test_a_doubtful_face_is_said_to_be_doubtful(
    run: Path, photo: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i2cnn.faces.finder._LEAST_SCORE", 9.0)
    monkeypatch.setattr("i2cnn.faces.finder._SURE_SCORE", 9.0)
    command = ["predict", str(photo), "--model", str(run / "recogniser"), "--device=cpu"]
    assert main(command) == 0
    assert "face 1: doubtful face, found as dlib-doubtful" in capsys.readouterr().out


def test_drawings_of_one_name_get_numbers(capsys: Output) -> None:
    given = ["a/face.png", "b/face.jpg", "b/face.png", "b/other.png"]
    pictures = [Picture(Path(name), Path(name).parent) for name in given]
    assert [str(name) for name in drawing_names(pictures).values()] == [
        "face_expressions.png",
        "face_expressions_2.png",
        "face_expressions_3.png",
        "other_expressions.png",
    ]
    assert "b/face.jpg: its drawing is face_expressions_2.png" in capsys.readouterr().err


def test_drawings_are_in_folders_as_the_pictures_are(tmp_path: Path) -> None:
    for name in ("x.png", "deep/x.png"):
        write_image(tmp_path / name, np.zeros((9, 9), np.uint8))
    names = drawing_names(find_pictures([tmp_path]))
    assert sorted(map(str, names.values())) == ["deep/x_expressions.png", "x_expressions.png"]


def test_linked_folders_and_links_that_lead_nowhere_are_not_skipped(tmp_path: Path) -> None:
    write_image(tmp_path / "there" / "x.png", np.zeros((9, 9), np.uint8))
    album = tmp_path / "album"
    album.mkdir()
    (album / "anna").symlink_to(tmp_path / "there")
    (album / "anna" / "again").symlink_to(album)
    (album / "gone.png").symlink_to("nowhere.png")
    assert [str(p.inside) for p in find_pictures([album])] == ["anna/x.png", "gone.png"]


def test_a_list_names_pictures_from_its_folder_on(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# mine\na/x.png\n\n../y.png\n/z/w.png\na/x.png\n")
    pictures = find_pictures([tmp_path / "list.txt"])
    assert [str(p.path) for p in pictures] == [
        f"{tmp_path}/a/x.png",
        f"{tmp_path}/../y.png",
        "/z/w.png",
    ]
    # Nothing is drawn outside of the folder for drawings.
    assert [str(p.inside) for p in pictures] == ["a/x.png", "y.png", "w.png"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("list.txt", "#\n", "no pictures here"),
        ("list.txt", "a.png\nb.mp4\n", "b.mp4 is a video; give videos by name, not in a list"),
        ("list.CSV", "image\na.png\n", "is a table; list the pictures in a .txt file, one per"),
    ],
)
def test_a_list_of_no_pictures_is_refused(
    name: str, content: str, reason: str, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / name).write_text(content)
    assert main(["predict", str(tmp_path / name)]) == 1
    assert f"{name}: {reason}" in capsys.readouterr().err


def refusal(model: Path, capsys: Output) -> str:
    """What `predict` says of a recogniser that it cannot use."""
    photo = str(next(embedded_root().glob("*.png")))
    assert main(["predict", photo, "--model", str(model)]) == 1
    return capsys.readouterr().err


def test_a_damaged_file_of_a_recogniser_is_named(run: Path, tmp_path: Path, capsys: Output) -> None:
    copy = copy_of(run / "recogniser", tmp_path / "recogniser")
    (copy / "svm.npz").write_bytes(b"no")
    assert "svm.npz: damaged" in refusal(copy, capsys)


def test_a_missing_file_of_a_recogniser_is_named(run: Path, tmp_path: Path, capsys: Output) -> None:
    copy = copy_of(run / "recogniser", tmp_path / "recogniser")
    (copy / "net.caffemodel").unlink()
    assert "net.caffemodel missing" in refusal(copy, capsys)


def test_a_missing_recogniser_is_named(tmp_path: Path, capsys: Output) -> None:
    assert "no such folder" in refusal(tmp_path / "nowhere", capsys)
