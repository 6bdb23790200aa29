"""Layers of detection nets as plain loops over NumPy arrays: what the forks' layers compute."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Array = np.ndarray
Box = Sequence[float]


def normalize(x: Array, scale: Array, across: bool, dy: Array) -> tuple[Array, Array, Array]:
    """Top, and gradients of the bottom and the scale; SSD's Normalize of (N, C, H, W)."""
    x, dy = x.astype(float), dy.astype(float)
    factors = np.broadcast_to(scale, x.shape[1])[:, None, None]
    y, dx = np.zeros_like(x), np.zeros_like(x)
    for n in range(len(x)):
        places = [np.s_[:, :, :]] if across else [np.s_[:, [i], [j]] for i, j in _places(x[n, 0])]
        for place in places:
            norm = math.sqrt((x[n][place] ** 2).sum() + 1e-10)
            dot = (x[n][place] * dy[n][place]).sum()
            y[n][place] = x[n][place] / norm
            dx[n][place] = (dy[n][place] - x[n][place] * dot / norm**2) / norm
    by_channel = (y * dy).sum((0, 2, 3))
    return y * factors, dx * factors, by_channel if np.ndim(scale) else by_channel.sum()


def _places(plane: Array) -> list[tuple[int, int]]:
    return [(i, j) for i in range(plane.shape[0]) for j in range(plane.shape[1])]


def prior_box(
    size: tuple[int, int],
    image: tuple[int, int],
    step: tuple[float, float],
    shapes: Sequence[tuple[float, float]],
    offset: float = 0.5,
) -> Array:
    """(positions * shapes * 4,): boxes of those (width, height) around each position."""
    out = []
    for row in range(size[0]):
        for column in range(size[1]):
            x, y = (column + offset) * step[1], (row + offset) * step[0]
            for w, h in shapes:
                out += [(x - w / 2) / image[1], (y - h / 2) / image[0]]
                out += [(x + w / 2) / image[1], (y + h / 2) / image[0]]
    return np.array(out)


def decode(offsets: Box, prior: Box, variances: Box, code: str) -> list[float]:
    """Box of the offsets from a prior."""
    a, b, c, d = (o * v for o, v in zip(offsets, variances, strict=True))
    w, h = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CORNER":
        return [prior[0] + a, prior[1] + b, prior[2] + c, prior[3] + d]
    if code == "CORNER_SIZE":
        return [prior[0] + a * w, prior[1] + b * h, prior[2] + c * w, prior[3] + d * h]
    x, y = (prior[0] + prior[2]) / 2 + a * w, (prior[1] + prior[3]) / 2 + b * h
    w, h = w * math.exp(c), h * math.exp(d)
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def encode(box: Box, prior: Box, variances: Box, code: str) -> list[float]:
    """Offsets of a box from a prior."""
    w, h = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CENTER_SIZE":
        parts = [
            ((box[0] + box[2]) / 2 - (prior[0] + prior[2]) / 2) / w,
            ((box[1] + box[3]) / 2 - (prior[1] + prior[3]) / 2) / h,
            math.log((box[2] - box[0]) / w),
            math.log((box[3] - box[1]) / h),
        ]
    else:
        units = [w, h, w, h] if code == "CORNER_SIZE" else [1, 1, 1, 1]
        parts = [(b - p) / u for b, p, u in zip(box, prior, units, strict=True)]
    return [part / v for part, v in zip(parts, variances, strict=True)]


def area(box: Box) -> float:
    """Area of a box; 0 of one with swapped corners."""
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def jaccard(a: Box, b: Box) -> float:
    """Intersection over union."""
    inner = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
    return inner / (area(a) + area(b) - inner) if inner else 0.0


def suppress(order: Sequence[int], boxes: Array, threshold: float, eta: float = 1) -> list[int]:
    """Indices that non-maximum suppression keeps of those in `order`."""
    kept: list[int] = []
    for i in order:
        if all(jaccard(boxes[i], boxes[k]) <= threshold for k in kept):
            kept.append(i)
            if eta < 1 and threshold > 0.5:
                threshold *= eta
    return kept


def detections(
    loc: Array,
    conf: Array,
    prior: Array,
    classes: int,
    *,
    shared: bool = True,
    code: str = "CORNER",
    encoded: bool = False,
    background: int = 0,
    least: float = -math.inf,
    threshold: float = 0.3,
    eta: float = 1,
    top_k: int = -1,
    keep: int = -1,
) -> Array:
    """(detections, 7): rows of SSD's DetectionOutput."""
    priors, variances = prior.reshape(2, -1, 4).astype(float)
    if encoded:
        variances = np.ones_like(variances)
    rows: list[list[float]] = []
    for image in range(len(loc)):
        offsets = loc[image].reshape(len(priors), -1, 4).astype(float)
        scores = conf[image].reshape(len(priors), classes).astype(float)
        own: list[tuple[float, int, list[float]]] = []
        for c in range(classes):
            if c == background:
                continue
            triples = zip(offsets[:, 0 if shared else c], priors, variances, strict=True)
            boxes = np.array([decode(*triple, code) for triple in triples])
            order = [i for i in np.argsort(-scores[:, c], kind="stable") if scores[i, c] > least]
            kept = suppress(order if top_k < 0 else order[:top_k], boxes, threshold, eta)
            own += [(scores[i, c], c, list(boxes[i])) for i in kept]
        if keep > -1:
            own = sorted(own, key=lambda item: -item[0])[:keep]
        own.sort(key=lambda item: (item[1], -item[0]))
        rows += [[image, c, score, *box] for score, c, box in own]
    if not rows:
        rows = [[image, *[-1] * 6] for image in range(len(loc))]
    return np.array(rows)


def c_round(x: float) -> int:
    """Rounded with halves away from zero."""
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def _window(low: float, high: float, length: int) -> range:
    return range(*(min(max(edge, 0), length) for edge in (math.floor(low), math.ceil(high))))


def roi_pooling(x: Array, rois: Array, h: int, w: int, scale: float) -> Array:
    """Fast R-CNN's ROIPooling."""
    y = np.zeros((len(rois), x.shape[1], h, w))
    for r, (image, *corners) in enumerate(rois):
        left, top, right, bottom = (c_round(corner * scale) for corner in corners)
        tall, wide = max(bottom - top + 1, 1) / h, max(right - left + 1, 1) / w
        for i, j in _places(y[r, 0]):
            rows = _window(i * tall + top, (i + 1) * tall + top, x.shape[2])
            columns = _window(j * wide + left, (j + 1) * wide + left, x.shape[3])
            if rows and columns:
                window = x[int(image)][:, rows.start : rows.stop, columns.start : columns.stop]
                y[r, :, i, j] = window.max((1, 2))
    return y


def psroi_pooling(x: Array, rois: Array, depth: int, group: int, scale: float) -> Array:
    """R-FCN's PSROIPooling."""
    y = np.zeros((len(rois), depth, group, group))
    for r, (image, *corners) in enumerate(rois):
        # In float32, as the fork has them: the edges of bins are often whole numbers but for that.
        left, top = (np.float32(c_round(corner)) * np.float32(scale) for corner in corners[:2])
        right, bottom = (np.float32(c_round(c) + 1) * np.float32(scale) for c in corners[2:])
        least, number = np.float32(0.1), np.float32(group)
        tall, wide = max(bottom - top, least) / number, max(right - left, least) / number
        for i, j in _places(y[r, 0]):
            rows = _window(i * tall + top, (i + 1) * tall + top, x.shape[2])
            columns = _window(j * wide + left, (j + 1) * wide + left, x.shape[3])
            if not rows or not columns:
                continue
            for d in range(depth):
                window = x[int(image), (d * group + i) * group + j].astype(float)
                y[r, d, i, j] = window[rows.start : rows.stop, columns.start : columns.stop].mean()
    return y


def smooth_l1(d: float, sigma: float = 1) -> float:
    """Quadratic up to 1 / sigma^2, linear beyond."""
    square = sigma**2
    return 0.5 * square * d * d if abs(d) < 1 / square else abs(d) - 0.5 / square
