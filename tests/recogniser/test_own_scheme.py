"""A recogniser carries a patch scheme that came from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.datasets import embedded_root
from i2cnn.evaluation.inputs import Inputs, read_inputs
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.patches.schemes import FACE, get_scheme
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import read_image
from i2cnn.util.landmarks import POINT_NAMES


@pytest.fixture
def deepid_in_a_file(tmp_path: Path) -> Path:
    """deepid's table as a file of one's own, which must give deepid's answers."""
    scheme = get_scheme("deepid")
    table = [f"mouth = {scheme.mouth}", f"scales = {list(scheme.scales)}"]
    for r in scheme.regions:
        anchor = "face" if r.anchor == FACE else POINT_NAMES[r.anchor]
        table += ["[[region]]", f"name = '{r.name}'", f"anchor = '{anchor}'"]
        table += [f"centre = [{r.x}, {r.y}]", f"size = [{r.width}, {r.height}]"]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(table))
    return path


def with_scheme(inputs: Inputs, path: Path) -> Inputs:
    """The inputs of a run that had a scheme of one's own."""
    digest = get_scheme(path).digest
    settings = replace(inputs.settings, scheme=str(path), scheme_digest=digest)
    return replace(inputs, settings=settings)


def test_a_scheme_goes_along_with_a_recogniser_that_moves(
    run: Path, tmp_path: Path, deepid_in_a_file: Path
) -> None:
    mine = with_scheme(read_inputs(run), deepid_in_a_file)
    NetworkJob(1, 5, 0).save_recogniser(tmp_path / "first", run, mine)
    (tmp_path / "first").rename(tmp_path / "moved")
    deepid_in_a_file.unlink()
    image = read_image(next(embedded_root().glob("*.png")))
    (own,) = Recogniser(tmp_path / "moved", device="cpu").predict(image)
    (theirs,) = Recogniser(run / "recogniser", device="cpu").predict(image)
    assert own.patches == theirs.patches
