"""docs/torchcaffe.md says what the code does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from i2cnn.torchcaffe.layers import REGISTRY

ROOT = Path(__file__).parents[1]


def tool() -> ModuleType:
    path = ROOT / "docs" / "describe_torchcaffe.py"
    spec = importlib.util.spec_from_file_location("describe_torchcaffe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_in_step_with_the_code() -> None:
    describe = tool()
    page = describe.PAGE.read_text()
    assert describe.described(page) == page, "run docs/describe_torchcaffe.py"


def test_every_layer_has_a_row_and_a_recorded_case() -> None:
    table = tool().layer_table()
    for name in REGISTRY:
        assert f"| {name} |" in table
    assert "NOT RECORDED" not in table


def test_a_new_layer_is_missed(monkeypatch) -> None:
    describe = tool()
    page = describe.PAGE.read_text()
    monkeypatch.setitem(REGISTRY, "Novelty", REGISTRY["ReLU"])
    assert describe.described(page) != page
    assert "| Novelty |" in describe.layer_table()
    assert "NOT RECORDED" in describe.layer_table()
