"""The folder of a recogniser: which files it has, how it is written, and what is checked.

deploy.prototxt, net.caffemodel
    The network, where faces are described by one.
transform.npz
    Mean image, crop and scale: what the network's Data layer did to a patch.
svm.npz
    The linear SVM, one weight vector per pair of classes.
reference.npz
    Where the recogniser can use references: the values of the people that it was fitted on, and the
    SVM for features measured from a person's reference. svm.npz is then for features minus these
    people's mean.
scheme.toml
    The patch scheme, unless it is a built-in one.
card.json, card.md
    What its users should know.
recogniser.json
    Labels, features, scheme, patches, SHA-256 of the other files, and where the recogniser comes
    from.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.models.card import CARD_FILE, Card, write_card
from i2cnn.network.training_folder import DEPLOY_FILE, NET_FILE, TRAIN_VAL_FILE
from i2cnn.network.transform import Transform
from i2cnn.patches.schemes import SCHEMES, PatchSet, Scheme, get_scheme
from i2cnn.recogniser.features import FC7, FEATURES, HOG, TRANSFORM_FILE, Features
from i2cnn.svm.pair_weights import SVM_FILE, PairWeights
from i2cnn.svm.person_reference import Population
from i2cnn.torchcaffe.formats.prototext import fillers_of, read_net, write_prototxt
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_folder, digest, file_digest, read_json, write_json

ABOUT_FILE = "recogniser.json"
SCHEME_FILE = "scheme.toml"
POPULATION_FILE = "reference.npz"
REMEDY = "copy the whole folder again, or repeat the evaluate command that made it"


@dataclass(frozen=True)
class Bundle:
    """What a recogniser is made of.

    Parameters
    ----------
    folder : Path
    labels : tuple of str
        In class order.
    patches : PatchSet
        The patches of a face that its SVM sees.
    features : Features
        How it describes a face.
    pairs : PairWeights
        For features minus the population's mean, where there is one.
    population : Population or None
        What it needs to use references.
    about : mapping
        Content of recogniser.json.
    """

    folder: Path
    labels: tuple[str, ...]
    patches: PatchSet
    features: Features
    pairs: PairWeights
    population: Population | None
    about: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 that references of this recogniser carry."""
        names = ("labels", "scheme", "patches", "files")
        return digest({"features": self.features.name} | {name: self.about[name] for name in names})


def save_bundle(
    target: Path,
    folder: Path,
    labels: Iterable[str],
    patches: PatchSet,
    origin: Mapping[str, Any],
    card: Card,
) -> None:
    """Write the folder of a recogniser with a network, all of it or nothing.

    Parameters
    ----------
    target : Path
        Folder to write; an older recogniser there is replaced.
    folder : Path
        Training folder with the network and, beside it, the linear SVM on its features; and
        `reference.npz` if it can use references.
    labels : iterable of str
        In class order.
    patches : PatchSet
        The patches of a face that the SVM sees.
    origin : mapping
        Where the recogniser comes from; joins recogniser.json and is not interpreted.
    card : Card
        What its users should know.
    """

    def fill(partial: Path) -> None:
        _save_deploy(folder / DEPLOY_FILE, partial / DEPLOY_FILE)
        for name in (NET_FILE, SVM_FILE):
            shutil.copyfile(folder / name, partial / name)
        if (folder / POPULATION_FILE).is_file():
            shutil.copyfile(folder / POPULATION_FILE, partial / POPULATION_FILE)
            mean = Population.load(folder / POPULATION_FILE).mean
            PairWeights.load(folder / SVM_FILE).about(mean).save(partial / SVM_FILE)
        Transform.from_training_folder(folder).save(partial / TRANSFORM_FILE)
        write_card(partial, card)

    _write(target, fill, FC7, labels, patches, origin)


def save_hog_bundle(
    target: Path,
    labels: Iterable[str],
    patches: PatchSet,
    pairs: PairWeights,
    population: Population,
    origin: Mapping[str, Any],
) -> None:
    """Write the folder of a recogniser by HOG that can use references, as :func:`save_bundle`.

    Parameters
    ----------
    target, labels, patches, origin
        As for :func:`save_bundle`.
    pairs : PairWeights
        For features minus the population's mean.
    population : Population
    """

    def fill(partial: Path) -> None:
        pairs.save(partial / SVM_FILE, np.float16)
        population.save(partial / POPULATION_FILE)

    _write(target, fill, HOG, labels, patches, origin)


def _write(
    target: Path,
    fill: Callable[[Path], None],
    features: Features,
    labels: Iterable[str],
    patches: PatchSet,
    origin: Mapping[str, Any],
) -> None:
    """Write a recogniser's folder, whose models `fill` writes into a folder that it is given."""
    with atomic_folder(target, replace=True) as partial:
        fill(partial)
        models = {path.name for path in partial.iterdir()}
        scheme = _save_scheme(patches.scheme, partial)
        about = {
            "labels": list(labels),
            "features": features.name,
            "scheme": scheme,
            "patches": list(patches.patches),
            **origin,
            # So that a folder put together from two recognisers is noticed.
            "files": {
                name: file_digest(partial / name)
                for name in _names(features, scheme, POPULATION_FILE in models)
            },
        }
        write_json(partial / ABOUT_FILE, about)


def _save_deploy(source: Path, target: Path) -> None:
    """Copy a net without its fillers: its weights are read, and drawing others takes seconds."""
    net = read_net(source)
    for owner, field, _ in list(fillers_of(net)):
        owner.ClearField(field)
    write_prototxt(target, net)


def _save_scheme(scheme: Scheme, folder: Path) -> str:
    """Name of a built-in scheme, or that of the copy of its file."""
    if scheme.name in SCHEMES:
        return scheme.name
    shutil.copyfile(scheme.name, folder / SCHEME_FILE)
    if get_scheme(folder / SCHEME_FILE).digest != scheme.digest:
        raise InputError(f"{scheme.name}: was edited since it was read; undo the edit")
    return SCHEME_FILE


def bundled(target: Path) -> Mapping[str, Any]:
    """Content of a bundle's recogniser.json; empty where none can be used, or it has no card."""
    if not (target / CARD_FILE).is_file():
        return {}
    try:
        return _read_about(target)
    except InputError:
        return {}


def load_bundle(folder: Path) -> Bundle:
    """Read a recogniser's folder.

    Raises
    ------
    InputError
        A file is missing, damaged or of another recogniser, or was written by an older version.
    """
    about = _read_about(folder)
    scheme = about["scheme"]
    references = POPULATION_FILE in about["files"]
    try:
        return Bundle(
            folder,
            tuple(about["labels"]),
            _patches(
                folder,
                get_scheme(scheme if scheme in SCHEMES else folder / scheme),
                about["patches"],
            ),
            FEATURES[about["features"]],
            PairWeights.load(folder / SVM_FILE),
            Population.load(folder / POPULATION_FILE) if references else None,
            about,
        )
    except InputError as error:
        remedy = "" if str(error).endswith(REMEDY) else f"; {REMEDY}"
        raise InputError(f"{error}{remedy}") from None


def _patches(folder: Path, scheme: Scheme, patches: list[int]) -> PatchSet:
    if not all(0 <= p < len(scheme) for p in patches):
        raise InputError(
            f"{folder / ABOUT_FILE}: its patches are not all of the scheme's, "
            f"0 to {len(scheme) - 1}; {REMEDY}"
        )
    return PatchSet(scheme, tuple(patches))


def _names(features: Features, scheme: str, references: bool) -> tuple[str, ...]:
    """Files of a bundle in addition to recogniser.json."""
    names = (*features.files, SVM_FILE)
    names += () if scheme in SCHEMES else (SCHEME_FILE,)
    return (*names, POPULATION_FILE) if references else names


def _read_about(folder: Path) -> dict[str, Any]:
    """Content of recogniser.json, after a check that the folder's other files belong to it."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `i2cnn evaluate` makes RUN/recogniser")
    _check_present(folder, [ABOUT_FILE])
    about = _parse_about(folder / ABOUT_FILE)
    files: dict[str, str] = about["files"]
    _check_present(folder, files)
    for name, stored in files.items():
        if file_digest(folder / name) != stored:
            raise InputError(
                f"{folder / name}: damaged, or it is not the one this recogniser was made with; "
                f"{REMEDY}"
            )
    return about


def _check_present(folder: Path, names: Iterable[str]) -> None:
    absent = [name for name in names if not (folder / name).is_file()]
    if absent and (folder / "recogniser" / ABOUT_FILE).is_file():
        raise InputError(f"{folder}: is a run; give its recogniser, {folder / 'recogniser'}")
    if absent:
        raise InputError(
            f"{folder}: not a recogniser ({', '.join(absent)} missing); copy the whole "
            "folder RUN/recogniser"
        )


def _parse_about(path: Path) -> dict[str, Any]:
    """Content of recogniser.json; InputError unless its entries have the right form."""
    about = read_json(path)
    if not isinstance(about, dict):
        raise InputError(f"{path}: does not describe a recogniser; {REMEDY}")
    scheme, files = about.get("scheme"), about.get("files")
    # Until 0.1, the transform was read from the network's train_val.prototxt.
    if "files" not in about or (isinstance(files, dict) and TRAIN_VAL_FILE in files):
        raise InputError(
            f"{path}: is of an older version of i2cnn; repeat the evaluate command of its run, "
            "which writes RUN/recogniser again"
        )
    # Until 0.2, every recogniser had a network.
    features = FEATURES.get(f"{about.setdefault('features', FC7.name)}")
    known = scheme in (*SCHEMES, SCHEME_FILE)
    valid = {
        "labels": _are_distinct(about.get("labels"), str),
        "features": features is not None,
        "scheme": known,
        "patches": _are_distinct(about.get("patches"), int),
        "files": isinstance(files, dict) and _are_complete(files, features, scheme),
    }
    odd = [name for name, is_valid in valid.items() if not is_valid]
    if odd:
        raise InputError(f"{path}: {', '.join(odd)} missing or edited by hand; {REMEDY}")
    return about


def _are_complete(files: Mapping[str, Any], features: Features | None, scheme: Any) -> bool:
    """False if a kind of recogniser has other files than these; who knows, if it is unknown."""
    if features is None or scheme not in (*SCHEMES, SCHEME_FILE):
        return True
    return set(files) == set(_names(features, f"{scheme}", POPULATION_FILE in files))


def _are_distinct(values: Any, kind: type) -> bool:
    """True for a list of one or more values of one type, each of them once."""
    # A boolean is an int to isinstance.
    right = isinstance(values, list) and all(type(v) is kind for v in values)
    return right and 0 < len(set(values)) == len(values)
