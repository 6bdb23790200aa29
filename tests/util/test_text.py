"""Text from outside on its way to a terminal."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.table import Table

from i2cnn.util.console import PlainConsole, bold, table_of
from i2cnn.util.text import counted, printable, show, warn


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("naïve 顔 🙂\tand a tab", "naïve 顔 🙂\tand a tab"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202egpj", r"a\u202egpj"),
        ("a\u2028b", r"a\u2028b"),
        ("\udcff.jpg", r"\xff.jpg"),
        ("\ud83d", r"\ud83d"),
    ],
)
def test_what_steers_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("number", "what", "said"),
    [
        (2, "sequences of contempt", "2 sequences of contempt"),
        (1, "sequences of contempt", "1 sequence of contempt"),
        (1, "pictures", "1 picture"),
        (1, "not an image", "1 not an image"),
    ],
)
def test_one_thing_is_named_in_the_singular(number: int, what: str, said: str) -> None:
    assert counted(number, what) == said


def test_lines_go_where_they_belong(capsys: pytest.CaptureFixture[str]) -> None:
    show("one\x07", 2)
    warn("three\x07")
    assert capsys.readouterr() == ("one\\x07\n2\n", "three\\x07\n")


def printed(**options: object) -> str:
    """A table of hostile strings."""
    file = io.StringIO()
    console = PlainConsole(file=file, **options)
    table = Table(title="[red]t[/] :smile:\x1b")
    table.add_column("[/] of a wide table")
    table.add_row("[bold]cell")
    table.add_row(bold("[/bold]\x1b"))
    console.print(table)
    return file.getvalue()


def test_a_console_takes_strings_as_they_are() -> None:
    text = printed()
    for part in (r"[red]t[/] :smile:\x1b", "[/] of", "[bold]cell", r"[/bold]\x1b"):
        assert part in text
    assert "\x1b" not in text


def test_what_is_piped_is_not_broken_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    wide = "x" * 120
    file = io.StringIO()
    table = Table("name")
    table.add_row(wide)
    PlainConsole(file=file).print(table)
    assert wide in file.getvalue()
    monkeypatch.setenv("COLUMNS", "40")
    narrow = io.StringIO()
    PlainConsole(file=narrow).print(table)
    assert max(map(len, narrow.getvalue().splitlines())) <= 40


def test_a_table_that_is_too_wide_gives_up_blanks_before_it_breaks_words() -> None:
    labels = ("neutral", "anger", "disgust", "fear", "happy", "sadness", "surprise")
    table = table_of("face", *labels)
    table.add_row("1: surprise", *["0.14"] * 7)
    lines = {}
    for width in (80, 63):
        file = io.StringIO()
        PlainConsole(file=file, width=width).print(table)
        lines[width] = file.getvalue().splitlines()
    assert "│ 1: surprise │    0.14 │" in lines[80][3]
    assert "┃face       ┃neutral┃anger┃disgust┃fear┃happy┃sadness┃surprise┃" in lines[63][1]


def test_letters_that_an_output_cannot_show_are_escaped() -> None:
    code = "import sys; from i2cnn.cli.main import main; sys.exit(main(['card', 'nö顔']))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={"PYTHONIOENCODING": "ascii"}
    )
    assert result.returncode == 1
    assert b"n\\xf6\\u9854" in result.stderr
