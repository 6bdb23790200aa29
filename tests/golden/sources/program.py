"""Nets that read files or arrays: what comes out, on genuine Caffe or on ours.

`run(caffe)` makes the files in the working folder and returns arrays by name; run as a program it
records them.
"""

import os

import numpy as np

IMAGES = """layer { name: "data" type: "ImageData" top: "data" top: "label"
  transform_param { %s }
  image_data_param { source: "images.txt" root_folder: "pictures/" batch_size: 4 %s } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 2 weight_filler { type: "uniform" max: 1 } } }"""
CASES = {
    "plain": ("", ""),
    "gray": ("mean_value: 7", "is_color: false"),
    "resized": ("scale: 0.5", "new_height: 9 new_width: 7"),
    "shuffled": ("", "shuffle: true"),
    "skipped": ("", "rand_skip: 5"),
    "all": (
        "crop_size: 8 mirror: true mean_value: 1 mean_value: 2 mean_value: 3",
        "shuffle: true rand_skip: 4",
    ),
}
HDF5 = """layer { name: "data" type: "HDF5Data" top: "data" top: "label" top: "other"
  hdf5_data_param { source: "files.txt" batch_size: 5 } }"""
MEMORY = """layer { name: "data" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }"""

WINDOWS = """layer { name: "data" type: "WindowData" top: "data" top: "label"
  transform_param { crop_size: 9 %s }
  window_data_param { source: "windows.txt" batch_size: 6 %s } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 2 weight_filler { type: "uniform" max: 1 } } }"""
WINDOW_CASES = {
    "plain": ("", ""),
    "mirror": ("mirror: true mean_value: 9", "fg_fraction: 0.5 scale: 0.25"),
    "context": ("mirror: true mean_file: 'mean.binaryproto'", "context_pad: 2 cache_images: true"),
    "square": ("mean_value: 1 mean_value: 2 mean_value: 3", "crop_mode: 'square'"),
    "thresholds": ("", "context_pad: 1 crop_mode: 'square' fg_threshold: 0.8 bg_threshold: 0.2"),
}


def make_windows(caffe):
    """Three pictures, boxes in them, and a mean image."""
    rng = np.random.RandomState(4)
    lines = []
    for i, (height, width) in enumerate(((20, 30), (25, 11), (13, 40))):
        name = "window%d.ppm" % i  # noqa: UP031
        with open(name, "wb") as picture:
            picture.write(b"P6\n%d %d\n255\n" % (width, height))
            picture.write(rng.randint(0, 256, (height, width, 3)).astype(np.uint8).tobytes())
        lines += ["# %d" % i, name, "3 %d %d" % (height, width), "8"]  # noqa: UP031
        for _ in range(8):
            (x1, x2), (y1, y2) = (sorted(rng.randint(0, n, 2)) for n in (width, height))
            row = (rng.randint(1, 5), rng.choice([0.1, 0.5, 0.7, 0.9]), x1, y1, x2, y2)
            lines.append("%d %.1f %d %d %d %d" % row)  # noqa: UP031
    with open("windows.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
    mean = caffe.io.array_to_blobproto(rng.rand(1, 3, 12, 12).astype(np.float32) * 99)
    with open("mean.binaryproto", "wb") as file:
        file.write(mean.SerializeToString())


def make_files():
    """Ten colour pictures in a plain format, and two HDF5 files."""
    import h5py

    rng = np.random.RandomState(3)
    os.makedirs("pictures", exist_ok=True)
    with open("images.txt", "w") as file:
        for i in range(10):
            file.write("a %d.ppm %d\n" % (i, i * 10))  # noqa: UP031
            with open("pictures/a %d.ppm" % i, "wb") as picture:  # noqa: UP031
                picture.write(b"P6\n12 11\n255\n")
                picture.write(rng.randint(0, 256, (11, 12, 3)).astype(np.uint8).tobytes())
    for name, rows in (("one.h5", 4), ("two.h5", 3)):
        with h5py.File(name, "w") as file:
            file["data"] = rng.randn(rows, 2, 3)
            file["label"] = rng.randint(0, 9, rows).astype(np.float32)
            file["other"] = rng.randn(rows, 4).astype(np.float32)
    with open("files.txt", "w") as file:
        file.write("one.h5\ntwo.h5\n")


def net_of(caffe, text):
    with open("net.prototxt", "w") as file:
        file.write(text)
    caffe.set_random_seed(11)
    return caffe.Net("net.prototxt", caffe.TRAIN)


def run(caffe):
    make_files()
    found = {}
    for name, case in CASES.items():
        net = net_of(caffe, IMAGES % case)
        found[name + "/weights"] = net.params["fc"][0].data.copy()
        for i in range(4):
            net.forward()
            for blob in ("data", "label"):
                found["%s/%s%d" % (name, blob, i)] = net.blobs[blob].data.copy()  # noqa: UP031
    net = net_of(caffe, HDF5)
    for i in range(3):
        net.forward()
        for blob in ("data", "label", "other"):
            found["hdf5/%s%d" % (blob, i)] = net.blobs[blob].data.copy()  # noqa: UP031
    net = net_of(caffe, MEMORY)
    data = np.arange(4 * 60, dtype=np.float32).reshape(4, 3, 4, 5)
    net.set_input_arrays(data, np.arange(4, dtype=np.float32))
    for i in range(3):
        net.forward()
        found["memory/data%d" % i] = net.blobs["data"].data.copy()  # noqa: UP031
        found["memory/label%d" % i] = net.blobs["label"].data.copy()  # noqa: UP031
    make_windows(caffe)
    for name, case in WINDOW_CASES.items():
        net = net_of(caffe, WINDOWS % case)
        found["windows_%s/weights" % name] = net.params["fc"][0].data.copy()  # noqa: UP031
        for i in range(3):
            net.forward()
            for blob in ("data", "label"):
                key = "windows_%s/%s%d" % (name, blob, i)  # noqa: UP031
                found[key] = net.blobs[blob].data.copy()
    return found


if __name__ == "__main__":
    os.environ.setdefault("GLOG_minloglevel", "2")
    import caffe

    np.savez_compressed("sources.npz", **run(caffe))
