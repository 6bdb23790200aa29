"""The two engines behind one call."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from i2cnn.network.engine import PRECISIONS, check_names, check_precision, get_engine
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


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:-1", "cuda:²"])
def test_an_unknown_device_is_told(device: str) -> None:
    with pytest.raises(InputError, match=f"unknown device '{device}'; use auto, cpu, cuda or"):
        check_names("torch", device)


def test_the_public_address_is_the_same_engine() -> None:
    from i2cnn import engine

    assert engine.get_engine is get_engine
    assert all(hasattr(engine, name) for name in engine.__all__)


@pytest.mark.parametrize(
    ("precision", "engine", "reason"),
    [("bf16", "caffe", "genuine Caffe has float32"), ("tf32", "torch", "needs a CUDA device")],
)
def test_a_precision_that_is_not_to_be_had(precision: str, engine: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check_precision(precision, engine, "cpu")


def test_precisions_are_torchcaffes() -> None:
    from i2cnn.torchcaffe.core.runtime import PRECISIONS as known

    assert known == PRECISIONS
