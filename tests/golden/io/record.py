"""Records caffe.io of genuine Caffe 1.0 (scikit-image 0.18): run with its pycaffe, in here."""

import os

os.environ.setdefault("GLOG_minloglevel", "2")
import numpy as np
import skimage.io
from caffe import io

# Caffe spells a parameter of imread as scikit-image did until 0.15.
imread = skimage.io.imread
skimage.io.imread = lambda name, as_grey: imread(name, as_gray=as_grey)

rng = np.random.RandomState(3)
out = {"picture": rng.randint(0, 256, (9, 12, 3)).astype(np.uint8)}
for name, picture in (
    ("rgb", out["picture"]),
    ("gray", out["picture"][:, :, 0]),
    ("rgba", np.dstack([out["picture"], out["picture"][:, :, 0]])),
):
    skimage.io.imsave(name + ".png", picture, check_contrast=False)
    out["load_" + name] = io.load_image(name + ".png")
    out["load_" + name + "_gray"] = io.load_image(name + ".png", color=False)
image = out["load_rgb"].copy()
smooth = np.sin(np.arange(40)[:, None, None] / 7 + np.arange(30)[None, :, None] / 5 + [[[0, 1, 2]]])
out["smooth"] = smooth = smooth.astype(np.float32)
out["larger"] = io.resize_image(image, (20, 17))
out["smaller"] = io.resize_image(smooth, (13, 11))
out["five"] = io.resize_image(np.dstack([smooth, smooth[:, :, :2]]), (50, 45))
out["constant"] = io.resize_image(np.full((4, 4, 3), 0.25), (7, 5))
out["oversample"] = io.oversample([image, image[::-1]], (4, 7))

full = io.Transformer({"data": (10, 3, 20, 17)})
full.set_transpose("data", (2, 0, 1))
full.set_channel_swap("data", (2, 1, 0))
full.set_raw_scale("data", 255)
full.set_mean("data", np.array([104.0, 117.0, 123.0]))
full.set_input_scale("data", 0.5)
out["full"] = full.preprocess("data", image)
out["full_back"] = full.deprocess("data", out["full"])
image_mean = io.Transformer({"data": (1, 3, 9, 12)})
image_mean.set_transpose("data", (2, 0, 1))
image_mean.set_mean("data", rng.rand(3, 9, 12))
out["image_mean"] = image_mean.preprocess("data", image.copy())
out["image_mean_mean"] = image_mean.mean["data"]
resized = io.Transformer({"data": (1, 3, 20, 17)})
resized.set_mean("data", smooth.transpose(2, 0, 1))
out["resized_mean"] = resized.mean["data"]

datum = io.array_to_datum(out["picture"].transpose(2, 0, 1), 5)
out["datum"] = np.frombuffer(datum.SerializeToString(), np.uint8)
datum = io.array_to_datum(smooth[:3, :4].transpose(2, 0, 1))
out["float_datum"] = np.frombuffer(datum.SerializeToString(), np.uint8)
blob = io.array_to_blobproto(smooth[:2], smooth[2:4])
out["blob"] = np.frombuffer(blob.SerializeToString(), np.uint8)
vector = io.arraylist_to_blobprotovector_str([smooth[0], smooth[:1, :1]])
out["vector"] = np.frombuffer(vector, np.uint8)
for name in ("rgb", "gray", "rgba"):
    os.remove(name + ".png")
np.savez_compressed("io.npz", **out)
