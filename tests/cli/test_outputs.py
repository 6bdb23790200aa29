"""Outputs that cannot be written are told before any work is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.cli.main import main

Output = pytest.CaptureFixture[str]

COMMANDS = {
    "faces": ["faces", "--dataset", "synthetic", "--out"],
    "svm": ["svm", "none.npy", "--faces", "none.csv", "--out"],
    "features": ["features", "none.csv", "--root", ".", "--net", "none", "--out"],
    "enrol": ["enrol", "none.jpg", "--out"],
    "patches": ["patches", "none.csv", "--preview"],
}


@pytest.mark.parametrize("verb", COMMANDS)
def test_an_output_in_a_file_is_told_first(verb: str, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "out.png"
    assert main([*COMMANDS[verb], str(target)]) == 1
    assert f"{target}: cannot be written ({tmp_path / 'file'} is a file)" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["predict", "a.jpg", "--csv"], ["enrol", "a.jpg", "--out"]])
def test_a_picture_is_not_overwritten(command: list[str], tmp_path: Path, capsys: Output) -> None:
    picture = tmp_path / "b.jpg"
    picture.write_bytes(b"a picture")
    assert main([*command, str(picture)]) == 1
    assert "has a picture's or video's name; name the file to write" in capsys.readouterr().err
    assert picture.read_bytes() == b"a picture"


def test_csv_is_not_written_into_a_workbook(tmp_path: Path, capsys: Output) -> None:
    assert main(["predict", "a.jpg", "--csv", str(tmp_path / "a.xlsx")]) == 1
    assert "a.xlsx: CSV is written; name it .csv" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [["faces", "--dataset", "synthetic", "--out", "a.csv", "--sheet"], COMMANDS["patches"]],
)
def test_a_picture_of_no_format_is_told_first(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command, "sheet.pgn"]) == 1
    assert "sheet.pgn: cannot be written in the format of its ending" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
