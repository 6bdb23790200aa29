"""Versions and the machine, as runs note them."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.util import machine as module
from i2cnn.util.machine import machine, versions


def test_versions_are_those_installed() -> None:
    assert versions()["numpy"] == np.__version__


def test_a_package_that_is_absent_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] == "missing"


def test_the_machine_has_cores() -> None:
    assert int(machine()["cores"]) >= 1
