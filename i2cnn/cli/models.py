"""`i2cnn models` and `i2cnn card`: the recognisers that ship."""

from __future__ import annotations

import argparse

from i2cnn.models import find_model, models
from i2cnn.models.card import CARD_FILE, read_card
from i2cnn.util.errors import InputError
from i2cnn.util.files import write_text
from i2cnn.util.text import show


def list_models(options: argparse.Namespace) -> int:
    """Print the recognisers that are installed, with a line of their cards."""
    for name, folder in models().items():
        card = read_card(folder)
        show(f"{name:<12} {card.line if card else f'{folder} (without a card)'}")
    return 0


def print_card(options: argparse.Namespace) -> int:
    """Print the card of a recogniser, or write it into a file."""
    folder = find_model(options.model)
    card = read_card(folder)
    if card is None:
        raise InputError(
            f"{folder / CARD_FILE}: no such file; repeat the evaluate command that made it"
        )
    if options.out is None:
        show(*card.text().splitlines())
    else:
        write_text(options.out, card.text())
        show(f"card: {options.out}")
    return 0
