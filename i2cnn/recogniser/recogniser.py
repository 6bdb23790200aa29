"""Names the expressions of the faces in a picture, and explains them patch by patch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from i2cnn.faces.finder import Detection, FaceFinder
from i2cnn.models import find_model
from i2cnn.network.engine import check_names
from i2cnn.network.training_folder import NET_FILE
from i2cnn.patches.preview import box_corners
from i2cnn.recogniser.bundle import ABOUT_FILE, REMEDY, Bundle, load_bundle
from i2cnn.recogniser.features import Describer
from i2cnn.recogniser.heat_map import HeatMap, heat_map
from i2cnn.recogniser.prediction import FacePrediction, Picture, PicturePrediction
from i2cnn.svm.pair_weights import SVM_FILE
from i2cnn.svm.person_reference import PersonReference, Population
from i2cnn.util.arrays import Float32Array, Float64Array, IntArray
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_picture, check_several
from i2cnn.util.threads import in_order


class Recogniser:
    """Finds faces in a picture and names their expressions.

    Threads may share one: they find faces side by side, and take turns at the network. It pickles
    as its folder, engine and device, and can be used after a fork, unless it is on a GPU.

    Parameters
    ----------
    model : str or Path
        Name of a recogniser that ships (`i2cnn models` lists them), or the folder of one that
        `i2cnn evaluate` or the demo wrote: RUN/recogniser.
    engine : {"torch", "caffe"}
        As for :func:`i2cnn.network.engine.get_engine`, if the recogniser has a network.
    device : str
        As for :func:`i2cnn.network.engine.choose_device`.
    whole : bool
        Every picture is one face, from forehead to chin, and is not searched for faces.

    Raises
    ------
    InputError
        The folder's files are missing, damaged, or do not go together; or there is no such engine
        or device.

    Attributes
    ----------
    bundle : Bundle
        What it was read from.
    labels : tuple of str
        In class order.
    finder : FaceFinder
        Finds the faces.
    """

    def __init__(
        self,
        model: str | Path,
        engine: str = "torch",
        device: str = "auto",
        whole: bool = False,
    ) -> None:
        check_names(engine, device)  # a recogniser without a network uses neither
        folder = find_model(model)
        self._made_of = (str(folder.absolute()), engine, device, whole)
        self.bundle = load_bundle(folder)
        self.labels = self.bundle.labels
        self._describer = self.bundle.features.describer(
            self.bundle.folder, self.bundle.patches, engine, device
        )
        _check_fit(self.bundle, self._describer)
        self.finder = FaceFinder(whole=whole)

    def __reduce__(self) -> tuple[Callable[..., Recogniser], tuple[str | bool, ...]]:
        return _unpickled, (*self._made_of, self.bundle.digest)

    def predict(
        self, image: Picture, reference: PersonReference | None = None
    ) -> list[FacePrediction]:
        """Expressions of every face found, from left to right; empty if there is none.

        Parameters
        ----------
        image : str, Path, PIL.Image.Image or ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        reference : PersonReference, optional
            Of the person whose faces these are, from :meth:`reference_from` or
            :meth:`load_reference`.

        Raises
        ------
        InputError
            The reference is another recogniser's, or the picture is none that can be used.
        """
        seen = as_picture(image)
        return [self.predict_face(seen, d, reference) for d in self.finder.find_all(seen)]

    def predict_many(
        self,
        pictures: Iterable[Picture],
        workers: int | None = None,
        reference: PersonReference | None = None,
    ) -> Iterator[PicturePrediction]:
        """Expressions in many pictures, as a generator; a bad picture does not stop it.

        Parameters
        ----------
        pictures : iterable of what :meth:`predict` takes
            Read as it is needed, so it may be endless.
        workers : int, optional
            Threads; as many as there are cores by default.
        reference : PersonReference, optional
            As for :meth:`predict`.

        Yields
        ------
        PicturePrediction
            One per picture, in their order; with the reason if a picture cannot be used.

        Raises
        ------
        InputError
            One picture was given in place of several, the reference is another recogniser's, or
            there are no workers.
        """
        check_several(pictures)
        if reference is not None:
            self._check_own(reference)
        workers = available_cores() if workers is None else workers
        if workers < 1:
            raise InputError(f"workers must be at least 1, not {workers}")

        def predict(picture: Picture) -> PicturePrediction:
            try:
                return PicturePrediction(picture, self.predict(picture, reference))
            except InputError as error:
                return PicturePrediction(picture, [], str(error))

        return in_order(predict, pictures, workers)

    def predict_face(
        self, image: Picture, detection: Detection, reference: PersonReference | None = None
    ) -> FacePrediction:
        """Expression of a face whose landmarks are known.

        Parameters
        ----------
        image : as for :meth:`predict`
        detection : Detection
        reference : PersonReference, optional
        """
        return self.name(self.describe(image, detection), detection, reference)

    def patch_corners(self, detection: Detection) -> Float64Array:
        """Corners (patches, 4, 2) of a face's patches in pixels, in the order of their votes."""
        patches = self.bundle.patches
        boxes = box_corners(detection.points, patches.scheme)
        corners: Float64Array = boxes[np.array(patches.patches) // 2]
        return corners

    def heat_map(self, face: FacePrediction) -> HeatMap:
        """Where on a face that this recogniser has named its patches' votes lie."""
        return heat_map(self.patch_corners(face.detection), list(face.patches.values()))

    def describe(self, image: Picture, detection: Detection) -> Float32Array:
        """Features (patches, dim) of a face."""
        return self._describer.describe(as_picture(image), detection.points)

    def name(
        self,
        features: Float32Array,
        detection: Detection,
        reference: PersonReference | None = None,
    ) -> FacePrediction:
        """Expression of a face that :meth:`describe` has described."""
        population, pairs = self.bundle.population, self.bundle.pairs
        if reference is not None:
            pairs = self._population().pairs
            self._check_own(reference)
            features = reference.apply(features)
        elif population is not None:
            features = features - population.mean
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
            shares = pairs.contributions(features)
            decisions = shares.sum(axis=1) + pairs.intercepts
        if not (np.isfinite(shares).all() and np.isfinite(decisions).all()):
            raise InputError(
                f"{self.bundle.folder}: its weights give values that are not finite; {REMEDY}"
            )
        scores = pairs.scores(decisions, len(self.labels))
        best = int(scores.argmax())
        spoken = _votes_by_patch(shares, pairs.pairs, best)
        return FacePrediction(
            detection,
            self.labels[best],
            {label: float(v) for label, v in zip(self.labels, scores, strict=True)},
            {name: float(v) for name, v in zip(self.bundle.patches.names, spoken, strict=True)},
            0 if reference is None else reference.count,
            pairs.slope is not None,
        )

    def reference_from(self, pictures: Iterable[Picture]) -> PersonReference:
        """The reference of a person, from pictures of theirs without labels.

        Five pictures or more, of different expressions, make a good one. It is biometric data.

        Parameters
        ----------
        pictures : iterable of what :meth:`predict` takes
            The largest face of each is the person's.

        Raises
        ------
        InputError
            There are fewer than two pictures, one of them shows no face, or this recogniser cannot
            use references.
        """
        self.check_references()
        check_several(pictures)
        described = []
        for number, given in enumerate(pictures, 1):
            image = as_picture(given)
            detection, found = self.finder.find_one(image)
            if not found:
                raise InputError(f"picture {number} of a reference shows no face")
            described.append(self.describe(image, detection))
        return self.reference_of(described)

    def reference_of(self, features: Iterable[Float32Array]) -> PersonReference:
        """As :meth:`reference_from`, of faces that :meth:`describe` has described."""
        rows = list(features)
        shape = (len(self.bundle.patches), self._describer.dim)
        stacked = np.stack(rows) if rows else np.empty((0, *shape), np.float32)
        return self._population().reference(stacked, self.bundle.digest)

    def load_reference(self, path: str | Path) -> PersonReference:
        """The reference that `i2cnn enrol` or :meth:`PersonReference.save` wrote.

        Raises
        ------
        InputError
            The file is no reference, is damaged, or belongs to another recogniser.
        """
        mean = self._population().mean
        return PersonReference.load(Path(path), mean.shape, self.bundle.digest)

    def check_references(self) -> None:
        """InputError if this recogniser cannot use references."""
        self._population()

    def _population(self) -> Population:
        if self.bundle.population is None:
            raise InputError(
                f"{self.bundle.folder}: this recogniser cannot use references; `i2cnn models` "
                "lists those that can"
            )
        return self.bundle.population

    def _check_own(self, reference: PersonReference) -> None:
        if not isinstance(reference, PersonReference):
            raise InputError(
                f"a reference cannot be a {type(reference).__name__}; make one with "
                "reference_from, or read its file with load_reference"
            )
        if reference.digest != self.bundle.digest:
            raise InputError("this is the reference of another recogniser; make one with this one")


def _unpickled(folder: str, engine: str, device: str, whole: bool, digest: str) -> Recogniser:
    """A recogniser that was pickled; InputError if its folder holds another one by now."""
    recogniser = Recogniser(folder, engine, device, whole)
    if recogniser.bundle.digest != digest:
        raise InputError(f"{folder}: is another recogniser than the one that was pickled")
    return recogniser


def _check_fit(bundle: Bundle, describer: Describer) -> None:
    """InputError unless labels, patches, SVMs and features go together."""
    pairs, labels, number = bundle.pairs, len(bundle.labels), len(bundle.pairs.pairs)
    svms = [pairs]
    if bundle.population is not None:
        svms += [bundle.population.pairs, bundle.population.judge or pairs]
    shapes = {svm.weights.shape for svm in svms}
    if describer.classes not in (None, labels):
        fault = f"{labels} labels, but {NET_FILE} has {describer.classes} classes"
    elif shapes != {(number, len(bundle.patches), describer.dim)}:
        fault = (
            f"{number} pairs, {len(bundle.patches)} patches and {describer.dim} features need "
            f"other weights than those of {SVM_FILE}, {pairs.weights.shape}"
        )
    elif any(svm.pairs.min() < 0 or svm.pairs.max() >= labels for svm in svms):
        fault = f"{SVM_FILE} has pairs of other classes than the {labels} labels"
    else:
        return
    raise InputError(f"{bundle.folder / ABOUT_FILE}: {fault}; {REMEDY}")


def _votes_by_patch(shares: Float32Array, pairs: IntArray, label: int) -> Float64Array:
    """Sum of each patch's shares (pairs, patches) in the decisions for a class, (patches,)."""
    spoken = np.zeros(shares.shape[1])
    for (a, b), share in zip(pairs, shares, strict=True):
        if label in (a, b):
            spoken += share if label == a else -share
    return spoken
