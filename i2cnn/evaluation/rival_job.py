"""A rival of the paper's method on one fold: the same faces, the same people apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from i2cnn.datasets.labels import NEUTRAL
from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import Execution, Job, JobFolder
from i2cnn.evaluation.methods import FLOOR, RIVAL, Method, referenced_name, with_references
from i2cnn.rivals import RIVALS
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path
from i2cnn.util.npz import DAMAGES
from i2cnn.util.progress import progress, say

# Describing and fitting import scikit-image and scikit-learn, which reading a run does not need.
if TYPE_CHECKING:
    from i2cnn.rivals.fold import RivalFold

#: Features of all faces, shared by the folds.
FEATURES_FOLDER = "rivals"
#: Sub-windows that boosted LBP selected, in the job's folder.
WINDOWS_FILE = "windows.npz"
_KERNEL_TITLES = {"linear": "linear", "polynomial": "polynomial", "rbf": "RBF"}


@dataclass(frozen=True)
class RivalJob(Job):
    """One rival on one fold.

    Parameters
    ----------
    fold : int
        Number of the fold, counted from 1.
    rival : str
        Name in :data:`i2cnn.rivals.RIVALS`.
    """

    rival: str

    @property
    def folder(self) -> str:
        return f"fold_{self.fold:02d}/rival_{self.rival}"

    @property
    def title(self) -> str:
        return f"fold {self.fold}, {self.rival}"

    @property
    def kind(self) -> str:
        return f"rival_{self.rival}"

    def methods(self, inputs: Inputs) -> Sequence[Method]:
        if self.not_applicable(inputs):
            return []
        plain = self._methods
        return with_references(plain, inputs.settings.reference) if self._has_svms else plain

    def not_applicable(self, inputs: Inputs) -> Mapping[Method, str]:
        rival = RIVALS[self.rival]
        faces = [f for f, c in zip(inputs.all_faces, inputs.labels, strict=True) if c >= 0]
        clips = {bool(face.sequence) for face in faces}
        if rival.clips and False in clips:
            reason = "it needs clips, and there are still images"
        elif rival.clips and any(face.label == NEUTRAL for face in faces):
            reason = "it names whole clips, and a neutral first frame is none; --task six"
        elif rival.from_first_frame and len(clips) > 1:
            reason = "it measures clips from their first frames, and there are still images, too"
        else:
            return {}
        return dict.fromkeys(self._methods, reason)

    @property
    def _has_svms(self) -> bool:
        return bool(RIVALS[self.rival].kernels)

    @property
    def _methods(self) -> list[Method]:
        """All methods of the rival, without references."""
        rival = RIVALS[self.rival]
        return [
            Method(
                name,
                f"rival_{rival.name}_{name}",
                f"SVM ({_KERNEL_TITLES[name]}) + {rival.title}" if rival.kernels else rival.title,
                FLOOR if rival.name == "pixels" else RIVAL,
                protocol=rival.protocol,
            )
            for name in rival.methods
        ]

    def prepare(self, run: Path, inputs: Inputs) -> None:
        """Describe all faces, once for all folds."""
        path = self._features_file(run, inputs)
        if path.exists() or self.not_applicable(inputs):
            return
        from i2cnn.rivals.describe import describe

        path.parent.mkdir(parents=True, exist_ok=True)
        with progress(f"{RIVALS[self.rival].title} of all faces") as update:
            features = describe(self.rival, inputs.all_faces, inputs.root, inputs.scheme, update)
        with atomic_path(path) as partial:
            np.save(partial, features)

    def fold_of(self, run: Path, inputs: Inputs) -> RivalFold:
        """The rival on the job's fold, on the features that :meth:`prepare` wrote."""
        from i2cnn.rivals.fold import RivalFold

        path = self._features_file(run, inputs)
        try:
            features = np.load(path, mmap_mode="r", allow_pickle=False)
            if len(features) != len(inputs.all_faces):
                raise ValueError(f"{len(features)} faces, not {len(inputs.all_faces)}")
        except DAMAGES as error:
            raise InputError(
                f"{path}: damaged ({error}); delete it and repeat the command"
            ) from None
        faces = inputs.fitted_faces(self.fold)
        return RivalFold(self.rival, features, *inputs.sides(self.fold), faces)

    def work(self, run: Path, folder: JobFolder, inputs: Inputs, execution: Execution) -> None:
        """Fit the rival's classifiers and write their predictions of the test faces."""
        if missing := self.not_applicable(inputs):
            folder.finish({})
            for method, reason in missing.items():
                say(f"{self.title}: {method.title} is not applicable: {reason}")
            return
        fold = self.fold_of(run, inputs)
        if self._has_svms:
            methods = self._plain(fold, folder)
            if inputs.settings.reference != "none":
                methods |= self._referenced(fold, folder)
        else:
            methods = self._classified(fold, folder, execution.device)
        folder.finish(methods)
        say(f"{self.title}: " + ", ".join(f"{m} {v['accuracy']:.1%}" for m, v in methods.items()))

    def _plain(self, fold: RivalFold, folder: JobFolder) -> dict[str, Any]:
        """The rival as it is, with each of its kernels."""
        methods: dict[str, Any] = {}
        for kernel in RIVALS[self.rival].kernels:
            with folder.steps(kernel):
                _, result = fold.predict(kernel)
            accuracy = folder.save_predictions(kernel, result.predicted)
            if result.windows is not None:  # the same for every kernel
                with atomic_path(folder.path / WINDOWS_FILE) as partial:
                    np.savez_compressed(partial, windows=result.windows)
            methods[kernel] = {"accuracy": accuracy, **result.choice}
        return methods

    def _classified(self, fold: RivalFold, folder: JobFolder, device: str) -> dict[str, Any]:
        """The rival with its own classifier."""
        name = RIVALS[self.rival].classifier
        with folder.steps(name):
            result = fold.classify(device)
        accuracy = folder.save_predictions(name, result.predicted)
        return {name: {"accuracy": accuracy, **result.choice}}

    def _referenced(self, fold: RivalFold, folder: JobFolder) -> dict[str, Any]:
        """The rival measured from references, with each of its kernels."""
        from i2cnn.evaluation.references import FoldReferences

        reference = folder.inputs.settings.reference
        with folder.steps("references"):
            references = FoldReferences(folder, fold.whole_gram)
        methods: dict[str, Any] = {}
        for kernel in RIVALS[self.rival].kernels:
            with folder.steps(f"{kernel}, {reference}"):
                model, result = fold.predict(kernel, references.gram)
                described = references.describe(model)
            name = referenced_name(kernel, reference)
            accuracy = folder.save_predictions(name, result.predicted)
            methods[name] = {"accuracy": accuracy, **result.choice, "reference": described}
        return methods

    def _features_file(self, run: Path, inputs: Inputs) -> Path:
        return run / FEATURES_FOLDER / f"{self.rival}_{inputs.digest[:12]}.npy"


def prepare_fused(run: Path, inputs: Inputs) -> None:
    """Describe all faces as the rivals do that are fused with networks."""
    for rival in inputs.settings.fuse:
        RivalJob(1, rival).prepare(run, inputs)


def fused_rivals(run: Path, inputs: Inputs, fold: int) -> dict[str, RivalFold]:
    """The rivals that are fused with networks, by name, on one fold."""
    return {rival: RivalJob(fold, rival).fold_of(run, inputs) for rival in inputs.settings.fuse}
