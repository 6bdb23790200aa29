"""README and docs/ say what the code does: examples run, links lead somewhere, tables match."""

from __future__ import annotations

import csv
import importlib.util
import io
import itertools
import pydoc
import re
import shlex
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

from i2cnn.cli.main import main
from i2cnn.cli.parser import build_parser
from i2cnn.datasets.folder import COLUMNS
from i2cnn.patches.schemes import load_scheme
from i2cnn.torchcaffe.cli import PROGRAMS
from i2cnn.torchcaffe.flags import parse_flags
from i2cnn.torchcaffe.layers import REGISTRY
from tests.helpers import reader_folder
from tests.helpers.markdown import ROOT, Block, anchors, blocks, commands, links, pages, read, text

README_WORDS = 900
#: Wider code has to be scrolled sideways.
CODE_WIDTH = 82
#: A block in another language is not tested, so it has to say that it is no code: `text`.
LANGUAGES = {"bash", "python", "toml", "csv", "text"}
#: First words of shell lines whose arguments nothing here can check.
UNCHECKED = {"sudo", "pip", "curl", ".", "mkdir", "caffe", "export", "ls", "squeue", "srun"}

_TABLE_ROW = re.compile(r"\| ([^|]+) \| \**([\d.]+)\** \| (?:[\d.]+ \| )?([\d.]+)\u2013([\d.]+) \|")


# Examples


@pytest.fixture
def folder(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder that the examples assume."""
    reader_folder.fill(tmp_path, run / "recogniser")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runnable(language: str) -> list[Block]:
    return [block for block in blocks(language) if not block.reason]


@pytest.mark.parametrize("block", runnable("python"), ids=str)
def test_python_example_runs(block: Block, folder: Path) -> None:
    code = compile(block.code, str(ROOT / block.page), "exec")
    exec(code, {"__name__": "__main__"})


@pytest.mark.parametrize("block", runnable("bash"), ids=str)
def test_shell_example_runs(block: Block, folder: Path) -> None:
    for program, *words in commands(block.code):
        assert program == "i2cnn", f"{program} is not run here: say why above the block"
        assert main(words) == 0, words


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_commands_of_shell_example_exist(block: Block) -> None:
    for words in commands(block.code):
        check_command(words)


def check_command(words: list[str]) -> None:
    """Fail unless the command's flags, target or file exist."""
    if words[:2] == ["i2cnn", "caffe"]:
        if words[2] not in PROGRAMS:
            parse_flags(words[3:])
    elif words[0] == "i2cnn":
        build_parser().parse_args(words[1:])
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
    elif words[0] in ("python", "sh"):
        assert (ROOT / words[1]).is_file(), words
    elif words[0] == "torchrun":
        parse_flags(words[words.index("i2cnn.torchcaffe") + 2 :])
    else:
        assert words[0] in UNCHECKED, f"nothing here can check {shlex.join(words)}"


@pytest.mark.parametrize(
    "line", ["i2cnn evaluate --profyle paper --out x", "make nothing", "python tools/nothing.py"]
)
def test_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises((SystemExit, AssertionError)):
        check_command(shlex.split(line))


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_scheme_example_can_be_read(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(block.code)
    assert len(load_scheme(path)) > 0


@pytest.mark.parametrize("block", blocks("csv"), ids=str)
def test_table_example_has_the_columns(block: Block) -> None:
    rows = list(csv.DictReader(io.StringIO(block.code), strict=True))
    assert rows
    assert all(tuple(row) == COLUMNS and all(row.values()) for row in rows)


def test_every_block_has_a_language_that_is_tested() -> None:
    assert [str(b) for b in blocks() if b.language not in LANGUAGES] == []


def test_code_fits_into_the_page() -> None:
    lines = [(str(b), line) for b in blocks(*LANGUAGES - {"text"}) for line in b.code.splitlines()]
    assert [place for place, line in lines if len(line) > CODE_WIDTH] == []


@pytest.mark.parametrize("page", pages())
def test_code_is_fenced(page: str) -> None:
    """An indented code block has no language, so no test would find it."""
    lines = text(page)
    indented = [
        number
        for number, (before, line) in enumerate(itertools.pairwise(lines), 2)
        if line.startswith("    ") and not before.strip() and line.strip()
    ]
    assert indented == []


def test_whatever_is_not_run_says_why() -> None:
    """Every marker belongs to a block of code that would be run without it."""
    markers = sum(line.startswith("<!-- not run") for page in pages() for line in read(page))
    assert markers == sum(bool(block.reason) for block in blocks("bash", "python"))


# Links and words


@pytest.mark.parametrize("page", pages())
def test_links_lead_to_files_and_headings(page: str) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        if urlsplit(link).scheme:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.resolve().is_relative_to(ROOT), link
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target.resolve().relative_to(ROOT).as_posix()), link


@pytest.mark.parametrize("page", pages())
def test_links_to_other_sites_are_well_formed(page: str) -> None:
    for link in links(page):
        if urlsplit(link).scheme:
            assert re.fullmatch(r"https://[\w.-]+\.[a-z]+(/[\w./%-]*)?(#[\w-]+)?", link), link


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= README_WORDS


def documented_names() -> list[str]:
    """Names whose docstrings the API reference shows."""
    lines = [line for page in pages() if page.startswith("docs/api/") for line in read(page)]
    return [line.removeprefix("::: ") for line in lines if line.startswith("::: ")]


@pytest.mark.parametrize("name", documented_names())
def test_documented_name_is_there(name: str) -> None:
    """As `make docs` checks too, but without the packages that it needs."""
    assert pydoc.locate(name) is not None


# Tables and generated pages


def published_rows(page: str) -> set[tuple[str, str, str]]:
    """(accuracy, lower end, upper end) of each row of a page's table of results."""
    found = _TABLE_ROW.findall("\n".join(text(page)))
    return {(accuracy, low, high) for _, accuracy, low, high in found}


def test_the_readme_shows_some_of_the_results() -> None:
    shown = published_rows("README.md")
    assert len(shown) >= 5
    assert shown <= published_rows("docs/results.md")


def tool(name: str) -> ModuleType:
    """A program of docs/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("run", sorted((ROOT / "results").glob("*/run.json")))
def test_the_results_page_has_the_tables_of_the_published_runs(run: Path) -> None:
    page = (ROOT / "docs" / "results.md").read_text()
    for table in tool("describe_results").tables(run.parent):
        assert "\n".join(table) in page, "run docs/describe_results.py"


def test_the_glossary_page_is_in_step_with_the_code() -> None:
    describe = tool("describe_glossary")
    assert describe.described() == describe.PAGE.read_text(), "run docs/describe_glossary.py"


@pytest.mark.parametrize("name", ["torchcaffe", "dialects", "caffe"])
def test_the_page_is_in_step_with_the_code(name: str) -> None:
    describe = tool(f"describe_{name}")
    page = describe.PAGE.read_text()
    assert describe.described(page) == page, f"run docs/describe_{name}.py"


def test_every_layer_has_a_row_and_a_recorded_case() -> None:
    table = tool("describe_torchcaffe").layer_table()
    for name in REGISTRY:
        assert f"| {name} |" in table
    assert "NOT RECORDED" not in table


def test_a_new_layer_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    describe = tool("describe_torchcaffe")
    page = describe.PAGE.read_text()
    monkeypatch.setitem(REGISTRY, "Novelty", REGISTRY["ReLU"])
    assert describe.described(page) != page
    assert "| Novelty |" in describe.layer_table()
    assert "NOT RECORDED" in describe.layer_table()
