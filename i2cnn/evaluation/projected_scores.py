"""SVMs of more faces than a Gram matrix can have (see :mod:`i2cnn.svm.projected`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from i2cnn.evaluation import EXACT_FACES
from i2cnn.evaluation.network_scores import NetworkScores
from i2cnn.svm.gram import per_patch_gram, sum_gram
from i2cnn.svm.projected import FoldPoints, ProjectedFold, choose_landmarks, project_back
from i2cnn.svm.variants import TRAINED, Variant
from i2cnn.util.arrays import Float32Array, IntArray
from i2cnn.util.progress import progress, say


class ProjectedScores(NetworkScores):
    """What scores a net's features on one fold where there are too many faces to do it exactly."""

    def of(self, net: str, chosen: Sequence[Variant], features: Float32Array) -> dict[str, Any]:
        landmarks = choose_landmarks(self.folder.sides[0])
        say(
            f"  {len(features)} faces are more than {EXACT_FACES}: linear SVMs on their "
            f"products with {len(landmarks)} of them, an approximation"
        )
        methods: dict[str, Any] = {}
        with progress(f"SVMs of the {net} net") as update:
            per_patch = per_patch_gram(features, landmarks, self.folder.path)
            for number, variant in enumerate(chosen, 1):
                products = sum_gram(per_patch, variant.positions).astype(np.float32)
                methods |= self._projected(variant.method, products, landmarks, features)
                update(number, len(chosen))
        return methods

    def _projected(
        self, method: str, products: Float32Array, landmarks: IntArray, features: Float32Array
    ) -> dict[str, Any]:
        """Tune, fit and test one method; save the whole trained net's SVM."""
        points = FoldPoints.of(products, landmarks, *self.folder.sides)
        fold = ProjectedFold(points, self.folder.fitted_faces)
        model, choice = fold.fit()
        found = self.entry(method, model.predict(points.tested), choice)
        found["landmarks"] = len(landmarks)
        if method == TRAINED:
            pairs = project_back(model, points, features, landmarks)
            pairs = replace(pairs, slope=fold.calibrate(choice.C))
            found |= self.save_pairs(pairs, features)[1]
        return {method: found}
