"""The notebooks of docs/notebooks run from top to bottom, and are notebooks."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_text_and_code(path: Path) -> None:
    jupytext = pytest.importorskip("jupytext")
    cells = jupytext.read(path)["cells"]
    kinds = {cell["cell_type"] for cell in cells}
    assert kinds == {"markdown", "code"}
    assert cells[0]["source"].startswith("# ")


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 3
