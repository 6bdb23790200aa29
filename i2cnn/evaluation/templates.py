"""What a run's networks are made of: templates and patches that stay those that it began with."""

from __future__ import annotations

from pathlib import Path

from i2cnn.network.profiles import JITTER, patch_size, template_dir
from i2cnn.network.training_folder import DEPLOY_FILE, SOLVER_FILE, TRAIN_VAL_FILE
from i2cnn.torchcaffe.formats.prototext import read_net, read_solver
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, read_json, write_json

#: Key of run.json, beside the settings, whose digest knows nothing of it.
_TEMPLATES = "templates"


def template_digest(profile: str) -> str:
    """Digest of what a profile's solver, train_val and deploy templates say, without comments.

    The size of its patches and the number of their jittered copies count as well.
    """
    folder = template_dir(profile)
    nets = [read_net(folder / name) for name in (TRAIN_VAL_FILE, DEPLOY_FILE)]
    messages = [read_solver(folder / SOLVER_FILE), *nets]
    patches = [patch_size(profile), JITTER.get(profile, 0)]
    nets_and_solver = [m.SerializeToString(deterministic=True).hex() for m in messages]
    return digest([*nets_and_solver, *patches])


def check_templates(path: Path, profile: str) -> None:
    """InputError unless a run's networks, of which some were begun, came from today's templates.

    Parameters
    ----------
    path : Path
        Its run.json.
    profile : str
    """
    stored = read_json(path).get(_TEMPLATES)
    if stored == template_digest(profile):
        return
    told = "" if stored else ", which an earlier version of i2cnn did not note"
    raise InputError(
        f"{path.parent}: its networks were begun with other prototxt templates or patches of the "
        f"profile {profile} than those installed now{told}; more networks would be mixed with "
        "them. Start a new run with another --out folder"
    )


def keep_templates(path: Path, profile: str) -> None:
    """Enter the digest of today's templates into a run's run.json."""
    content = read_json(path)
    kept = content | {_TEMPLATES: template_digest(profile)}
    if kept != content:
        write_json(path, kept)
