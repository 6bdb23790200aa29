"""The rivals: alignment, patterns, boosting by hand, nothing learnt from tested faces."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.datasets import load_dataset
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import Face
from i2cnn.rivals import RIVALS
from i2cnn.rivals.align import EYE_ROW, HEIGHT, WIDTH, align
from i2cnn.rivals.boosting import (
    CELL,
    WindowHistograms,
    boost,
    select_windows,
    sub_windows,
    weak_mistakes,
)
from i2cnn.rivals.describe import describe
from i2cnn.rivals.fold import RivalFold, RivalResult
from i2cnn.rivals.gabor import GRID_HEIGHT, GRID_WIDTH, magnitudes
from i2cnn.rivals.lbp import BINS, patterns, region_histograms
from i2cnn.util.errors import InputError


@pytest.fixture(scope="module")
def some_faces() -> tuple[list[Face], Path]:
    """Neutral, happy and surprised faces of twelve people of the synthetic set."""
    dataset = load_dataset("synthetic", None, "seven")
    wanted = [s for s in dataset.samples if s.label in ("neutral", "happy", "surprise")]
    people = sorted({s.subject for s in wanted})[:12]
    dataset.samples = [s for s in wanted if s.subject in people]
    return locate_faces(dataset)[0], dataset.root


@pytest.mark.parametrize(("scale", "degrees"), [(0.7, 0), (1, 25), (3.3, -10), (12, 5)])
def test_alignment_puts_the_eyes_where_they_belong(scale: float, degrees: float) -> None:
    angle, distance = np.deg2rad(degrees), 55 * scale
    side = int(160 * scale)
    middle, half = np.full(2, side / 2), distance / 2 * np.array([np.cos(angle), np.sin(angle)])
    points = np.array([middle - half, middle + half, middle, middle, middle])
    y, x = np.mgrid[:side, :side]
    for eye, column in ((points[0], 27), (points[1], 82)):
        spot = np.exp(-((x - eye[0]) ** 2 + (y - eye[1]) ** 2) / (2 * (4 * scale) ** 2))
        face = align((250 * spot).astype(np.uint8), points).astype(float)
        assert face.shape == (HEIGHT, WIDTH)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        centre = (face * columns).sum() / face.sum(), (face * rows).sum() / face.sum()
        assert centre == pytest.approx((column, EYE_ROW), abs=0.1)


def test_alignment_averages_where_it_shrinks() -> None:
    fine = (np.indices((600, 600)).sum(axis=0) % 2 * 255).astype(np.uint8)
    points = np.array([[190.0, 200], [410, 200], [300, 250], [250, 350], [350, 350]])
    assert align(fine, points).std() < 3


def test_a_margin_adds_pixels_around_the_same_face(some_faces) -> None:
    face = some_faces[0][0]
    image = cv2.imread(str(some_faces[1] / face.image), cv2.IMREAD_GRAYSCALE)
    inner = align(image, face.points, margin=2)[2:-2, 2:-2].astype(int)
    # OpenCV rounds positions to 1/32 pixel.
    assert np.abs(inner - align(image, face.points)).mean() < 0.3


def test_patterns_by_hand() -> None:
    peak = np.full((5, 5), 10, np.uint8)
    peak[2, 2] = 20
    assert patterns(peak) == [[0]]  # no neighbour is as bright
    assert patterns(255 - peak) == [[57]]  # all are
    # Five of eight neighbours in a row are brighter: among patterns 33 to 40, one a rotation.
    edge = np.full((5, 5), 10, np.uint8)
    edge[:, 2:] = 20
    edge[2, 2] = 18
    turned = [int(patterns(np.rot90(edge, i))[0, 0]) for i in range(4)]
    assert len(set(turned)) == 4
    assert all(33 <= code <= 40 for code in turned)
    # Left and right brighter, above and below not: four changes, not uniform.
    stripes = np.full((5, 5), 10, np.uint8)
    stripes[:, [0, 4]] = 30
    stripes[2, 2] = 12
    stripes[0], stripes[4] = 10, 10
    assert patterns(stripes) == [[58]]


def test_region_histograms_by_hand() -> None:
    codes = np.full((HEIGHT, WIDTH), 58, np.uint8)
    codes[1 + 21 : 1 + 42, 1 + 36 : 1 + 54] = 5  # second row, third column of regions
    codes[1, 1] = 7  # first pixel of the first region
    codes[0] = codes[:, 0] = codes[-2:] = codes[:, -1] = 9  # outside all regions
    found = region_histograms(codes)
    assert found.shape == (2478,)
    found = found.reshape(7, 6, BINS)
    assert found[1, 2, 5] == 1
    assert found[0, 0, 7] == pytest.approx(1 / 378)
    assert found[..., 9].sum() == 0
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.parametrize(("wavelength", "scale"), [(4, 0), (8, 2), (16, 4)])
@pytest.mark.parametrize("orientation", [0, 2, 4, 6])
def test_gabor_filters_answer_their_own_grating(wavelength, scale, orientation) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    angle = np.pi * orientation / 8
    phase = 2 * np.pi / wavelength * (x * np.cos(angle) + y * np.sin(angle))
    grating = 100 + 60 * np.cos(phase)
    found = magnitudes(grating.astype(np.uint8))
    assert found.shape == (40 * GRID_WIDTH * GRID_HEIGHT,)
    means = found.reshape(5, 8, -1).mean(axis=2)
    assert np.unravel_index(means.argmax(), means.shape) == (scale, orientation)


def test_gabor_magnitudes_do_not_see_brightness() -> None:
    face = np.random.RandomState(0).randint(0, 150, (HEIGHT, WIDTH)).astype(np.uint8)
    np.testing.assert_allclose(magnitudes(face + 100), magnitudes(face), atol=1e-3)
    assert magnitudes(np.full((HEIGHT, WIDTH), 200, np.uint8)).max() < 1e-3


def test_sub_windows_stay_inside_and_their_histograms_are_counted_right() -> None:
    windows = sub_windows()
    assert len(np.unique(windows, axis=0)) == len(windows) == 16065
    assert windows.min() == 0
    assert windows[:, 2].max() * CELL == WIDTH
    assert windows[:, 3].max() * CELL == HEIGHT
    codes = np.random.RandomState(0).randint(0, BINS, (3, HEIGHT, WIDTH)).astype(np.uint8)
    histograms = WindowHistograms(codes)
    for window in windows[[0, 777, 9999, -1]]:
        left, top, right, bottom = window * CELL
        for face, found in zip(codes, histograms.of(window), strict=True):
            part = face[top:bottom, left:right]
            expected = np.bincount(part.ravel(), minlength=BINS) / part.size
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_weak_classifiers_take_the_nearer_template_by_chi_square() -> None:
    rng = np.random.RandomState(1)
    codes = rng.randint(0, BINS, (12, HEIGHT, WIDTH)).astype(np.uint8)
    labels = np.repeat([0, 1, 2], 4)
    histograms = WindowHistograms(codes)
    mistakes = weak_mistakes(histograms, labels)
    assert mistakes.shape == (3, 16065, 12)
    for w in (5, 8000):
        found = histograms.of(sub_windows()[w]).astype(float)
        for c in range(3):
            templates = found[labels == c].mean(axis=0), found[labels != c].mean(axis=0)
            own, rest = (((found - t) ** 2 / (found + t + 1e-12)).sum(axis=1) for t in templates)
            np.testing.assert_array_equal(mistakes[c, w], (own < rest) != (labels == c))


def test_boosting_by_hand() -> None:
    truth = np.array([True, True, False, False])
    mistakes = np.array(
        [
            [1, 0, 0, 0],  # error 1/4: first; face 0 then weighs 1/2, the others 1/6 each
            [1, 0, 0, 1],  # 1/2 + 1/6
            [0, 1, 1, 0],  # 1/6 + 1/6: second, though no better than row 1 at first
            [1, 1, 1, 0],  # never better than chance
        ],
        bool,
    )
    assert boost(mistakes, truth) == [0, 2]
    assert boost(mistakes, truth, rounds=1) == [0]


def test_boosting_finds_the_planted_difference() -> None:
    rng = np.random.RandomState(0)
    codes = rng.randint(0, 4, (40, HEIGHT, WIDTH)).astype(np.uint8)
    labels = np.arange(40) % 2
    planted = codes[labels == 1, 60:80, 30:50]
    codes[labels == 1, 60:80, 30:50] = np.where(rng.rand(*planted.shape) < 0.15, 1, planted)
    histograms = WindowHistograms(codes)
    mistakes = weak_mistakes(histograms, labels)[1]
    left, top, right, bottom = sub_windows()[boost(mistakes, labels == 1, rounds=1)[0]] * CELL
    assert min(right, 50) - max(left, 30) >= 10
    assert min(bottom, 80) - max(top, 60) >= 10
    assert mistakes[sub_windows()[:, 1] * CELL >= 80].mean() > 0.25  # nothing to see there
    selected = select_windows(histograms, labels) * CELL
    assert 50 <= len(selected) <= 100
    assert ([left, top, right, bottom] == selected).all(axis=1).any()


def test_descriptions_have_the_published_sizes(some_faces) -> None:
    faces, root = some_faces
    sizes = {
        "pixels": 55 * 75,
        "lbp": 2478,
        "boosted-lbp": 110 * 150,
        "gabor": 40 * 28 * 38,
        "hog": 30 * 1764,
    }
    assert list(RIVALS) == list(sizes)
    for name, size in sizes.items():
        calls: list[tuple[int, int]] = []
        found = describe(
            name, faces[:2], root, update=lambda *call, calls=calls: calls.append(call)
        )
        assert found.shape == (2, size)
        assert found.dtype == (np.uint8 if name == "boosted-lbp" else np.float32)
        assert np.isfinite(found).all()
        assert (found[0] != found[1]).any()
        assert calls == [(1, 2), (2, 2)]


def test_errors_name_the_image_and_the_choices(some_faces, tmp_path: Path) -> None:
    faces, root = some_faces
    lost = dataclasses.replace(faces[0], image="lost.png")
    with pytest.raises(InputError, match=r"lost\.png: no such file"):
        describe("lbp", [faces[0], lost], root)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.png: not a picture"):
        describe("gabor", [dataclasses.replace(faces[0], image="bad.png")], tmp_path)
    coincide = dataclasses.replace(faces[0], points=np.ones((5, 2)))
    with pytest.raises(InputError, match=rf"{faces[0].image}: the eyes coincide"):
        describe("pixels", [coincide], root)
    with pytest.raises(InputError, match=rf"{faces[0].image}: the eyes coincide"):
        describe("hog", [coincide], root)
    with pytest.raises(InputError, match="no faces"):
        describe("pixels", [], root)
    with pytest.raises(InputError, match="unknown rival 'sift'; choose one of pixels, lbp"):
        describe("sift", faces, root)
    rows, labels, people = np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1]), np.array([*"abab"])
    train, test = np.array([0, 1]), np.array([2, 3])
    with pytest.raises(InputError, match="pixels has no kernel 'polynomial'"):
        RivalFold("pixels", rows, labels, people, train, test).predict("polynomial")[1]
    with pytest.raises(InputError, match="features of 4 faces for 3 labels"):
        RivalFold("pixels", rows, labels[:3], people[:3], train, test)


def split(faces: list[Face]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    names = ["neutral", "happy", "surprise"]
    labels = np.array([names.index(face.label) for face in faces])
    subjects = np.array([face.subject for face in faces])
    tested = np.isin(subjects, sorted(set(subjects))[:4])
    return labels, subjects, np.flatnonzero(~tested), np.flatnonzero(tested)


def learned(result: RivalResult) -> tuple[dict, list | None]:
    """Everything that was learned from the fitted faces."""
    return result.choice, None if result.windows is None else result.windows.tolist()


def check_windows(result: RivalResult) -> None:
    """Sub-windows are rectangles in pixels of the aligned face."""
    windows = result.windows
    assert windows is not None
    assert result.choice["dimensions"] == len(windows) * BINS
    assert windows[:, 2:].min() >= 15
    assert windows[:, 2:].max() <= 40
    assert (windows[:, 0] + windows[:, 2]).max() <= WIDTH
    assert (windows[:, 1] + windows[:, 3]).max() <= HEIGHT


@pytest.fixture(scope="module", params=RIVALS)
def described(request, some_faces) -> tuple[str, np.ndarray]:
    return request.param, describe(request.param, *some_faces)


def test_rivals_beat_chance(described, some_faces) -> None:
    name, features = described
    labels, subjects, fitted, tested = split(some_faces[0])
    fold = RivalFold(name, features, labels, subjects, fitted, tested)
    for kernel in RIVALS[name].kernels:
        _, result = fold.predict(kernel)
        assert (result.predicted == labels[tested]).mean() > 0.6  # chance: 1/3
        assert result.choice["kernel"] == kernel
        assert ("gamma" in result.choice) == (kernel == "rbf")
        assert ("degree" in result.choice) == (kernel == "polynomial")
        if name == "boosted-lbp":
            check_windows(result)


def test_tested_faces_do_not_change_what_is_learned(described, some_faces) -> None:
    name, features = described
    labels, subjects, fitted, tested = split(some_faces[0])
    kernel = RIVALS[name].kernels[0]
    honest = RivalFold(name, features, labels, subjects, fitted, tested).predict(kernel)[1]
    other_labels, other_features = labels.copy(), features.copy()
    other_labels[tested] = (other_labels[tested] + 1) % 3
    # Far from all others, so that they would show in any mean, spread or template.
    other_features[tested[1:]] = 58 if name == "boosted-lbp" else 1000 * features[fitted[0]]
    other = RivalFold(name, other_features, other_labels, subjects, fitted, tested).predict(kernel)[
        1
    ]
    assert learned(other) == learned(honest)
    assert other.predicted[0] == honest.predicted[0]
    # The order of the fitted faces' labels does matter.
    mixed = labels.copy()
    mixed[fitted] = np.random.RandomState(0).permutation(labels[fitted])
    shuffled = RivalFold(name, features, mixed, subjects, fitted, tested).predict(kernel)[1]
    assert learned(shuffled) != learned(honest)


def test_sub_windows_are_selected_once_for_all_kernels(monkeypatch) -> None:
    selections = []

    def select(histograms: WindowHistograms, labels: np.ndarray) -> np.ndarray:
        selections.append(labels)
        return sub_windows()[[0, 5000]]

    monkeypatch.setattr("i2cnn.rivals.boosting.select_windows", select)
    codes = np.random.RandomState(0).randint(0, BINS, (12, HEIGHT * WIDTH)).astype(np.uint8)
    labels, people = np.arange(12) % 2, np.array([*"aabbccddeeff"])
    fold = RivalFold("boosted-lbp", codes, labels, people, np.arange(10), np.arange(10, 12))
    for kernel in RIVALS["boosted-lbp"].kernels:
        fold.predict(kernel)
    assert len(selections) == 1
