"""Imports point up the list of rooms, never down: what a stage needs comes from earlier stages."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "i2cnn"
#: Data flows from left to right; a room imports itself and what is left of it.
ROOMS = "util torchcaffe datasets faces patches network svm rivals models recogniser evaluation"
ROOMS += " report pages cli"
TORCHCAFFE = "errors log sizes forks plugins proto formats core data layers dialects nodes debug"
TORCHCAFFE += (
    " build_log gradients from_tensorflow weights net solvers pycaffe flags dropin tools check"
)
TORCHCAFFE += " export lenet cli"
#: What rooms that know nothing of networks may import of torchcaffe.
OF_TORCHCAFFE = {"datasets": (), "faces": (), "patches": ("proto", "formats")}


@cache
def imports() -> list[tuple[list[str], list[str], str]]:
    """(importing module, imported module, both for a message), without the leading `i2cnn`."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = list(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.startswith("i2cnn."):
                    text = f"{'.'.join(module)} imports {name}"
                    found.append((module, name.split(".")[1:], text))
    return found


def upward(order: str, depth: int, package: list[str]) -> list[str]:
    """Imports against the order, among the modules at one depth of a package."""
    ranks = {name: rank for rank, name in enumerate(order.split())}
    return [
        text
        for module, imported, text in imports()
        if module[:depth] == imported[:depth] == package
        and len(module) > depth < len(imported)
        and ranks.get(imported[depth], -1) > ranks.get(module[depth], len(ranks))
    ]


def test_rooms_import_only_earlier_rooms() -> None:
    assert upward(ROOMS, 0, []) == []


def test_torchcaffe_imports_only_earlier_parts_of_itself() -> None:
    assert upward(TORCHCAFFE, 1, ["torchcaffe"]) == []


def test_torchcaffe_knows_nothing_of_faces() -> None:
    assert [
        text
        for module, imported, text in imports()
        if module[0] == "torchcaffe" and imported[0] not in ("torchcaffe", "util", "_native")
    ] == []


def test_rooms_before_the_network_know_only_formats_of_torchcaffe() -> None:
    assert [
        text
        for module, imported, text in imports()
        if module[0] in OF_TORCHCAFFE
        and imported[0] == "torchcaffe"
        and imported[1] not in OF_TORCHCAFFE[module[0]]
    ] == []


def test_every_room_stands_in_the_order() -> None:
    rooms = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    parts = {p.stem for p in (PACKAGE / "torchcaffe").glob("*.py") if not p.stem.startswith("__")}
    parts |= {p.parent.name for p in (PACKAGE / "torchcaffe").glob("*/__init__.py")}
    assert rooms == set(ROOMS.split())
    assert parts == set(TORCHCAFFE.split())
