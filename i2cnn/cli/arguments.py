"""argparse with errors of one line and suggestions for what was mistyped."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

#: What a parser's `add_subparsers` returns.
Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line and suggest what may have been meant.

    The usage is printed by `--help` only. As with argparse, errors exit with status 2.
    """

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; whatever is unknown is an error here, where the known options are at hand."""
        words = sys.argv[1:] if args is None else list(args)
        # First, so that `--otu RUN` is not answered with "--out is required".
        for option in self._long_options(words):
            if not any(known.startswith(option) for known in self._option_string_actions):
                self._refuse(option)
        options, unknown = super().parse_known_args(words, namespace)
        if unknown:
            self._refuse(unknown[0])
        return options, unknown

    def _long_options(self, words: Sequence[str]) -> Iterator[str]:
        """Options among the words, without their values; those behind a verb are the verb's."""
        for word in words:
            if word == "--" or (self._subparsers is not None and not word.startswith("-")):
                return
            if word.startswith("--"):
                yield word.partition("=")[0]

    def _refuse(self, word: str) -> NoReturn:
        what = "unknown option" if word.startswith("-") else "unexpected argument"
        self.error(f"{what} {word}; {self._hint(word, self._option_string_actions)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if action.dest == "verb":
            self.error(f"unknown verb {value}; {self._hint(value, action.choices)}")
        choices = ", ".join(map(str, action.choices))
        guess = closest(str(value), action.choices)
        more = f"; did you mean {guess}?" if guess else ""
        raise argparse.ArgumentError(action, f"{value!r} is not one of {choices}{more}")

    def _hint(self, word: str, known: Iterable[str]) -> str:
        guess = closest(word, known)
        return f"did you mean {guess}?" if guess else f"see `{self.prog} --help`"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant, if one of them is close."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
