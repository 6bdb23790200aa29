"""The schedule that the options of `evaluate` and `train` ask for."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from i2cnn.network.profiles import Schedule, template_schedule


def chosen_schedule(options: argparse.Namespace) -> Schedule:
    """The profile's schedule, or a share of it, with the changes that the options make."""
    values = asdict(template_schedule(options.profile))
    for name in ("max_iter", "validate_every", "patience"):
        if values[name]:
            values[name] = max(1, round(values[name] * options.schedule))
    given = {name: getattr(options, name) for name in values}
    return Schedule(**values | {name: v for name, v in given.items() if v is not None})
