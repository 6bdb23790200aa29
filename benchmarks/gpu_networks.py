"""AlexNet by torchcaffe and by hand on a device: speed, memory and kernels; parts of gpu.py."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_measure import Part, memory_used, paper_setup, products_of, use_precision, write_solver
from torch import nn
from training import CLASSES, CROPS, AlexNet, setup_of

from i2cnn.network.profiles import fill_deploy, fill_train_val
from i2cnn.patches.lmdb_facts import database_size
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import write_prototxt

_CROP = CROPS["paper"]


def input_net(batch: int) -> Any:
    """The paper's train_val net with an Input layer, whose blobs are filled once."""
    net = fill_train_val(setup_of("paper", batch), batch)
    data = net.layer[0]
    for field in ("include", "data_param", "transform_param"):
        data.ClearField(field)
    data.type = "Input"
    for dims in ((batch, 3, _CROP, _CROP), (batch,)):
        data.input_param.shape.add().dim.extend(dims)
    del net.layer[1]
    return net


def measure_ours(part: Part) -> None:
    """torchcaffe: training from memory, its memory, the forward pass, training from an LMDB."""
    options = part.options
    use_precision(part)
    training, forward = products_of(options.batch)
    random = np.random.default_rng(1)
    images = random.standard_normal((options.batch, 3, _CROP, _CROP), np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        file = write_solver(options, folder, input_net(options.batch), 10**6, 0)
        solver = caffe.get_solver(file)
        solver.net.blobs["data"].data[...] = images
        solver.net.blobs["label"].data[...] = random.integers(CLASSES, size=options.batch)
        part.seconds(solver.step, 1)
        part.write(work="first iteration", total_s=time.perf_counter() - start)
        part.seconds(solver.step, 10 if part.cuda else 1)
        part.measure("training", solver.step, training)
        part.write(work="memory", **memory_used(part))
        solver.close()
        del solver

        deploy = fill_deploy("paper", classes=CLASSES)
        deploy.layer[0].input_param.shape[0].dim[0] = options.batch
        write_prototxt(folder / "deploy.prototxt", deploy)
        net = caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)
        net.blobs["data"].data[...] = images

        def passes(number: int) -> None:
            for _ in range(number):
                net.forward()

        part.seconds(passes, 5 if part.cuda else 1)
        part.measure("forward", passes, forward)

        setup = paper_setup(options)
        epoch = -(-database_size(Path(setup.databases[0])) // options.batch)
        start = time.perf_counter()
        net_param = fill_train_val(setup, options.batch)
        solver = caffe.get_solver(write_solver(options, folder, net_param, 10**6, 0))
        part.seconds(solver.step, 1)
        first = time.perf_counter() - start
        part.seconds(solver.step, epoch + 10 if part.cuda else 1)
        part.write(work="first epoch", first_s=first, total_s=time.perf_counter() - start)
        part.measure("training, LMDB", solver.step, training)
        part.write(work="memory, LMDB", **memory_used(part))
        solver.close()


def measure_rival(part: Part) -> None:
    """The hand-written network, channels_last, with the fused optimizer; eager or compiled."""
    options = part.options
    use_precision(part)
    torch.backends.cudnn.benchmark = True
    bf16 = options.precision == "bf16"
    training, forward = products_of(options.batch)
    last: Any = torch.channels_last
    x = torch.randn(options.batch, 3, _CROP, _CROP, device=part.device).contiguous(
        memory_format=last
    )
    y = torch.randint(0, CLASSES, (options.batch,), device=part.device)
    plain = AlexNet().to(part.device).to(memory_format=last)  # type: ignore[call-overload]
    compiled = part.name == "compiled"
    model: Any = torch.compile(plain) if compiled else plain
    optimizer = torch.optim.SGD(
        plain.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4, fused=part.cuda
    )

    def iterate(number: int) -> None:
        for _ in range(number):
            optimizer.zero_grad()
            with torch.autocast(part.device.type, torch.bfloat16, enabled=bf16):
                loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()

    start = time.perf_counter()
    part.seconds(iterate, 1)
    part.write(work="first iteration", total_s=time.perf_counter() - start)
    part.seconds(iterate, 10 if part.cuda else 1)
    part.measure("training", iterate, training)
    part.write(work="memory", **memory_used(part))

    kind = torch.bfloat16 if bf16 else torch.float32
    frozen: Any = plain.eval().to(kind)
    frozen = torch.compile(frozen) if compiled else frozen
    pictures = x.to(kind)

    def passes(number: int) -> None:
        # On a GPU all of it is bf16; the CPU has no LRN of that kind.
        mixed = torch.autocast(part.device.type, torch.bfloat16, enabled=bf16 and not part.cuda)
        with torch.no_grad(), mixed:
            for _ in range(number):
                frozen(pictures).softmax(1).cpu()

    start = time.perf_counter()
    part.seconds(passes, 1)
    part.write(work="first pass", total_s=time.perf_counter() - start)
    part.seconds(passes, 5 if part.cuda else 1)
    part.measure("forward", passes, forward)
