"""Features of every patch of every face, streamed to a file and resumable.

They are the net's fc7 (paper section 3.2), or what its deploy file calls `svm_features`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.faces.table import Face
from i2cnn.network.engine import Net
from i2cnn.network.profiles import FEATURE_BLOBS, PROBABILITY_BLOB
from i2cnn.network.training_folder import DEPLOY_FILE
from i2cnn.network.transform import Transform
from i2cnn.patches.extract import face_patches
from i2cnn.patches.schemes import PatchSet
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError
from i2cnn.util.files import (
    digest,
    file_digest,
    only_writer,
    read_json,
    write_json,
)
from i2cnn.util.images import read_image
from i2cnn.util.npz import DAMAGES
from i2cnn.util.progress import Callback
from i2cnn.util.threads import in_order
from i2cnn.util.turns import Turns

#: The progress file is written after this many faces.
_CHECKPOINT = 16

_Store = np.memmap[Any, np.dtype[np.float32]]

#: Threads that make faces' patches while the net computes.
_THREADS = 4


@dataclass(frozen=True)
class FeatureExtractor:
    """A net with its transform: from patches to features; threads may share one and take turns.

    Parameters
    ----------
    net : pycaffe Net
        Deploy net with its weights, phase TEST.
    transform : Transform
    fingerprint : str
        Names the weights, so that features of other weights are not taken for these.
    """

    net: Net
    transform: Transform
    fingerprint: str = ""
    _turn: Turns = field(default_factory=Turns, repr=False, compare=False)

    @property
    def dim(self) -> int:
        """Number of values per patch."""
        with self._turn:
            return int(np.prod(tuple(self.net.blobs[self._blob].shape)[1:]))

    @property
    def classes(self) -> int:
        """Number of classes that the net tells apart."""
        with self._turn:
            return int(self.net.blobs[self._having(PROBABILITY_BLOB)].shape[1])

    @cached_property
    def _blob(self) -> str:
        """Name of the blob with the features."""
        return self._having(*FEATURE_BLOBS)

    def _having(self, *names: str) -> str:
        """The first of some blobs that the net has; InputError if it has none of them."""
        found = next((name for name in names if name in self.net.blobs), None)
        if found is None:
            raise InputError(
                f"{DEPLOY_FILE}: has no blob {' or '.join(names)}; take that of the training"
            )
        return found

    def describe(self, image: UInt8Array, points: Float64Array, chosen: PatchSet) -> Float32Array:
        """Features (patches, dim) of a face, from patches of the size that the net takes.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        points : ndarray, (5, 2)
        chosen : PatchSet

        Raises
        ------
        InputError
            The landmarks do not belong to this picture, or are not those of a face.
        """
        return self.forward(self.inputs(image, points, chosen))

    def inputs(self, image: UInt8Array, points: Float64Array, chosen: PatchSet) -> Float32Array:
        """What :meth:`forward` takes of a face; arguments and errors as for :meth:`describe`."""
        return self.transform(face_patches(image, points, chosen, self.transform.size))

    def forward(self, inputs: Float32Array) -> Float32Array:
        """Features (n, dim) of transformed patches (n, 3, height, width)."""
        return self._blob_after(inputs, self._blob).reshape(len(inputs), -1)

    def probabilities(self, inputs: Float32Array) -> Float32Array:
        """The net's own softmax (n, classes) of transformed patches (n, 3, height, width)."""
        return self._blob_after(inputs, self._having(PROBABILITY_BLOB))

    def _blob_after(self, inputs: Float32Array, name: str) -> Float32Array:
        """A copy of a blob after a forward pass."""
        with self._turn:
            blob = self.net.blobs["data"]
            if tuple(blob.shape) != inputs.shape:
                blob.reshape(*inputs.shape)
                self.net.reshape()
            self.net.forward(data=inputs)
            return np.array(self.net.blobs[name].data)


def extract_features(
    extractor: FeatureExtractor,
    faces: Sequence[Face],
    root: Path,
    out: Path,
    chosen: PatchSet,
    update: Callback | None = None,
) -> Float32Array:
    """Extract the features of all faces into a .npy file that grows face by face.

    Parameters
    ----------
    extractor : FeatureExtractor
    faces : sequence of Face
    root : Path
        Folder that the image paths start from.
    out : Path
        The .npy file; `OUT.progress.json` beside it says how many faces are done. A second call
        resumes there if faces, their pictures, patches, the scheme's table, the transform and the
        net's fingerprint are the same; otherwise it starts over.
    chosen : PatchSet
        The patches of each face.
    update : callable, optional
        Called with (faces done, faces).

    Returns
    -------
    ndarray of float32, (faces, patches, dim)
        Memory-mapped, read-only.

    Raises
    ------
    InputError
        An image or its landmarks cannot be used (named); another process writes the file.
    """
    shape = (len(faces), len(chosen), extractor.dim)
    faces_key = _faces_key(faces)
    key = digest(
        [
            faces_key,
            [file_digest(root / face.image) for face in faces],
            list(chosen.patches),
            chosen.scheme.digest,
            extractor.transform.digest,
            extractor.fingerprint,
            shape,
        ]
    )
    with only_writer(out, f"{out}: another process is writing it; wait for it, or stop it"):
        done = _rows_done(out, key)
        if not done:
            # Before the old features go, so that half of the new ones are not taken for all.
            _note_progress(out, key, faces_key, 0)
        store = _continued_store(out, shape) if done else _new_store(out, shape)
        ahead = inputs_ahead(extractor, faces[done:], root, chosen)
        for i, inputs in enumerate(ahead, done):
            store[i] = extractor.forward(inputs)
            if update is not None:
                update(i + 1, len(faces))
            if (i + 1) % _CHECKPOINT == 0 or i + 1 == len(faces):
                store.flush()
                _note_progress(out, key, faces_key, i + 1)
        del store
        return load_features(out)


def _continued_store(out: Path, shape: tuple[int, int, int]) -> _Store:
    """Map a .npy file that holds a part of the features."""
    try:
        # To be written, a file that was cut off would be filled up with zeros.
        found = np.lib.format.open_memmap(out, "r")
        if found.shape != shape or found.dtype != np.float32:
            raise ValueError(f"{found.dtype} {found.shape}, not float32 {shape}")
        return np.lib.format.open_memmap(out, "r+")
    except DAMAGES as error:
        raise InputError(f"{out}: damaged ({error}); delete it to start over") from None


def _new_store(out: Path, shape: tuple[int, int, int]) -> _Store:
    """Map a new .npy file, which gets all its disk space at once.

    A map of a file for which the disk then turns out to be too small ends the process by SIGBUS.
    """
    try:
        store = np.lib.format.open_memmap(out, "w+", np.float32, shape)
        with open(out, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    except OSError as error:
        remove_features(out)
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    return store


def inputs_ahead(
    extractor: FeatureExtractor, faces: Sequence[Face], root: Path, chosen: PatchSet
) -> Iterator[Float32Array]:
    """The net's inputs of each face, made by threads while the net computes."""

    def inputs(face: Face) -> Float32Array:
        path = root / face.image
        image = read_image(path)
        try:
            return extractor.inputs(image, face.points, chosen)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    return in_order(inputs, faces, min(_THREADS, available_cores()))


def load_features(path: Path, faces: Sequence[Face] | None = None) -> Float32Array:
    """Map the features of a .npy file into memory.

    Parameters
    ----------
    path : Path
        The file; `PATH.progress.json` beside it tells whether it is complete.
    faces : sequence of Face, optional
        The faces it must be of, in this order.

    Returns
    -------
    ndarray of float32, (faces, patches, dim)
        Memory-mapped, read-only.

    Raises
    ------
    InputError
        The file is missing, damaged or unfinished, or its features are of other faces.
    """
    try:
        features: Float32Array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `i2cnn features` writes it") from None
    except DAMAGES as error:
        raise InputError(f"{path}: damaged, or not a .npy file ({error})") from None
    if features.ndim != 3 or 0 in features.shape or features.dtype.kind != "f":
        raise InputError(
            f"{path}: features are numbers (faces, patches, dim), this is {features.dtype} "
            f"{features.shape}"
        )
    progress = _read_progress(path)
    if progress.get("done", len(features)) != len(features):
        raise InputError(
            f"{path}: holds {progress['done']} of {len(features)} faces; repeat `i2cnn features`, "
            "which continues from there"
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
    content = _read_progress(out)
    return content["done"] if out.stat().st_size and content.get("key") == key else 0


def _read_progress(out: Path) -> dict[str, Any]:
    """Content of the progress file, which features from elsewhere do not have."""
    path = _progress_file(out)
    if not path.exists():
        return {}
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("done"), int):
        raise InputError(f"{path}: damaged; delete it and {out}, and repeat `i2cnn features`")
    return content
