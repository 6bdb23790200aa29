"""The engines' public address; they live in :mod:`i2cnn.network.engine`."""

from i2cnn.network.engine import ENGINES, choose_device, get_engine, set_device, start_engine

__all__ = ["ENGINES", "choose_device", "get_engine", "set_device", "start_engine"]
