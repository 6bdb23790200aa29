"""What a report says in plain words; every number comes from the report."""

from __future__ import annotations

from i2cnn.datasets import IN_WORDS
from i2cnn.evaluation.folds import unseen
from i2cnn.evaluation.methods import RIVAL, network_id, referenced_name
from i2cnn.report.comparisons import CHANCE, LEVEL, Comparison, Pair
from i2cnn.report.run_report import PROFILE_WORDS, MethodReport, RunReport
from i2cnn.svm.variants import UNTRAINED

#: Confusions that are named.
_SHOWN = 5


def source(report: RunReport) -> str:
    """The data set in words."""
    return IN_WORDS[report.settings.dataset]


def heading(report: RunReport) -> str:
    """Title of a page: the data set's name first."""
    name = source(report)
    return f"{name[0].upper()}{name[1:]}: {len(report.task)} facial expressions"


def summary(report: RunReport) -> list[str]:
    """What the run found, in plain sentences: as faces are, compared, and with references."""
    if not report.main_methods:
        return []
    compared = [_training(report), _rival(report)] if report.network else []
    paragraphs = [
        [_found(report), _chance(report), _too_few(report)],
        compared,
        [_reference(report)],
    ]
    return [text for part in paragraphs if (text := " ".join(filter(None, part)))]


def _found(report: RunReport) -> str:
    main = report.leading
    low, high = main.scores.interval
    return (
        f"On {source(report)}, {main.method.title} names {100 * main.scores.mean:.1f} % of "
        f"{main.faces} {_tested(report, main)} correctly (95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f} %{_own_split(report)}). {_profile(report)}."
    )


def _profile(report: RunReport) -> str:
    if not report.settings.patch_counts:
        return "No network was trained"
    profile = report.settings.profile
    changed = ", changed in what is said below" if report.departures else ""
    return f"The profile is {profile}: {PROFILE_WORDS[profile]}{changed}"


def _tested(report: RunReport, row: MethodReport) -> str:
    """What a method was tested on, to stand behind a number of faces."""
    if report.settings.has_own_split:
        return "pictures of the test part"
    people = sum(len(report.folds.folds[n - 1].test) for n in row.scores.fold_accuracies)
    return f"faces of {unseen(people)}"


def _own_split(report: RunReport) -> str:
    """What an interval over pictures leaves out; empty where people are apart."""
    if not report.settings.has_own_split:
        return ""
    return f" over pictures; {report.settings.protocol}"


def _chance(report: RunReport) -> str:
    would = f"Always naming the most frequent expression would reach {100 * report.chance:.1f} %"
    pair = _pair(report.comparison(), CHANCE)
    return f"{would}." if pair is None else f"{would}: {verdict(pair, 'the network')}."


def _too_few(report: RunReport) -> str:
    """What even the clearest differences can't show, where so few people were tested."""
    comparison = report.comparison()
    people = 0 if comparison is None or report.settings.has_own_split else comparison.people
    least = 2 / 2**people  # all signs alike, either way, of all that the test can draw
    if not people or least < LEVEL:
        return ""
    return (
        f"{people} people are too few to tell any difference from chance: not even one that all "
        f"of them show gives less than {p_words(least)}."
    )


def _training(report: RunReport, reference: str = "") -> str:
    untrained = referenced_name(network_id(report.most_patches, UNTRAINED), reference)
    pair = _pair(report.comparison(reference), untrained)
    if pair is None:
        return ""
    return f"{verdict(pair, 'The trained network', 'its untrained self')}."


def _rival(report: RunReport, reference: str = "") -> str:
    comparison = report.comparison(reference)
    rivals = [m for m in report.methods if m.method.group == RIVAL]
    rivals = [m for m in rivals if m.method.reference == reference]
    if comparison is None or not rivals:
        return ""
    best = max(rivals, key=lambda m: m.scores.mean)
    pair = comparison.against(best.method.id)
    if pair is None:
        return ""
    network = "the network" if report.on_equal_folds else "on the same faces the network"
    return (
        f"The best of the other methods, {best.method.title}, reaches "
        f"{100 * best.scores.mean:.1f} %: {verdict(pair, network)}."
    )


def _reference(report: RunReport) -> str:
    reference = report.settings.reference
    shown = next((r for r in report.references if r.plain is report.network), None)
    shown = shown or report.best_reference
    if shown is None:
        return ""
    unlabelled = " (unlabelled)" if reference == "person" else ""
    ends = shown.interval
    interval = f" (95 % interval {100 * ends[0]:+.1f} to {100 * ends[1]:+.1f})" if ends else ""
    found = (
        f"Measured from {report.reference_words}{unlabelled}, {shown.plain.method.title} reaches "
        f"{100 * shown.referenced.scores.mean:.1f} %, {100 * shown.gain:+.1f} points{interval}."
    )
    return " ".join(filter(None, [found, _training(report, reference), _rival(report, reference)]))


def _pair(comparison: Comparison | None, other: str) -> Pair | None:
    return None if comparison is None else comparison.against(other)


def verdict(pair: Pair, first: str, second: str = "that") -> str:
    """How the first method of a pair stands to the second, and whether that may be chance."""
    points = f"{abs(100 * pair.difference.value):.1f} points"
    where = "above" if pair.difference.value > 0 else "below"
    if points.startswith("0.0 "):
        points, where = "on a level", "with"
    chance = "" if pair.is_significant else ", which may be chance"
    raw, corrected = p_words(pair.difference.p), p_words(pair.p_holm)
    p = raw if raw == corrected else f"{raw}, corrected {corrected.removeprefix('p = ')}"
    return f"{first} is {points} {where} {second}{chance} ({p})"


def p_words(p: float) -> str:
    """A p value as people print it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def calibration(report: RunReport) -> str:
    """How well the probabilities of a recogniser hold; empty where nothing is known."""
    if not report.calibration:
        return ""
    errors = ", ".join(f"{100 * e:.1f} % (k = {k})" for k, e in report.calibration.items())
    return (
        "The scores that i2cnn predict gives with this run's recogniser are probabilities; "
        f"expected calibration error on the tested faces: {errors}."
    )


def confusions(report: RunReport) -> list[tuple[str, int]]:
    """The leading method's most frequent confusions, `true -> predicted`, and their numbers.

    Over several seeds the numbers of faces are sums.
    """
    row = report.leading
    labels = report.task.labels
    found = [
        (f"{true} \N{RIGHTWARDS ARROW} {named}", int(row.scores.confusion[i, j]))
        for i, true in enumerate(labels)
        for j, named in enumerate(labels)
        if i != j and row.scores.confusion[i, j]
    ]
    return sorted(found, key=lambda item: -item[1])[:_SHOWN]


def key_of_curves(report: RunReport) -> str:
    """A warning for readers of the learning curves of several numbers of patches."""
    best: dict[int, float] = {}
    for training in report.trainings:
        highest = max(point.accuracy for point in training.record.curve)
        best[training.k] = max(highest, best.get(training.k, 0.0))
    if len(best) < 2:
        return ""
    found = "Curves count patches, not faces; the accuracies of faces are in the tables."
    if 1 not in best or best[1] < max(best.values()):
        return found
    return (
        f"{found} k = 1 looks best here since its one kind of patch shows most of the face, while "
        "the others average over small parts that say less."
    )
