"""What Caffe's programs write, of small inputs made here.

record.py FOLDER PROGRAM...: runs each of COMMANDS in FOLDER by PROGRAM..., followed by its name and
words, and records tools.json; for genuine Caffe PROGRAM is a script that starts the program by its
name. Genuine Caffe's are in the same form as ours, `i2cnn caffe NAME WORDS`.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np

NET = """layer { name: "data" type: "Data" top: "data" top: "label" transform_param { scale: 0.01 }
        data_param { source: "color" batch_size: 4 backend: LMDB } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 }
        convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
        inner_product_param { num_output: 3 bias_term: false } }
"""
OLD_SOLVER = 'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" solver_type: ADAGRAD\n'
COMMANDS = [
    "convert_imageset images/ list.txt color",
    "convert_imageset -gray images/ list.txt gray",
    "convert_imageset --resize_height=6 -resize_width 9 images/ list.txt resized",
    "convert_imageset -encoded images/ list.txt encoded",
    "convert_imageset -encoded=true -gray -encode_type png images/ list.txt png",
    "compute_image_mean color mean.binaryproto",
    "compute_image_mean -backend=lmdb gray gray.binaryproto",
    "compute_image_mean png png.binaryproto",
    "extract_features w.caffemodel net.prototxt conv,ip conv_db,ip_db 2 lmdb",
    "upgrade_solver_proto_text old_solver.prototxt new_solver.prototxt",
    "upgrade_net_proto_binary old.binaryproto new.binaryproto",
]
DATABASES = ["color", "gray", "resized", "encoded", "png", "conv_db", "ip_db"]


def write_inputs(folder, messages):
    """Images, a list, nets and weights; `messages` is a caffe_pb2 to write them with."""
    (folder / "images" / "sub").mkdir(parents=True)
    rng = np.random.RandomState(2)
    lines = []
    for i in range(6):
        name = f"sub/{i}.ppm" if i % 2 else f"a b{i}.PPM"
        pixels = rng.randint(0, 256, (8, 12, 3)).astype(np.uint8).tobytes()
        (folder / "images" / name).write_bytes(b"P6\n12 8\n255\n" + pixels)
        lines.append(f"{name} {i * 3 - 1}\n")
    lines.insert(2, "gone.ppm 4\n")
    (folder / "list.txt").write_text("".join(lines))
    (folder / "net.prototxt").write_text(NET)
    (folder / "old_solver.prototxt").write_text(OLD_SOLVER)
    net = messages.NetParameter(name="w")
    for name, shapes in (("conv", [(2, 3, 3, 3), (2,)]), ("ip", [(3, 120)])):
        layer = net.layer.add(name=name)
        for shape in shapes:
            blob = layer.blobs.add()
            blob.shape.dim.extend(shape)
            blob.data.extend(rng.randn(int(np.prod(shape))) / 10)
    (folder / "w.caffemodel").write_bytes(net.SerializeToString())
    old = messages.NetParameter(name="old", input=["data"], input_dim=[1, 2, 3, 4])
    relu = old.layers.add(name="relu", bottom=["data"], top=["relu"])
    relu.type = messages.V1LayerParameter.RELU
    (folder / "old.binaryproto").write_bytes(old.SerializeToString())


def numbers(blob):
    return [round(float(x), 4) for x in blob]


def summary(folder, messages):
    """What the commands have written: digests of records, or their decoded contents."""
    found = {}
    for name in DATABASES:
        env = lmdb.open(str(folder / name), readonly=True, lock=False)
        with env.begin() as txn:
            records = [(k.decode(), bytes(v)) for k, v in txn.cursor()]
        env.close()
        found[name] = [[key, describe(value, messages)] for key, value in records]
    for name in ("mean", "gray", "png"):
        blob = messages.BlobProto.FromString((folder / f"{name}.binaryproto").read_bytes())
        shape = [blob.num, blob.channels, blob.height, blob.width]
        digest = hashlib.sha256(np.array(blob.data, np.float32).tobytes()).hexdigest()[:16]
        found[f"{name}.binaryproto"] = [shape, digest]
    found["new_solver.prototxt"] = (folder / "new_solver.prototxt").read_text()
    found["new.binaryproto"] = (folder / "new.binaryproto").read_bytes().hex()
    return found


def describe(value, messages):
    datum = messages.Datum.FromString(value)
    if datum.float_data:
        shape = [datum.channels, datum.height, datum.width]
        return [shape, numbers(datum.float_data[:6]), numbers([sum(datum.float_data)])]
    if datum.data.startswith(b"\x89PNG"):  # libraries compress differently
        import cv2

        image = cv2.imdecode(np.frombuffer(datum.data, np.uint8), cv2.IMREAD_UNCHANGED)
        return [datum.label, datum.encoded, hashlib.sha256(image.tobytes()).hexdigest()[:16]]
    return hashlib.sha256(value).hexdigest()[:16]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from i2cnn.torchcaffe.proto import caffe_pb2

    here = Path(sys.argv[1])
    write_inputs(here, caffe_pb2)
    log = ""
    for command in COMMANDS:
        name, *words = command.split()
        environment = dict(os.environ, CAFFE_TOOL=name)
        done = subprocess.run(
            [*sys.argv[2:], *words], cwd=here, env=environment, stderr=subprocess.PIPE, text=True
        )
        log += done.stderr
        print(command, done.returncode)
    (Path(__file__).parent / "tools.json").write_text(json.dumps(summary(here, caffe_pb2)))
    print(log)
