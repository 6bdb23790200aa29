"""What the project's files say of it agrees with the package."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import i2cnn

ROOT = Path(__file__).parents[1]


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", citation, re.M)[1] == i2cnn.__version__


def test_the_changelog_begins_with_what_is_new_or_this_version() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] in ("Unreleased", i2cnn.__version__)
    assert i2cnn.__version__ in headings


def test_the_bound_of_torch_admits_the_version_that_ci_takes() -> None:
    (pinned,) = re.findall(r"^torch==2\.(\d+)\.\d+$", (ROOT / "constraints.txt").read_text(), re.M)
    (bound,) = re.findall(r'"torch>=[\d.]+,<2\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert int(bound) > int(pinned)


def test_what_is_pinned_exists_for_the_oldest_python() -> None:
    (oldest,) = re.findall(
        r'^requires-python = ">=(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M
    )
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    for pin in map(Requirement, (line for line in lines if not line.startswith("#"))):
        if pin.marker is None or pin.marker.evaluate({"python_version": oldest}):
            needs = importlib.metadata.metadata(pin.name).get("Requires-Python", "")
            assert SpecifierSet(needs).contains(f"{oldest}.0"), f"{pin} needs Python {needs}"
