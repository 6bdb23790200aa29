from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def similarity(points: object, mouth: float) -> np.ndarray: ...
def extract(
    image: np.ndarray,
    points: object,
    boxes: np.ndarray,
    mouth: float,
    size: int,
    patches: NDArray[np.int64] | Sequence[int] | None = None,
) -> np.ndarray: ...
def simd_level() -> str: ...
def set_simd(name: str) -> None: ...
def lrn_forward(
    x: np.ndarray, y: np.ndarray, window: int, alpha: float, k: float, threads: int
) -> None: ...
def lrn_backward(
    x: np.ndarray,
    dy: np.ndarray,
    dx: np.ndarray,
    window: int,
    alpha: float,
    k: float,
    threads: int,
) -> None: ...
def sgd_update(
    weight: np.ndarray,
    diff: np.ndarray,
    history: np.ndarray,
    rate: float,
    momentum: float,
    decay: float,
    threads: int,
) -> None: ...

class PatchWriter:
    def __init__(
        self,
        folder: str,
        boxes: np.ndarray,
        mouth: float,
        size: int,
        encoding: str,
        quality: int,
        threads: int,
    ) -> None: ...
    def add(
        self, image: np.ndarray, points: object, patches: list[int], keys: list[str], label: int
    ) -> None: ...
    def finish(self) -> np.ndarray: ...
    def close(self) -> None: ...
