"""NumPy twins of the extension's routines, written for clarity."""

from __future__ import annotations

import numpy as np

from i2cnn.patches.schemes import FACE, Scheme

#: Jitter that changes nothing: rotation, scale, right, down, gain, offset.
EXACT = (0, 1, 0, 0, 1, 0)


def similarity(points: np.ndarray, mouth: float) -> np.ndarray:
    """Least-squares similarity (2, 3) from aligned coordinates to pixels."""
    target = np.array([points[0], points[1], (points[3] + points[4]) / 2])
    model = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, mouth]])
    rows, values = [], []
    for (u, v), (x, y) in zip(model, target, strict=True):
        rows += [[u, -v, 1, 0], [v, u, 0, 1]]
        values += [x, y]
    (a, b, tx, ty), *_ = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)
    return np.array([[a, -b, tx], [b, a, ty]])


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values at (x, y); pixels outside repeat the border."""
    height, width = image.shape
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    pixels = image.astype(float)
    upper = pixels[y0, x0] * (1 - fx) + pixels[y0, x1] * fx
    lower = pixels[y1, x0] * (1 - fx) + pixels[y1, x1] * fx
    return upper * (1 - fy) + lower * fy


def sample_box(
    image: np.ndarray, points: np.ndarray, box: np.ndarray, mouth: float, size: int, jitter=EXACT
):
    """One gray patch as floats: mean of as many samples a pixel as the box shrinks.

    Of a row of jitter, rotation, scale and shift are applied.
    """
    angle, zoom, *shift = jitter[:4]
    matrix = similarity(points, mouth)
    anchor, cx, cy, width, height = box
    centre = np.array([cx, cy])
    if anchor != FACE:
        inverse = np.linalg.inv(matrix[:, :2])
        centre = centre + inverse @ (points[int(anchor)] - matrix[:, 2])
    scale = np.hypot(*matrix[:, 0]) * zoom
    across = int(np.clip(np.ceil(scale * width / size - 1e-9), 1, 32))
    down = int(np.clip(np.ceil(scale * height / size - 1e-9), 1, 32))
    u = (np.arange(size * across) + 0.5) / (size * across) - 0.5
    v = (np.arange(size * down) + 0.5) / (size * down) - 0.5
    centre = centre + np.array(shift) * (width, height)
    turned_u, turned_v = np.meshgrid(zoom * u * width, zoom * v * height)
    grid_u = centre[0] + np.cos(angle) * turned_u - np.sin(angle) * turned_v
    grid_v = centre[1] + np.sin(angle) * turned_u + np.cos(angle) * turned_v
    x = matrix[0, 0] * grid_u + matrix[0, 1] * grid_v + matrix[0, 2]
    y = matrix[1, 0] * grid_u + matrix[1, 1] * grid_v + matrix[1, 2]
    fine = bilinear(image, x, y)
    return fine.reshape(size, down, size, across).mean(axis=(1, 3))


def sample_jittered_box(image: np.ndarray, points, box, mouth: float, size: int, jitter):
    """One gray patch of a jittered copy as floats, with its gain and offset."""
    *_, gain, offset = jitter
    gray = sample_box(image, points, box, mouth, size, jitter)
    return np.clip(128 + gain * (gray - 128) + offset, 0, 255)


def extract(image: np.ndarray, points: np.ndarray, scheme: Scheme, size: int) -> np.ndarray:
    """All gray patches as floats, (patches, size, size)."""
    patches = []
    for box in scheme.boxes:
        patch = sample_box(image, points, box, scheme.mouth, size)
        patches += [patch, patch[:, ::-1]]
    return np.array(patches)
