"""SVMs on a network's features: as they are, fused with rivals, and measured from references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import JobFolder
from i2cnn.evaluation.methods import VOTE, fused_name, referenced_name
from i2cnn.evaluation.network_files import gram_file, load_array, save_array
from i2cnn.evaluation.recogniser_scores import plain_scores, referenced_scores
from i2cnn.evaluation.references import FoldReferences
from i2cnn.recogniser.bundle import POPULATION_FILE
from i2cnn.rivals.fold import RivalFold
from i2cnn.svm.album_rule import choose_album_rule
from i2cnn.svm.calibration import calibrate
from i2cnn.svm.gram import FoldGram, balanced_sum, per_patch_gram, sum_gram
from i2cnn.svm.gram_svc import Choice, GramSVC, fit_and_predict
from i2cnn.svm.pair_weights import SVM_FILE, PairWeights, collapse
from i2cnn.svm.person_reference import Population
from i2cnn.svm.population_fit import fit_references
from i2cnn.svm.variants import TRAINED, UNTRAINED, Variant
from i2cnn.util.arrays import Float32Array, Float64Array, IntArray
from i2cnn.util.progress import progress


@dataclass(frozen=True)
class NetworkScores:
    """What scores a net's features on one fold.

    Parameters
    ----------
    folder : JobFolder
        Of the fold; where predictions and the linear SVM go.
    rivals : mapping of str to RivalFold
        Rivals that are fused with the network, on the same fold.
    """

    folder: JobFolder
    rivals: Mapping[str, RivalFold]

    @property
    def inputs(self) -> Inputs:
        """Inputs of the run."""
        return self.folder.inputs

    def of(self, net: str, chosen: Sequence[Variant], features: Float32Array) -> dict[str, Any]:
        """Tune, fit and test all methods of one net.

        Parameters
        ----------
        net : {"trained", "untrained"}
        chosen : sequence of Variant
            Choices of its patches.
        features : ndarray of float32, (faces, patches, dim)
            Of all faces of the inputs.

        Returns
        -------
        dict of str to dict
            What was chosen and measured, by method.
        """
        methods: dict[str, Any] = {}
        with progress(f"SVMs of the {net} net") as update:
            per_patch = per_patch_gram(features, folder=self.folder.path)
            for number, variant in enumerate(chosen, 1):
                gram = sum_gram(per_patch, variant.positions)
                if variant.method == net:
                    methods |= self._whole(net, gram, features)
                else:
                    methods |= self._plain(variant.method, gram)[1]
                update(number, len(chosen))
        return methods

    def _whole(self, net: str, gram: Float64Array, features: Float32Array) -> dict[str, Any]:
        """The net's own patches, with what only a single net has: a linear SVM."""
        untrained = (
            gram if net == UNTRAINED else load_array(self.folder.path / gram_file(UNTRAINED))
        )
        model, methods = self.score_gram(net, gram, untrained)
        if net == TRAINED:
            scores, found = self.save_pairs(self._linear(model, gram, features), features)
            if self.inputs.settings.reference == "person":
                found |= self._save_population(features, untrained, scores)
            methods[net] |= found
        every = np.arange(len(gram))
        # Around their mean, products fit into float32.
        save_array(self.folder.path / gram_file(net), balanced_sum([gram], every))
        return methods

    def score_gram(
        self, net: str, gram: Float64Array, untrained: Float64Array
    ) -> tuple[GramSVC, dict[str, Any]]:
        """A net's Gram matrix as it is, fused with rivals, and measured from references.

        Parameters
        ----------
        net : {"trained", "untrained"}
        gram : ndarray of float64, (faces, faces)
        untrained : ndarray of float64, (faces, faces)
            That of the untrained net, on which the rule of the references is chosen: a trained net
            knows its training people, whose pictures make every rule look good.

        Returns
        -------
        GramSVC
            Fitted on the matrix as it is.
        dict of str to dict
            What was chosen and measured, by method.
        """
        model, methods = self._score(net, gram, untrained)
        fitted, _ = self.folder.sides
        for rival, described in self.rivals.items():
            own = described.whole_gram
            both = (balanced_sum([one, own], fitted) for one in (gram, untrained))
            methods |= self._score(fused_name(net, rival), *both)[1]
        return model, methods

    def score_votes(self, votes: Float64Array) -> dict[str, Any]:
        """Answers of networks without an SVM, by their probabilities (tested faces, classes)."""
        return {VOTE: {"accuracy": self.folder.save_predictions(VOTE, votes.argmax(axis=1))}}

    def _score(
        self, method: str, gram: Float64Array, chosen_on: Float64Array
    ) -> tuple[GramSVC, dict[str, Any]]:
        """A Gram matrix as it is, and measured from references."""
        model, methods = self._plain(method, gram)
        if self.inputs.settings.reference != "none":
            methods |= self._referenced(method, gram, chosen_on)
        return model, methods

    def _plain(self, method: str, gram: Float64Array) -> tuple[GramSVC, dict[str, Any]]:
        return self._fit_and_test(method, FoldGram.of(gram, *self.folder.sides))

    def _referenced(
        self, method: str, gram: Float64Array, chosen_on: Float64Array
    ) -> dict[str, Any]:
        references = FoldReferences(self.folder, gram, chosen_on)
        name = referenced_name(method, self.inputs.settings.reference)
        model, found = self._fit_and_test(name, references.gram)
        found[name]["reference"] = references.describe(model)
        return found

    def _fit_and_test(self, method: str, gram: FoldGram) -> tuple[GramSVC, dict[str, Any]]:
        """Tune, fit and test one method; what was chosen, under its name."""
        model, predicted = fit_and_predict(gram, self.folder.fitted_faces)
        return model, {method: self.entry(method, predicted, model.choice_)}

    def entry(self, method: str, predicted: IntArray, choice: Choice) -> dict[str, Any]:
        """Write a method's predictions; returns what was chosen and measured."""
        return {
            "accuracy": self.folder.save_predictions(method, predicted),
            "kernel": choice.kernel,
            "C": choice.C,
            "gamma": choice.gamma,
            "inner_accuracy": choice.accuracy,
        }

    def _linear(self, model: GramSVC, gram: Float64Array, features: Float32Array) -> PairWeights:
        """The linear SVM, whichever kernel was chosen, with calibrated scores."""
        fold, faces = FoldGram.of(gram, *self.folder.sides), self.folder.fitted_faces
        linear = model
        if model.choice_.kernel != "linear":
            linear, _ = fit_and_predict(fold, faces, ("linear",))
        pairs = collapse(linear, features, self.folder.sides[0])
        slope = calibrate(fold.fitted, faces, linear.choice_.C)
        return replace(pairs, slope=slope)

    def _save_population(
        self, features: Float32Array, untrained: Float64Array, scores: Float64Array
    ) -> dict[str, Any]:
        """Save what a recogniser needs to use references, by a rule that the untrained net chooses.

        Returns
        -------
        dict
            Its accuracy on the test faces, each measured from all pictures of its person (the only
            picture of a person is named as it is), and how well its probabilities hold.
        """
        inputs = self.inputs
        fitted, tested = self.folder.sides
        rule = choose_album_rule(untrained[np.ix_(fitted, fitted)], self.folder.fitted_faces)
        path = self.folder.path / POPULATION_FILE
        fit_references(features, fitted, self.folder.fitted_faces, rule).save(path)
        people, truth = inputs.subjects[tested], inputs.labels[tested]
        return referenced_scores(scores, Population.load(path), features, tested, people, truth)

    def save_pairs(
        self, pairs: PairWeights, features: Float32Array
    ) -> tuple[Float64Array, dict[str, Any]]:
        """Save a linear SVM; its scores (tested faces, classes), and their `plain_scores`."""
        _, tested = self.folder.sides
        pairs.save(self.folder.path / SVM_FILE)
        scores = pairs.face_scores((features[row] for row in tested), len(self.inputs.task))
        truth = self.inputs.labels[tested]
        return scores, plain_scores(scores, truth, pairs.slope is not None)
