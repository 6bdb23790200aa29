"""fc7 of every patch of every face (paper section 3.2), streamed to a file and resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.faces.table import Face
from i2cnn.network.profiles import FEATURE_BLOB
from i2cnn.patches.extract import check_landmarks, extract, get_scheme
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, file_digest, read_json, write_json
from i2cnn.util.images import as_gray, read_image
from i2cnn.util.progress import Callback

#: Layer after which fc7 is final: its ReLU works in place, dropout copies in phase TEST.
_LAST_LAYER = "relu7"
#: The progress file is written after this many faces.
_CHECKPOINT = 16


@dataclass(frozen=True)
class Transform:
    """What a net's TEST phase does to a patch: minus mean, centre crop, times scale.

    Parameters
    ----------
    mean : ndarray of float32, (3, H, W)
    crop : int
        Side of the centre crop; its offset is (size - crop) // 2, 14 for 256 and 227.
    scale : float
    """

    mean: np.ndarray
    crop: int
    scale: float

    @classmethod
    def from_job(cls, folder: Path) -> Transform:
        """Transform of the net that was trained in a folder (its train_val.prototxt)."""
        net = read_net(folder / "train_val.prototxt")
        for layer in net.layer:
            if layer.type == "Data" and any(rule.phase == TEST for rule in layer.include):
                param = layer.transform_param
                mean_file = folder / param.mean_file
                return cls(read_mean(mean_file), param.crop_size, param.scale)
        raise InputError(f"{folder / 'train_val.prototxt'}: no Data layer for phase TEST")

    @property
    def digest(self) -> str:
        """Names the transform."""
        mean = hashlib.sha256(np.ascontiguousarray(self.mean).tobytes()).hexdigest()
        return digest([mean, self.crop, self.scale])

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Net inputs (n, 3, crop, crop) float32 of patches (n, size, size[, 3]) uint8."""
        size = patches.shape[1]
        if self.mean.shape[1:] != (size, size):
            raise InputError(f"the mean image is {self.mean.shape[1:]}, patches are {size} wide")
        offset = (size - self.crop) // 2
        end = offset + self.crop
        cut = patches[:, offset:end, offset:end]
        planes = cut[:, None] if cut.ndim == 3 else cut.transpose(0, 3, 1, 2)
        inputs = planes.astype(np.float32) - self.mean[:, offset:end, offset:end]
        if self.scale != 1:
            inputs *= np.float32(self.scale)
        return inputs


def face_patches(image: np.ndarray, points: np.ndarray, patches: Sequence[int], scheme: str) -> Any:
    """The chosen gray patches (n, 256, 256) of one face."""
    gray = as_gray(image)
    check_landmarks(gray, points)
    return extract(gray, points, scheme)[list(patches)]


def net_features(net: Any, inputs: np.ndarray) -> np.ndarray:
    """fc7 (n, dim) of net inputs (n, 3, crop, crop), on any engine with pycaffe's API."""
    blob = net.blobs["data"]
    if tuple(blob.data.shape) != inputs.shape:
        blob.reshape(*inputs.shape)
        net.reshape()
    blob.data[...] = inputs
    net.forward(end=_LAST_LAYER)
    return np.array(net.blobs[FEATURE_BLOB].data)


def extract_features(
    net: Any,
    transform: Transform,
    faces: Sequence[Face],
    root: Path,
    out: Path,
    *,
    patches: Sequence[int],
    scheme: str,
    fingerprint: str = "",
    update: Callback | None = None,
) -> np.ndarray:
    """Features of all faces, in a .npy file that grows face by face.

    Parameters
    ----------
    net : pycaffe Net
        Deploy net with its weights, phase TEST.
    transform : Transform
    faces : sequence of Face
    root : Path
        Folder that the image paths start from.
    out : Path
        The .npy file; `OUT.progress.json` beside it says how many faces are done. A second call
        goes on there, if faces, their pictures, patches, the scheme's table, the transform and
        `fingerprint` are the same, else starts over.
    patches : sequence of int
        Patch indices.
    scheme : str
        Name of the patch scheme.
    fingerprint : str
        Names the weights, so that features of other weights are not taken for these.

    Returns
    -------
    ndarray of float32, (faces, patches, dim)
        Memory-mapped, read-only.
    """
    dim = int(net.blobs[FEATURE_BLOB].data.shape[1])
    shape = (len(faces), len(patches), dim)
    faces_key = _faces_key(faces)
    key = digest(
        [
            faces_key,
            [file_digest(root / face.image) for face in faces],
            list(patches),
            get_scheme(scheme).digest,
            transform.digest,
            fingerprint,
            shape,
        ]
    )
    done = _rows_done(out, key)
    if not done:
        # Before the old features go, so that no half of the new ones is taken for a whole.
        _note_progress(out, key, faces_key, 0)
    mode = "r+" if done else "w+"
    store = np.lib.format.open_memmap(out, mode, np.float32, None if done else shape)
    for i in range(done, len(faces)):
        image = read_image(root / faces[i].image)
        try:
            chosen = face_patches(image, faces[i].points, patches, scheme)
        except InputError as error:
            raise InputError(f"{root / faces[i].image}: {error}") from None
        store[i] = net_features(net, transform(chosen))
        if update is not None:
            update(i + 1, len(faces))
        if (i + 1) % _CHECKPOINT == 0 or i + 1 == len(faces):
            store.flush()
            _note_progress(out, key, faces_key, i + 1)
    del store
    return load_features(out)


def load_features(path: Path, faces: Sequence[Face] | None = None) -> np.ndarray:
    """Memory-mapped features (faces, patches, dim) of a .npy file.

    Parameters
    ----------
    path : Path
        The file; `PATH.progress.json` beside it tells whether it is complete.
    faces : sequence of Face, optional
        The faces it must be of, in this order.

    Raises
    ------
    InputError
        The file is missing, damaged or unfinished, or its features are of other faces.
    """
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `i2cnn features` writes it") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: damaged, or not a .npy file ({error})") from None
    if features.ndim != 3:
        raise InputError(f"{path}: features are (faces, patches, dim), this is {features.shape}")
    # Features from elsewhere have no such file.
    progress = read_json(_progress_file(path)) if _progress_file(path).exists() else {}
    if progress.get("done", len(features)) != len(features):
        raise InputError(
            f"{path}: holds {progress['done']} of {len(features)} faces; repeat `i2cnn features`, "
            "which goes on from there"
        )
    if faces is not None and (
        len(features) != len(faces) or progress.get("faces", _faces_key(faces)) != _faces_key(faces)
    ):
        raise InputError(
            f"{path}: its {len(features)} faces are not the {len(faces)} given, with these "
            "landmarks; repeat `i2cnn features` for them"
        )
    return features


def remove_features(path: Path) -> None:
    """Delete a features file and its progress file."""
    path.unlink(missing_ok=True)
    _progress_file(path).unlink(missing_ok=True)


def _note_progress(out: Path, key: str, faces_key: str, done: int) -> None:
    write_json(_progress_file(out), {"key": key, "faces": faces_key, "done": done})


def _faces_key(faces: Sequence[Face]) -> str:
    return digest([(f.image, [round(float(v), 3) for v in f.points.ravel()]) for f in faces])


def _progress_file(out: Path) -> Path:
    return out.with_name(out.name + ".progress.json")


def _rows_done(out: Path, key: str) -> int:
    if not (out.exists() and _progress_file(out).exists()):
        return 0
    content = read_json(_progress_file(out))
    return int(content["done"]) if content.get("key") == key else 0
