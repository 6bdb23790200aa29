"""`i2cnn evaluate --scheme FILE`: a run keeps the scheme that it began with."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.cli.evaluate import make_settings
from i2cnn.cli.main import build_parser
from i2cnn.evaluation.settings import Settings, agree
from i2cnn.util.errors import InputError
from tests.helpers.schemes import OWN_SCHEME


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(OWN_SCHEME)
    return path


def settings_with(scheme: Path, *options: str) -> Settings:
    words = ["evaluate", "--out=run", f"--scheme={scheme}", *options]
    return make_settings(build_parser().parse_args(words))


def test_a_schemes_file_may_move(own: Path, tmp_path: Path) -> None:
    agree(tmp_path / "run.json", settings_with(own, "--k=8"))
    moved = own.rename(tmp_path / "moved.toml")
    assert agree(tmp_path / "run.json", settings_with(moved, "--k=8")).scheme == str(moved)


def test_an_edited_scheme_is_another_configuration(own: Path, tmp_path: Path) -> None:
    agree(tmp_path / "run.json", settings_with(own, "--k=8"))
    own.write_text(OWN_SCHEME.replace("2.5", "2.6"))
    with pytest.raises(InputError, match=r"another configuration \(scheme_digest: "):
        agree(tmp_path / "run.json", settings_with(own, "--k=8"))


def test_a_number_of_patches_that_the_scheme_does_not_define_is_refused(own: Path) -> None:
    with pytest.raises(InputError, match=r"mine.toml: 5 patches .* choose 1 or 8"):
        settings_with(own, "--k=5")
