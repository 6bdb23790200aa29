"""The command that continues a run is accepted for that run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.cli import demo
from i2cnn.cli.evaluate import make_settings
from i2cnn.cli.parser import build_parser
from i2cnn.evaluation.command import command_of
from i2cnn.evaluation.run import jobs_of
from i2cnn.evaluation.settings import Settings, merge, write_settings

COMMANDS = [
    "--out=r",
    "--out=r --profile=quick --k=1,5 --rivals=none --seeds=3",
    "--out=r --profile=better --schedule=0.1 --encoding=jpeg",
    "--out=r --k=none --rivals=lbp,gabor",
    "--out=r --max-iter=7 --patience=0 --batch-size=9 --folds=5",
    "--out=r --reference=person --reference-pictures=1,2 --reference-classes=3",
    "--out=r 'a b' --dataset=jaffe --points=detected --task=six",
    "--out=r some/photos --dataset=folder --fuse=hog --train-also=synthetic",
    "--out=r some/photos --dataset=folder --train-also='other photos'",
    "--out=r --scheme=tight --reference=neutral --task=six",
]


def settings_of(command: str) -> tuple[Settings, Path]:
    """Settings and run directory of a command."""
    program, *words = shlex.split(command)
    assert program == "i2cnn"
    options = build_parser().parse_args(words)
    assert options.only_folds is None
    return make_settings(options), options.out


@pytest.mark.parametrize("line", COMMANDS)
def test_it_asks_for_what_the_run_was_begun_with(line: str) -> None:
    settings, _ = settings_of(f"i2cnn evaluate {line}")
    assert settings_of(command_of(settings, Path("a run"))) == (settings, Path("a run"))


def test_it_continues_the_demo(tmp_path: Path) -> None:
    write_settings(tmp_path / "run.json", demo._SETTINGS)
    command = command_of(demo._SETTINGS, tmp_path)
    assert command.startswith(f"i2cnn evaluate --profile {demo._SETTINGS.profile} ")
    settings, run = settings_of(command)
    assert merge(run / "run.json", settings) == demo._SETTINGS
    assert jobs_of(settings) == jobs_of(demo._SETTINGS)


def test_in_public_it_has_nobodys_folders() -> None:
    settings = settings_of("i2cnn evaluate --out=r x --dataset=jaffe --train-also=z")[0]
    settings = replace(settings, scheme="/home/me/mine.toml")
    command = command_of(settings, Path("/home/me/runs/r"), public=True)
    assert command.startswith("i2cnn evaluate PATH --dataset jaffe --train-also PATH --scheme mine")
    assert command.endswith("--out r")


def test_a_published_run_has_no_folder() -> None:
    settings = settings_of("i2cnn evaluate --out=r x --dataset=jaffe")[0].public()
    assert command_of(settings, Path("r")) == "i2cnn evaluate PATH --dataset jaffe --out r"


@pytest.mark.parametrize("others", ["synthetic", "./synthetic", "photos", "jaffe"])
def test_a_published_run_keeps_its_digest(others: str) -> None:
    settings = settings_of(f"i2cnn evaluate --out=r x --dataset=jaffe --train-also={others}")[0]
    public = settings.public()
    assert public.digest == settings.digest
    assert public.public() == public
    assert "/" not in str(public.train_also).rstrip("/")
