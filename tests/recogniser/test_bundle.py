"""What reading a recogniser's folder needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.network.profiles import fill_deploy
from i2cnn.network.training_folder import DEPLOY_FILE, NET_FILE
from i2cnn.network.transform import Transform
from i2cnn.patches.schemes import DEEPID, PatchSet
from i2cnn.recogniser.describe_fc7 import make_describer
from i2cnn.recogniser.features import TRANSFORM_FILE
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import read_net, write_prototxt
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.util.errors import InputError
from tests.helpers.programs import run as run_program
from tests.helpers.small_runs import JOB


def test_reading_needs_neither_evaluations_nor_scikit_learn() -> None:
    loaded = run_program("modules_of", "i2cnn.recogniser.recogniser").split()
    assert "i2cnn.recogniser.bundle" in loaded
    assert not {"scipy", "sklearn", "torch", "i2cnn.evaluation"} & set(loaded)


def test_its_engine_needs_pytorch_alone() -> None:
    loaded = run_program("modules_of", "i2cnn.torchcaffe.pycaffe").split()
    assert "torch" in loaded
    assert not {"scipy", "skimage", "sklearn"} & set(loaded)


def test_a_recogniser_has_the_transform_of_its_training(run: Path) -> None:
    stored = Transform.load(run / "recogniser" / TRANSFORM_FILE)
    trained = Transform.from_training_folder(run / JOB)
    assert (stored.crop, stored.scale) == (trained.crop, trained.scale)
    np.testing.assert_array_equal(stored.mean, trained.mean)


def test_a_recognisers_net_draws_no_weights_that_its_file_has(run: Path) -> None:
    texts = [(run / folder / DEPLOY_FILE).read_text() for folder in (JOB, "recogniser")]
    assert ["filler" in text for text in texts] == [True, False]
    nets = [read_net(run / folder / DEPLOY_FILE) for folder in (JOB, "recogniser")]
    assert [x.name for x in nets[0].layer] == [x.name for x in nets[1].layer]


def test_a_run_in_place_of_its_recogniser_is_told(run: Path) -> None:
    with pytest.raises(InputError, match=f"{run}: is a run; give its recogniser, {run}/recogniser"):
        Recogniser(run)


def folder_of(folder: Path, deploy: NetParameter) -> Path:
    """A recogniser's network, untrained."""
    write_prototxt(folder / DEPLOY_FILE, deploy)
    caffe.Net(str(folder / DEPLOY_FILE), caffe.TEST).save(str(folder / NET_FILE))
    Transform(np.zeros((3, 64, 64), np.float32), 56, 0.015625).save(folder / TRANSFORM_FILE)
    return folder


def test_the_classes_of_a_net_that_names_its_features_are_those_of_its_softmax(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, fill_deploy("better", classes=5))
    describer = make_describer(folder, PatchSet(DEEPID, (0,)), "torch", "cpu")
    assert (describer.classes, describer.dim) == (5, 64 * 7 * 7)


def test_a_net_without_features_is_refused(tmp_path: Path) -> None:
    deploy = fill_deploy("better", classes=5)
    del deploy.layer[next(i for i, x in enumerate(deploy.layer) if x.name == "svm_features") :]
    describer = make_describer(folder_of(tmp_path, deploy), PatchSet(DEEPID, (0,)), "torch", "cpu")
    with pytest.raises(InputError, match="no blob svm_features or fc7"):
        _ = describer.dim
