"""Patch schemes: the built-in ones, and a user's own in TOML."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from i2cnn.patches.extract import extract_patches
from i2cnn.patches.schemes import DEEPID, FACE, SCHEMES, PatchSet, Scheme, get_scheme
from i2cnn.util.errors import InputError
from i2cnn.util.landmarks import POINT_NAMES
from tests.helpers import twin
from tests.helpers.faces import face_points
from tests.helpers.pictures import smooth_image
from tests.helpers.schemes import OWN_SCHEME

BUILT_IN = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
#: Of the digests that runs, databases and recognisers of earlier versions hold.
STORED = {"deepid": "163ec58efa8876a1", "tight": "26bfe5df4a2d6647"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a user's own scheme."""
    path = tmp_path / "mine.toml"
    path.write_text(OWN_SCHEME)
    return path


@pytest.fixture
def own(path: Path) -> Scheme:
    return get_scheme(path)


@BUILT_IN
def test_built_in_schemes_have_60_patches(scheme: Scheme) -> None:
    assert len(scheme) == 60
    assert len(set(scheme.names)) == 60


@BUILT_IN
def test_built_in_schemes_have_five_global_and_five_local_regions(scheme: Scheme) -> None:
    assert [r.anchor for r in scheme.regions] == [FACE] * 5 + [0, 1, 2, 3, 4]


def test_patch_names_follow_the_index_formula() -> None:
    region, scale, mirrored = 5, 2, 1
    index = (region * 3 + scale) * 2 + mirrored
    assert DEEPID.names[index] == "left_eye_1.25_mirrored"


@BUILT_IN
def test_one_patch_is_the_first_region_at_scale_1(scheme: Scheme) -> None:
    assert scheme.select(1) == (2,)


@BUILT_IN
def test_five_patches_are_the_landmarks_at_scale_1(scheme: Scheme) -> None:
    assert [scheme.names[p] for p in scheme.select(5)] == [f"{n}_1" for n in POINT_NAMES]


@BUILT_IN
def test_sixty_patches_are_all(scheme: Scheme) -> None:
    assert scheme.select(60) == tuple(range(60))


def test_another_number_of_patches_is_refused() -> None:
    with pytest.raises(InputError, match="7 patches per face are not defined; choose 1, 5 or 60"):
        DEEPID.select(7)


def test_what_is_derived_from_a_scheme_is_made_once() -> None:
    assert DEEPID.names is DEEPID.names
    assert DEEPID.boxes is DEEPID.boxes


def test_a_scheme_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        DEEPID.boxes[0] = 0
    with pytest.raises(FrozenInstanceError):
        DEEPID.mouth = 2  # type: ignore[misc]


def test_an_own_scheme_has_its_files_regions_and_scales(own: Scheme) -> None:
    assert own.names[:4] == ("whole_0.5", "whole_0.5_mirrored", "whole_1", "whole_1_mirrored")
    assert own.select(1) == (2,)


def test_an_own_schemes_name_finds_it_again(own: Scheme) -> None:
    assert get_scheme(own.name) == own


def test_patches_of_an_own_scheme_are_those_of_the_twin(own: Scheme) -> None:
    image, points = smooth_image(1, 120, 110), face_points(50, 40, 40, 0.1)
    ours = extract_patches(image, points, own, size=32)
    assert ours.shape == (8, 32, 32)
    assert np.abs(ours - twin.extract(image, points, own, 32)).max() <= 1


def test_an_own_scheme_without_five_local_regions_has_no_five_patches(own: Scheme) -> None:
    with pytest.raises(InputError, match="choose 1 or 8"):
        own.select(5)


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
        ('"tip"', "3", "region 2: name must be a text"),
        ('"tip"', f"'{'ü' * 51}'", "region 2: name is longer than 100 bytes"),
        ("[1, 1]", "[1, -1]", "region 2: size: -1 is out of range"),
        ("[1, 1]", "[1]", "region 2: size must be two numbers"),
        ("[[region]]", "[[region", "not TOML"),
        ("mouth = 1.0", f"mouth = {'[' * 10**5}", "not TOML"),
        ("mouth = 1.0", f"mouth = {'9' * 10**4}", "not TOML"),
        ("mouth = 1.0", f"mouth = {'9' * 4000}", "out of range"),
    ],
)
def test_faults_in_a_scheme_are_named(path: Path, old: str, new: str, message: str) -> None:
    path.write_text(OWN_SCHEME.replace(old, new))
    with pytest.raises(InputError, match=r"mine\.toml.*") as caught:
        get_scheme(path)
    assert message in str(caught.value)


def test_a_scheme_of_too_many_boxes_is_refused(path: Path) -> None:
    scales = ", ".join(f"{1 + n / 1000}" for n in range(501))
    path.write_text(OWN_SCHEME.replace("[0.5, 1.0]", f"[{scales}]"))
    with pytest.raises(InputError, match=r"mine\.toml: more than 1000 boxes"):
        get_scheme(path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="choose one of deepid, tight or a"):
        get_scheme("wide")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        get_scheme(tmp_path / "none.toml")


def test_a_digest_does_not_depend_on_the_files_name_or_comments(
    own: Scheme, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.toml"
    moved.write_text("# a comment\n" + OWN_SCHEME)
    assert get_scheme(moved).digest == own.digest


@pytest.mark.parametrize(
    ("old", "new"), [("2.5", "2.6"), ("tip", "top"), ("[0.5, 1.0]", "[1.0]"), ("= 1.0", "= 1.1")]
)
def test_a_digest_depends_on_all_of_the_table(
    own: Scheme, old: str, new: str, tmp_path: Path
) -> None:
    edited = tmp_path / "edited.toml"
    edited.write_text(OWN_SCHEME.replace(old, new))
    assert get_scheme(edited).digest != own.digest


def test_built_in_schemes_have_different_digests() -> None:
    assert len({s.digest for s in SCHEMES.values()}) == len(SCHEMES)


def test_digests_of_built_in_schemes_stay() -> None:
    assert {name: scheme.digest[:16] for name, scheme in SCHEMES.items()} == STORED


def test_a_patch_set_names_its_patches(own: Scheme) -> None:
    assert PatchSet(own, (3, 0)).names == ("whole_1_mirrored", "whole_0.5")


def test_a_patch_set_of_a_scheme_has_all_its_patches(own: Scheme) -> None:
    assert PatchSet.of(own).patches == tuple(range(8))


def test_a_patch_set_of_k_patches_has_those_selected() -> None:
    assert PatchSet.of(DEEPID, 5).patches == DEEPID.select(5)


@pytest.mark.parametrize("patch", [-1, 8])
def test_a_patch_set_outside_its_scheme_is_refused(patch: int, own: Scheme) -> None:
    with pytest.raises(InputError, match=rf"mine\.toml: patch {patch} is outside 0 to 7"):
        PatchSet(own, (0, patch))
