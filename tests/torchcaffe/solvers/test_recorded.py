"""Recorded passes, with a recorder for the CPU in place of CUDA graphs (see ../test_gpu.py)."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.layers.data import Data
from i2cnn.torchcaffe.solvers.recorded import WARM_UP, TrainingPass
from i2cnn.util.errors import InputError


class CpuGraph:
    """Repeats a pass into the tensors that its recording left, as a graph does."""

    def __init__(self, solver: caffe.SGDSolver) -> None:
        self.net = solver.net._core
        self.recorded = self.replayed = 0
        for node in self.net.nodes:
            if isinstance(node.layer, Data):
                node.layer.feed.fixed = True
        solver._core._pass = self.training_pass = TrainingPass(self.net, self.record)

    def tensors(self) -> list[torch.Tensor]:
        tops = [top.tensor for node in self.net.nodes for top in node.tops]
        grads = [entry.blob.grad for entry in self.net.learnable]
        return [*tops, *grads, self.training_pass._loss]

    def record(self, work: Callable[[], None], generators: object) -> Callable[[], None]:
        self.recorded += 1
        work()
        places = self.tensors()

        def replay() -> None:
            self.replayed += 1
            work()
            for place, tensor in zip(places, self.tensors(), strict=True):
                place.copy_(tensor)
            self.training_pass._loss = places[-1]

        return replay


def steps(solver: caffe.SGDSolver, number: int) -> list[float]:
    losses = []
    for _ in range(number):
        solver.step(1)
        losses.append(solver._core.smoothed_loss)
    return losses


def test_the_first_passes_are_plain_and_all_others_replayed(golden: Path) -> None:
    plain = caffe.get_solver("solver_sgd.prototxt")
    solver = caffe.get_solver("solver_sgd.prototxt")
    graph = CpuGraph(solver)
    # Recording does the pass once here, which a GPU would not: its data layer is ready by then.
    assert steps(solver, 12) == pytest.approx(steps(plain, 12), rel=1e-6)
    assert (graph.recorded, graph.replayed) == (1, 12 - WARM_UP)
    for name, blobs in plain.net.params.items():
        for ours, theirs in zip(solver.net.params[name], blobs, strict=True):
            np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-6, atol=1e-9)


def test_what_a_user_writes_into_a_weight_reaches_the_recorded_pass(golden: Path) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    graph = CpuGraph(solver)
    steps(solver, 6)
    blob = solver.net._core.learnable[0].blob
    place = blob.tensor
    blob.tensor = torch.zeros_like(place)
    before = graph.replayed
    solver._core._pass.run()
    assert graph.replayed == before + 1
    assert blob.tensor.data_ptr() == place.data_ptr()
    assert not place.any()


def test_a_watched_net_runs_plainly(golden: Path) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    graph = CpuGraph(solver)
    steps(solver, 5)
    seen: list[int] = []
    solver.net._core.callbacks["after_forward"].append(seen.append)
    before = graph.replayed
    steps(solver, 2)
    assert graph.replayed == before
    assert len(seen) == 2 * len(solver.net._core.nodes)


def test_a_label_outside_the_classes_names_its_record(golden: Path) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    CpuGraph(solver)
    steps(solver, 5)
    data = solver.net._core.nodes[0].layer
    prepare = data.prepare

    def spoil() -> None:
        prepare()
        data.host_labels = data.host_labels.copy()
        data.host_labels[2] = 99

    data.prepare = spoil
    with pytest.raises(InputError, match=r"label 99 is outside .* \(record .* of "):
        solver.step(1)


@pytest.mark.parametrize(
    ("layer", "recordable"),
    [
        ('type: "Accuracy" bottom: "fc2" bottom: "label" top: "score"', False),
        ('type: "SoftmaxWithLoss" bottom: "fc2" bottom: "label" top: "more"', True),
        (
            'type: "SoftmaxWithLoss" bottom: "fc2" bottom: "label" top: "more" '
            "loss_param { ignore_label: 1 }",
            False,
        ),
        ('type: "ArgMax" bottom: "fc2" top: "best"', False),
        (
            'type: "BatchNorm" bottom: "fc2" top: "norm" '
            "batch_norm_param { use_global_stats: true }",
            True,
        ),
    ],
)
def test_what_needs_numbers_from_the_device_is_not_recorded(
    layer: str, recordable: bool, golden: Path
) -> None:
    text = Path("tiny_train_val.prototxt").read_text()
    Path("tiny_train_val.prototxt").write_text(text + f'layer {{ name: "extra" {layer} }}')
    net = caffe.get_solver("solver_sgd.prototxt").net._core
    assert TrainingPass(net).recordable == recordable


def test_a_device_that_refuses_to_record_trains_on(
    golden: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(work: Callable[[], None], generators: object) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing")

    plain = caffe.get_solver("solver_sgd.prototxt")
    solver = caffe.get_solver("solver_sgd.prototxt")
    solver._core._pass = TrainingPass(solver.net._core, refuse)
    assert steps(solver, 8) == pytest.approx(steps(plain, 8), rel=1e-6)
    assert "not recorded as a CUDA graph: operation not permitted" in capfd.readouterr().err


INPUTS = """
layer { name: "in" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 6 dim: 4 } shape { dim: 6 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""


def test_what_a_user_feeds_reaches_the_recorded_pass_and_is_checked(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(INPUTS)
    file = tmp_path / "solver.prototxt"
    file.write_text(f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    rng = np.random.RandomState(1)
    images = rng.randn(12, 6, 4).astype(np.float32)
    found = []
    for recorded in (True, False):
        caffe.set_random_seed(1)
        solver = caffe.get_solver(str(file))
        graph = CpuGraph(solver) if recorded else None
        core = solver.net._core
        losses = []
        for image in images:
            core.blobs["x"].tensor = torch.from_numpy(image.copy())
            solver.step(1)
            losses.append(solver._core.smoothed_loss)
        found.append(losses)
        if graph is not None:
            assert (graph.recorded, graph.replayed) == (1, len(images) - WARM_UP)
            core.blobs["label"].tensor = torch.full((6,), 3.0)
            with pytest.raises(InputError, match=r"label 3 is outside \[0, 3\)"):
                solver.step(1)
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_only_the_latest_recording_is_kept(tmp_path: Path) -> None:
    """Batches of many sizes must not fill a GPU's memory with a graph for each."""
    (tmp_path / "net.prototxt").write_text(INPUTS)
    file = tmp_path / "solver.prototxt"
    file.write_text(f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    solver = caffe.get_solver(str(file))
    graph = CpuGraph(solver)
    kept: weakref.WeakSet[Callable[[], None]] = weakref.WeakSet()

    def record(work: Callable[[], None], generators: object) -> Callable[[], None]:
        kept.add(replay := graph.record(work, generators))
        return replay

    graph.training_pass._recorder = record
    steps(solver, WARM_UP)
    for size in (2, 3, 4):
        solver.net.blobs["x"].reshape(size, 4)
        solver.net.blobs["label"].reshape(size)
        solver.step(2)
        assert len(kept) == 1
    assert (graph.recorded, graph.replayed) == (3, 6)
