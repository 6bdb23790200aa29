"""rich's console for text from outside: no markup, no emoji codes, no control characters."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from i2cnn.util.text import STANDARD_OUTPUT, printable, printable_lines

#: Columns of what no terminal shows: files and pipes. Tables take only what they need.
_WIDTH = 200


class PlainConsole(Console):
    """A console that prints every string as it is; a :class:`rich.text.Text` has the styles.

    Where the output is no terminal, lines are not broken at 80 columns, unless the variable
    COLUMNS says so.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = options.get("width") or _WIDTH

    def print(self, *values: Any, **options: Any) -> None:
        """Print, a table that is too wide without blanks beside its cells.

        An error of the system names the output.
        """
        for value in values:
            if isinstance(value, Table) and self._wants(value) > self.width:
                value.padding = 0
        try:
            super().print(*values, **options)
        except OSError as error:
            error.filename = "standard error" if self.stderr else STANDARD_OUTPUT
            raise

    def _wants(self, table: Table) -> int:
        """Columns that a table takes where there is room."""
        return self.measure(table, options=self.options.update(width=_WIDTH)).maximum

    def render_str(self, text: str, **options: Any) -> Text:
        """A string on its way into a table, a title or a line."""
        return super().render_str(printable_lines(text), **options)


def table_of(*columns: str, **options: Any) -> Table:
    """A table whose first column is on the left and the others on the right.

    On a narrow terminal its cells are folded, and nothing is cut off.
    """
    table = Table(**options)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def bold(text: str) -> Text:
    """A cell of a table that stands out."""
    return Text(printable(text), "bold")
