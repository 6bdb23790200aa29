"""The two engines behind one call."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from i2cnn.network.engine import get_engine
from i2cnn.torchcaffe import pycaffe
from i2cnn.util.errors import InputError


def test_torch_is_ours() -> None:
    assert get_engine("torch") is pycaffe
    assert get_engine() is pycaffe


def test_caffe_is_the_installed_pycaffe(monkeypatch) -> None:
    genuine = ModuleType("caffe")
    genuine.Net = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "caffe", genuine)
    assert get_engine("caffe") is genuine


def test_the_empty_package_called_caffe_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "caffe", ModuleType("caffe"))
    with pytest.raises(InputError, match=r"not pycaffe \(it has no Net\).*--engine torch"):
        get_engine("caffe")


def test_missing_and_unknown_engines(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "caffe", None)
    with pytest.raises(InputError, match=r"cannot be imported.*--engine torch"):
        get_engine("caffe")
    with pytest.raises(InputError, match="unknown engine 'tensorflow'; choose one of torch, caffe"):
        get_engine("tensorflow")


def test_the_public_address_is_the_same_engine() -> None:
    from i2cnn import engine

    assert engine.get_engine is get_engine
    assert all(hasattr(engine, name) for name in engine.__all__)
