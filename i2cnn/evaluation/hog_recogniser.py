"""The recogniser of a run without networks: HOG of the patches and a linear SVM."""

from __future__ import annotations

from pathlib import Path

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.recogniser_scores import plain_scores, referenced_scores
from i2cnn.evaluation.rival_job import RivalJob
from i2cnn.evaluation.run_card import run_card
from i2cnn.models.card import write_card
from i2cnn.recogniser.bundle import load_bundle, save_hog_bundle
from i2cnn.rivals.hog import unmirrored
from i2cnn.svm.population_fit import fit_population
from i2cnn.util.progress import say

#: Faces from which the fit takes minutes; it takes the square of their number.
_MANY = 1000


def save_hog_recogniser(target: Path, job: RivalJob, run: Path, inputs: Inputs) -> None:
    """Fit a recogniser on the fitted faces of a fold, test it on the others, and write both.

    Parameters
    ----------
    target : Path
        Folder to write; an older recogniser there is replaced.
    job : RivalJob
        HOG on the fold.
    run : Path
    inputs : Inputs
        Of the run; the people of its faces are known.
    """
    long = ", some minutes" if len(inputs.all_faces) > _MANY else ""
    say(f"making a recogniser by HOG, of fold {job.fold}{long}")
    job.prepare(run, inputs)
    fold, patches = job.fold_of(run, inputs), unmirrored(inputs.scheme)
    features = fold.features.reshape(len(fold.features), len(patches), -1)
    fit = fit_population(features[fold.fitted], fold.faces)
    origin = {
        "dataset": inputs.settings.dataset,
        "run_digest": inputs.settings.digest,
        "inputs": inputs.digest,
        "job": job.folder,
    }
    save_hog_bundle(target, inputs.task.labels, patches, fit.plain, fit.population, origin)
    bundle = load_bundle(target)
    assert bundle.population is not None
    rows, population = fold.tested, bundle.population
    scores = bundle.pairs.face_scores(features[rows] - population.mean, len(inputs.task))
    people, truth = inputs.subjects[rows], inputs.labels[rows]
    found = plain_scores(scores, truth, bundle.pairs.slope is not None)
    found |= referenced_scores(scores, population, features, rows, people, truth)
    method = f"Histograms of oriented gradients of {len(patches)} patches per face"
    write_card(target, run_card(inputs, job.fold, "HOG", method, found))
