"""The prototxt files: their facts, their filling, and a forward pass beside OpenCV's importer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.network import PROFILES
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.profiles import (
    JITTER,
    Schedule,
    TrainingSetup,
    ValidationPass,
    fill_deploy,
    fill_solver,
    fill_train_val,
    template_dir,
    template_schedule,
    write_training_files,
)
from i2cnn.network.transform import Transform
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import read_net, read_solver, write_prototxt
from i2cnn.util.errors import InputError


def test_the_paper_solver() -> None:
    solver = read_solver(template_dir("paper") / "solver.prototxt")
    assert solver.base_lr == pytest.approx(0.01)
    assert (solver.lr_policy, solver.stepsize) == ("step", 50_000)
    assert solver.gamma == pytest.approx(0.1)
    assert solver.weight_decay == pytest.approx(5e-4)
    assert solver.momentum == pytest.approx(0.9)


def test_the_paper_network_is_alexnet(tmp_path: Path) -> None:
    write_prototxt(tmp_path / "deploy.prototxt", fill_deploy("paper", classes=6))
    net = caffe.Net(str(tmp_path / "deploy.prototxt"), caffe.TEST)
    shapes = {name: blobs[0].shape for name, blobs in net.params.items()}
    assert shapes == {
        "conv1": (96, 3, 11, 11),
        "conv2": (256, 48, 5, 5),
        "conv3": (384, 256, 3, 3),
        "conv4": (384, 192, 3, 3),
        "conv5": (256, 192, 3, 3),
        "fc6": (4096, 9216),
        "fc7": (4096, 4096),
        "fc8": (6, 4096),
    }
    assert net.blobs["fc7"].shape == (60, 4096)
    stds = {"conv1": 0.01, "fc6": 0.005, "fc8": 0.01}
    for name, std in stds.items():
        assert net.params[name][0].data.std() == pytest.approx(std, rel=0.05)
    biases = {name: float(blobs[1].data[0]) for name, blobs in net.params.items()}
    assert biases == pytest.approx(
        {"conv1": 0, "conv2": 0.1, "conv3": 0, "conv4": 0.1, "conv5": 0.1, "fc6": 0.1}
        | {"fc7": 0.1, "fc8": 0}
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_train_and_deploy_agree(profile: str) -> None:
    """The layers between data and scores are the same in both files, but for named features."""

    def body(net) -> list[bytes]:
        ends = ("Data", "Input", "Softmax", "Accuracy", "SoftmaxWithLoss")
        kept = [x for x in net.layer if x.type not in ends and x.name != "svm_features"]
        return [x.SerializeToString() for x in kept]

    train_val = read_net(template_dir(profile) / "train_val.prototxt")
    deploy = read_net(template_dir(profile) / "deploy.prototxt")
    assert body(train_val) == body(deploy)


@pytest.mark.parametrize("profile", PROFILES)
def test_forward_equals_opencv(profile: str, tmp_path: Path) -> None:
    net_file, weights = str(tmp_path / "deploy.prototxt"), str(tmp_path / "net.caffemodel")
    write_prototxt(net_file, fill_deploy(profile, classes=7))
    caffe.set_random_seed(5)
    net = caffe.Net(net_file, caffe.TEST)
    for blobs in net.params.values():  # larger weights than the fillers', so that numbers matter
        blobs[0].data[...] *= 2
    for name in (name for name in net.params if name.endswith("_bn")):
        for blob, statistic in zip(net.params[name], (0.1, 9.0, 1.0), strict=True):
            blob.data[...] = statistic
    net.save(weights)
    shape = net.blobs["data"].data.shape
    x = np.random.RandomState(0).randn(2, *shape[1:]).astype(np.float32)
    net.blobs["data"].reshape(*x.shape)
    net.blobs["data"].data[...] = x
    assert next(iter(net.forward())) == net.outputs[0] == "prob"
    theirs = cv2.dnn.readNetFromCaffe(net_file, weights)
    theirs.setInput(x)
    compared = [("fc7", "drop7"), ("prob", "prob")]
    if "svm_features" in net.blobs:
        compared.append(("svm_features", "svm_features"))
    for ours, layer in compared:
        expected = theirs.forward(layer)
        found = net.blobs[ours].data
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=2e-5)


@pytest.mark.parametrize(
    ("profile", "blob", "channels"), [("quick", "pool2", 32), ("better", "res3", 64)]
)
def test_the_features_are_the_last_convolution_normalised_at_each_place(
    profile: str, blob: str, channels: int, tmp_path: Path
) -> None:
    write_prototxt(tmp_path / "deploy.prototxt", fill_deploy(profile, classes=7))
    net = caffe.Net(str(tmp_path / "deploy.prototxt"), caffe.TEST)
    net.blobs["data"].data[...] = np.random.RandomState(0).randn(*net.blobs["data"].shape)
    transform = Transform(np.zeros((3, 64, 64), np.float32), 56, 0.015625)
    found = FeatureExtractor(net, transform).forward(net.blobs["data"].data.copy())
    last = net.blobs[blob].data
    expected = last / np.sqrt(1 + np.mean(last.astype(np.float64) ** 2, axis=1, keepdims=True))
    np.testing.assert_allclose(found, expected.reshape(60, channels * 7 * 7), rtol=1e-4)


SHORT = Schedule(max_iter=1000, validate_every=100, patience=0, batch_size=8)


def test_filling_the_net() -> None:
    setup = TrainingSetup("paper", 6, SHORT, databases=("a", "b"), mean_file="m")
    train, test = fill_train_val(setup, 30).layer[:2]
    assert (train.data_param.source, train.data_param.batch_size) == ("a", 8)
    assert (test.data_param.source, test.data_param.batch_size) == ("b", 30)
    assert train.transform_param.mean_file == test.transform_param.mean_file == "m"


def test_a_shorter_schedule_keeps_the_papers_steps(tmp_path: Path) -> None:
    setup = TrainingSetup("paper", 6, SHORT, seed=9)
    write_training_files(tmp_path, setup, ValidationPass(4, 3))
    solver = read_solver(tmp_path / "solver.prototxt")
    assert (solver.max_iter, solver.stepsize, solver.random_seed) == (1000, 50_000, 9)
    assert list(solver.test_iter) == [3]


@pytest.mark.parametrize(
    ("profile", "schedule"),
    [
        ("paper", Schedule(200_000, 1000, 50_000, 256)),
        ("quick", Schedule(600, 100, 0, 128)),
        ("better", Schedule(1500, 100, 0, 256)),
    ],
)
def test_the_schedules(profile: str, schedule: Schedule) -> None:
    assert template_schedule(profile) == schedule


@pytest.mark.parametrize("profile", ["quick", "better"])
def test_a_poly_schedule_keeps_its_shape(profile: str, tmp_path: Path) -> None:
    write_training_files(tmp_path, TrainingSetup(profile, 7, SHORT), ValidationPass(4, 3))
    solver = read_solver(tmp_path / "solver.prototxt")
    # The rate falls to 0 at max_iter, whichever it is.
    assert (solver.lr_policy, solver.power, solver.max_iter) == ("poly", 1, 1000)
    assert not solver.HasField("stepsize")


@pytest.mark.parametrize("profile", ["quick", "better"])
def test_batch_normalisation_follows_the_phase(profile: str) -> None:
    net = read_net(template_dir(profile) / "train_val.prototxt")
    normalised = [layer for layer in net.layer if layer.type == "BatchNorm"]
    assert normalised
    # The batch's statistics in phase TRAIN, the stored ones in phase TEST.
    assert not any(layer.batch_norm_param.HasField("use_global_stats") for layer in normalised)


def test_only_the_better_profile_jitters() -> None:
    assert {profile: JITTER.get(profile, 0) for profile in PROFILES} == {
        "paper": 0,
        "quick": 0,
        "better": 4,
    }


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="choose one of paper, quick, better"):
        template_dir("fast")


@pytest.mark.parametrize("name", ["max_iter", "validate_every", "batch_size"])
@pytest.mark.parametrize(
    ("number", "limit"), [(0, "at least 1"), (2**31 - 1, "at most 2147483646")]
)
def test_a_schedule_that_caffe_cannot_have_is_refused(name: str, number: int, limit: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be {limit}, not {number}"):
        replace(SHORT, **{name: number})


def test_the_longest_schedule_can_be_written() -> None:
    longest = TrainingSetup("quick", 7, replace(SHORT, max_iter=2**31 - 2))
    assert fill_solver(longest, 1).test_interval == 2**31 - 1


@pytest.mark.parametrize(
    ("records", "batch", "batches"), [(60, 60, 1), (420, 84, 5), (101, 1, 101)]
)
def test_a_validation_covers_the_database_once(records: int, batch: int, batches: int) -> None:
    assert ValidationPass.covering(records) == ValidationPass(batch, batches)


@pytest.mark.parametrize("encoded", [True, False])
def test_force_color_is_for_encoded_databases(encoded: bool) -> None:
    net = fill_train_val(TrainingSetup("quick", 7, SHORT), 8, encoded=encoded)
    assert [layer.transform_param.force_color for layer in net.layer[:2]] == [encoded] * 2
