"""The golden layers and a golden run on a CUDA device.

Tolerances: layers 1e-4 of the largest value, ten times the CPU's, since cuDNN and cuBLAS choose
algorithms (Winograd, split sums) that round otherwise; losses of 20 iterations 1e-4, weights 1e-3.
They are set before they were seen on hardware, so a first run there may show that less would do.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from tests.helpers.dialects import OneLayer
from tests.helpers.golden import GOLDEN, arrays_of, assert_close
from tests.helpers.single_layers import CASES, check_case, check_python, golden_modules
from tests.torchcaffe.dialects.test_multibox import bottoms, layer
from tests.torchcaffe.dialects.test_rcnn import PSROI, ROI, ROIS, X
from tests.torchcaffe.dialects.test_ssd import predictions

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device"),
]
LAYERS = json.loads((GOLDEN / "layers" / "layers.json").read_text())
DATA = json.loads((GOLDEN / "data_layer.json").read_text())
DETECTION = {
    "Permute": ('type: "Permute" top: "y" permute_param { order: 0 order: 2 }', [X]),
    "Normalize": ('type: "Normalize" top: "y" norm_param { across_spatial: false }', [X]),
    "PriorBox": ('type: "PriorBox" top: "y" prior_box_param { min_size: 9 }', [X, X]),
    "DetectionOutput": (
        'type: "DetectionOutput" top: "y" detection_output_param { num_classes: 4 }',
        predictions(0),
    ),
    "MultiBoxLoss": (layer("code_type: CENTER_SIZE"), bottoms(3)),
    "ROIPooling": (ROI, [X, ROIS]),
    "PSROIPooling": (PSROI, [X, ROIS]),
    "SmoothL1Loss": ('type: "SmoothL1Loss" top: "y"', [X, X**2, X, X]),
}


BN = 'type: "BN" top: "y" bn_param'
FILLER = '{ type: "constant" value: 0.5 }'
OTHERS = {
    "Axpy": ('type: "Axpy" top: "y"', [X[:, :, 0, 0], X, X**2]),
    "BN of SegNet": (f"{BN} {{ scale_filler {FILLER} }}", [X]),
    "BN of PSPNet": (f"{BN} {{ slope_filler {FILLER} momentum: 0.5 }}", [X]),
    "ConvolutionDepthwise": (
        f'type: "ConvolutionDepthwise" top: "y" convolution_param {{ kernel_size: 2 '
        f"weight_filler {FILLER} }}",
        [X],
    ),
    "Interp": ('type: "Interp" top: "y" interp_param { height: 5 width: 9 }', [X]),
    "ReLU6": ('type: "ReLU6" top: "y"', [7 * X]),
    "ShuffleChannel": (
        'type: "ShuffleChannel" top: "y" shuffle_channel_param { group: 2 }',
        [X],
    ),
    "Upsample of SegNet": (
        'type: "Upsample" top: "y" upsample_param { upsample_h: 99 upsample_w: 99 }',
        [X, np.arange(X.size).reshape(X.shape) % 9801],
    ),
    "Upsample of YOLOv3": ('type: "Upsample" top: "y" upsample_param { scale: 3 }', [X]),
}
OF_FORKS = DETECTION | OTHERS


@pytest.fixture(autouse=True)
def gpu_mode(cpu_mode: None) -> None:
    caffe.set_mode_gpu()


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_golden_layers(name: str, tmp_path: Path) -> None:
    case = LAYERS[name]
    stored = arrays_of("layers/layers.npz", name)
    path = tmp_path / "net.prototxt"
    path.write_text(case["prototxt"])
    net = caffe.Net(str(path), phase=getattr(caffe, case["phase"]))
    assert net._core.context.device.type == "cuda"
    for key in (k for k in stored if k[0] == "x"):
        net.blobs[key].data[...] = stored[key]
    for i, blob in enumerate(net.params.get("op", [])):
        blob.data[...] = stored[f"p{i}"]
    net.forward()
    for i, top in enumerate(case["tops"]):
        assert_close(net.blobs[top].data, stored[f"y{i}"], 1e-4, floor=1e-3, what=f"y{i}")
    if "dy0" not in stored:
        return
    for i, top in enumerate(case["tops"]):
        net.blobs[top].diff[...] = stored[f"dy{i}"]
    net.clear_param_diffs()
    net.backward()
    for i in case["needs"]:
        assert_close(net.blobs[f"x{i}"].diff, stored[f"dx{i}"], 1e-4, floor=1e-3, what=f"dx{i}")
    for i, blob in enumerate(net.params.get("op", [])):
        assert_close(blob.diff, stored[f"dp{i}"], 1e-4, floor=1e-3, what=f"dp{i}")


@pytest.mark.parametrize(("archive", "name"), sorted(CASES))
def test_golden_rarer_layers(archive: str, name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_case(archive, name, caffe.TRAIN, tmp_path, 1e-4)


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_layers_in_python(phase: int, monkeypatch) -> None:
    golden_modules(monkeypatch)
    check_python(phase, 1e-4)


def test_stochastic_pooling(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        'force_backward: true layer { name: "x" type: "Input" top: "x" '
        "input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }"
        'layer { name: "y" type: "Pooling" bottom: "x" top: "y" '
        "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 } }"
    )
    net = caffe.Net(str(path), caffe.TRAIN)
    x = np.arange(216, dtype=np.float32).reshape(2, 3, 6, 6)
    y = net.forward(x=x)["y"]
    net.blobs["y"].diff[...] = 1
    net.backward()
    drawn = net.blobs["x"].diff  # 1 where a number was drawn
    windows = (drawn * x).reshape(2, 3, 3, 2, 3, 2).sum((3, 5))
    np.testing.assert_array_equal(windows, y)


@pytest.mark.parametrize("name", sorted(DATA))
def test_the_data_layer_bit_for_bit(name: str, golden: Path) -> None:
    case = DATA[name]
    Path("net.prototxt").write_text(case["prototxt"])
    if case["seed"] is not None:
        caffe.set_random_seed(case["seed"])
    net = caffe.Net("net.prototxt", phase=getattr(caffe, case["phase"]))
    net.forward()
    for blob, values in arrays_of("data_layer.npz", name).items():
        found = net.blobs[blob].data
        rows = min(len(found), len(values))
        corner = tuple(slice(0, n) for n in (rows, *values.shape[1:]))
        np.testing.assert_array_equal(found[corner], values[:rows])


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-4), ("tf32", 2e-2), ("bf16", 2e-2)]
)
def test_golden_run(precision: str, tolerance: float, golden: Path) -> None:
    caffe.set_precision(precision)
    text = Path("solver_adam.prototxt").read_text().replace("CPU", "GPU")
    Path("solver.prototxt").write_text(text)
    solver = caffe.get_solver("solver.prototxt")
    losses = []
    for _ in range(20):
        solver.step(1)
        losses.append(solver._core.smoothed_loss)
    with np.load(GOLDEN / "solvers_final.npz") as file:
        np.testing.assert_allclose(losses, file["adam/loss"], rtol=tolerance)
        if precision == "float32":
            for key in (k for k in file if k.startswith("adam/w020/")):
                layer, index = key.split("/")[-1].rsplit(".", 1)
                assert_close(
                    solver.net.params[layer][int(index)].data, file[key], 1e-3, floor=1e-3, what=key
                )


def with_dropout() -> None:
    text = Path("tiny_train_val.prototxt").read_text()
    drop = 'layer { name: "drop" type: "Dropout" bottom: "fc1" top: "fc1" }\n'
    text = text.replace('layer { name: "relu3"', drop + 'layer { name: "relu3"')
    Path("tiny_train_val.prototxt").write_text(text)


def test_a_resumed_run_repeats_itself(golden: Path) -> None:
    with_dropout()
    whole = caffe.get_solver("solver_sgd.prototxt")
    whole.step(20)
    resumed = caffe.get_solver("solver_sgd.prototxt")
    resumed.restore("out/sgd_iter_10.solverstate")
    resumed.step(10)
    for name, blobs in whole.net.params.items():
        for i, blob in enumerate(blobs):
            assert_close(
                resumed.net.params[name][i].data, blob.data, 1e-5, floor=1e-3, what=f"{name}.{i}"
            )


DROPPED = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 500 dim: 400 } } }
layer { name: "drop" type: "Dropout" bottom: "x" top: "y" dropout_param { dropout_ratio: 0.7 } }
"""


def test_dropout_masks_follow_from_the_seed(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(DROPPED)
    masks = []
    for seed in (1, 1, 2):
        caffe.set_random_seed(seed)
        net = caffe.Net(str(tmp_path / "net.prototxt"), phase=caffe.TRAIN)
        net.blobs["x"].data[...] = 1
        net.forward()
        masks.append(net.blobs["y"].data > 0)
        net.forward()
        assert not np.array_equal(net.blobs["y"].data > 0, masks[-1])
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert float(masks[0].mean()) == pytest.approx(0.3, abs=0.01)


def test_a_recorded_pass_computes_what_an_unrecorded_one_does(golden: Path) -> None:
    with_dropout()
    found = []
    for recordable in (True, False):
        solver = caffe.get_solver("solver_sgd.prototxt")
        solver._core._pass.recordable = recordable
        losses = []
        for step in range(12):
            solver.step(1)
            losses.append(solver._core.smoothed_loss)
            if step == 8:  # a user's change reaches the recorded weights
                solver.net.params["fc1"][0].data[...] *= 0.5
        assert (solver._core._pass._replay is not None) == recordable
        found.append((losses, solver.net.params["fc1"][0].data.copy()))
    (losses, weights), (other_losses, other_weights) = found
    np.testing.assert_allclose(losses, other_losses, rtol=1e-5)
    assert_close(weights, other_weights, 1e-5, floor=1e-3, what="fc1")


@pytest.mark.parametrize("name", sorted(OF_FORKS))
def test_layers_of_forks(name: str) -> None:
    """Tops and gradients are those of the CPU."""
    layer, bottoms = OF_FORKS[name]
    found = []
    for mode in (caffe.set_mode_cpu, caffe.set_mode_gpu):
        mode()
        it = OneLayer(layer, bottoms, phase=caffe.TRAIN if "PSPNet" in name else caffe.TEST)
        tops = it.forward()
        for top in it.tops:
            top.diff[...] = np.cos(np.arange(top.count)).reshape(top.shape)
        it.net.backward()
        found.append([*tops, *(blob.diff.copy() for blob in it.blobs)])
    for ours, theirs in zip(*found, strict=True):
        assert_close(theirs, ours, 1e-4)
