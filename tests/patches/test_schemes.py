"""Patch schemes: the built-in ones, a person's own in TOML, and their drawings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from i2cnn.cli.evaluate import make_settings
from i2cnn.cli.main import build_parser
from i2cnn.datasets import embedded_root
from i2cnn.evaluation.settings import Settings, agree
from i2cnn.network.features import FeatureExtractor, extract_features, load_features
from i2cnn.network.transform import Transform
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.preview import box_corners, draw_patches, draw_preview, draw_scheme
from i2cnn.patches.schemes import FACE, SCHEMES, PatchSet, get_scheme
from i2cnn.util.errors import InputError
from tests.helpers import twin
from tests.helpers.faces import face_points, some_faces
from tests.helpers.pictures import smooth_image
from tests.helpers.schemes import OWN_SCHEME


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(OWN_SCHEME)
    return path


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_built_in_schemes_have_the_papers_shape(name: str) -> None:
    scheme = get_scheme(name)
    assert len(scheme) == 60
    assert len(set(scheme.names)) == 60
    assert [r.anchor for r in scheme.regions] == [FACE] * 5 + [0, 1, 2, 3, 4]
    assert scheme.select(1) == (2,)
    assert len(scheme.select(5)) == 5


def test_own_scheme(own: Path) -> None:
    scheme = get_scheme(str(own))
    assert scheme.names[:4] == ("whole_0.5", "whole_0.5_mirrored", "whole_1", "whole_1_mirrored")
    assert scheme.select(1) == (2,)
    # Its name finds it again.
    assert get_scheme(scheme.name) == scheme
    image, points = smooth_image(1, 120, 110), face_points(50, 40, 40, 0.1)
    ours = extract_patches(image, points, scheme, size=32)
    assert ours.shape == (8, 32, 32)
    assert np.abs(ours - twin.extract(image, points, scheme, 32)).max() <= 1
    with pytest.raises(InputError, match="choose 1 or 8"):
        scheme.select(5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mouth = 1.0", "", "mouth missing"),
        ("mouth = 1.0", "mouth = 'x'", "mouth: 'x' is not a number"),
        ("mouth = 1.0", "mouth = nan", "out of range"),
        ("mouth = 1.0", "mouth = 1.0\nsize = 3", "unknown: size"),
        ("[0.5, 1.0]", "[]", "list of numbers"),
        ("[0.5, 1.0]", "[1.0, 1.0]", "same name"),
        ('"nose"', '"chin"', "region 2: anchor must be one of"),
        ("[1, 1]", "[1, -1]", "region 2: size: -1 is out of range"),
        ("[1, 1]", "[1]", "region 2: size must be two numbers"),
        ("[[region]]", "[[region", "not TOML"),
    ],
)
def test_faults_in_a_scheme_are_named(own: Path, old: str, new: str, message: str) -> None:
    own.write_text(OWN_SCHEME.replace(old, new))
    with pytest.raises(InputError, match=r"mine\.toml.*") as caught:
        get_scheme(str(own))
    assert message in str(caught.value)


def test_unknown_schemes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose one of deepid, tight or a"):
        get_scheme("wide")
    with pytest.raises(InputError, match="cannot be read"):
        get_scheme(str(tmp_path / "none.toml"))


def test_box_corners_are_where_the_patches_are_sampled() -> None:
    # A ramp in x: the patch's first and last columns tell the box's edges.
    image = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    points = face_points(120, 110, 40, 0.0)
    scheme = get_scheme("tight")
    patches = extract_patches(image, points, scheme)
    for box, corners in enumerate(box_corners(points, scheme)):
        column = (corners[1, 0] - corners[0, 0]) / 256
        patch = patches[2 * box].astype(float)
        assert abs(patch[128, 0] - (corners[0, 0] + column / 2)) <= 1.5
        assert abs(patch[128, -1] - (corners[1, 0] - column / 2)) <= 1.5


def test_drawings(own: Path) -> None:
    image, points = smooth_image(1, 200, 220), face_points(110, 80, 60, 0.1)
    scheme = get_scheme(str(own))
    drawn = draw_scheme(image, points, scheme)
    assert max(drawn.shape) == 900
    # The frames at scale 1 have their colours, all between them is the gray photograph.
    corners = box_corners(points, scheme)[1::2]
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    margin = 0.04 * (high - low).max()
    zoom = 900 / ((high - low).max() + 2 * margin)
    for frame in corners:
        x, y = np.round((frame[0] - low + margin) * zoom).astype(int)
        assert np.ptp(drawn[y, x].astype(int)) > 40
    x, y = np.round((points[4] - low + margin) * zoom).astype(int)
    assert (drawn[y, x] == 255).all()
    x, y = np.round((points[:2].mean(axis=0) - low + margin) * zoom).astype(int)
    assert np.ptp(drawn[y, x]) == 0
    assert abs(int(drawn[y, x, 0]) - int(image[74 + 6, 110])) <= 6
    sheet = draw_patches(extract_patches(image, points, scheme), scheme)
    assert sheet.shape == (26 + 2 * 114, 170 + 4 * 114, 3)
    both = draw_preview(image, points, scheme)
    np.testing.assert_array_equal(both[: drawn.shape[0], : drawn.shape[1]], drawn)
    np.testing.assert_array_equal(both[: sheet.shape[0], -sheet.shape[1] :], sheet)


@pytest.mark.parametrize("iod", [3, 40, 500, 30_000])
def test_drawings_of_any_face_are_of_one_size(iod: float) -> None:
    # Shrunk or enlarged, the landmarks are where they are in the photograph.
    image = np.full((700, 900), 90, np.uint8)
    image[300, 440:460] = 200
    points = face_points(450, 300, iod, 0)
    drawn = draw_scheme(image, points, get_scheme("tight"))
    assert max(drawn.shape) == 900
    if iod == 40:
        rows = np.flatnonzero((drawn[:, drawn.shape[1] // 2] > 120).all(axis=1))
        corners = box_corners(points, get_scheme("tight"))[1::3]
        low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        margin = 0.04 * (high - low).max()
        zoom = 900 / ((high - low).max() + 2 * margin)
        # In the middle between the eyes, the bright line is where they are.
        assert any(abs(rows - (300 - low[1] + margin) * zoom) < 2)


def test_a_face_far_outside_is_drawn_small() -> None:
    far = face_points(90_000, 0, 500, 0)
    drawn = draw_scheme(smooth_image(1, 50, 50), far, get_scheme("deepid"))
    assert max(drawn.shape) == 900


def test_a_digest_is_of_the_table_alone(own: Path, tmp_path: Path) -> None:
    scheme = get_scheme(str(own))
    moved = tmp_path / "moved.toml"
    moved.write_text("# a comment\n" + OWN_SCHEME)
    assert get_scheme(str(moved)).digest == scheme.digest
    for old, new in (("2.5", "2.6"), ("tip", "top"), ("[0.5, 1.0]", "[1.0]"), ("= 1.0", "= 1.1")):
        moved.write_text(OWN_SCHEME.replace(old, new))
        assert get_scheme(str(moved)).digest != scheme.digest
    assert len({s.digest for s in SCHEMES.values()}) == len(SCHEMES)


def test_a_run_keeps_its_scheme(own: Path, tmp_path: Path) -> None:
    def wanted(scheme: Path) -> Settings:
        options = build_parser().parse_args(
            ["evaluate", "--out=run", "--k=8", f"--scheme={scheme}"]
        )
        return make_settings(options)

    run = tmp_path / "run.json"
    agree(run, wanted(own))
    own.rename(tmp_path / "moved.toml")
    assert agree(run, wanted(tmp_path / "moved.toml")).scheme == str(tmp_path / "moved.toml")
    own.write_text(OWN_SCHEME.replace("2.5", "2.6"))
    with pytest.raises(InputError, match=r"another configuration \(scheme_digest: "):
        agree(run, wanted(own))
    with pytest.raises(InputError, match=r"mine.toml: 5 patches .* choose 1 or 8"):
        make_settings(build_parser().parse_args(["evaluate", "--out=run", f"--scheme={own}"]))


def test_features_of_an_edited_scheme_are_made_again(own: Path, tmp_path: Path) -> None:
    class Net:
        """Counts its calls; fc7 is the mean of each patch."""

        def __init__(self) -> None:
            self.blobs = {
                "data": SimpleNamespace(data=np.zeros((2, 3, 8, 8), np.float32)),
                "fc7": SimpleNamespace(data=np.zeros((2, 1), np.float32)),
            }
            self.calls = 0

        def forward(self, end: str) -> None:
            self.calls += 1
            self.blobs["fc7"].data = self.blobs["data"].data.mean(axis=(1, 2, 3))[:, None]

    net = Net()
    faces = some_faces(2)

    def features() -> np.ndarray:
        transform = Transform(np.zeros((3, 256, 256), np.float32), 8, 1.0)
        chosen = PatchSet(get_scheme(own), (0, 2))
        return extract_features(
            FeatureExtractor(net, transform), faces, embedded_root(), tmp_path / "f.npy", chosen
        )

    first = np.array(features())
    features()
    assert net.calls == 2
    own.write_text(OWN_SCHEME.replace("[0, 0.4]", "[1.5, 0.4]"))
    second = features()
    assert net.calls == 4
    assert not np.array_equal(first, second)

    # A first or another run that is stopped before its first checkpoint leaves no whole features.
    def stop(end: str) -> None:
        raise KeyboardInterrupt

    own.write_text(OWN_SCHEME)
    net.forward = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        features()
    with pytest.raises(InputError, match="holds 0 of 2 faces"):
        load_features(tmp_path / "f.npy", faces)
