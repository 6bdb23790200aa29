"""The schedule that `evaluate` and `train` are asked for."""

from __future__ import annotations

import argparse

from i2cnn.network.profiles import template_schedule


def chosen_schedule(options: argparse.Namespace) -> dict[str, int]:
    """The profile's schedule, or a share of it, with what the options change of it."""
    schedule = template_schedule(options.profile)
    for name in ("max_iter", "validate_every", "patience"):
        if schedule[name]:
            schedule[name] = max(1, round(schedule[name] * options.schedule))
    given = {name: getattr(options, name) for name in schedule}
    return schedule | {name: value for name, value in given.items() if value is not None}
