"""The tables of gpu.py, from its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

Record = dict[str, Any]
WORKS = ("training", "training, LMDB", "forward")


def print_tables(records: Sequence[Record], console: Console) -> None:
    """Rates with the rivals', the longest kernels, and a line for every other result."""
    rates = {(r["part"], r["precision"], r["work"]): r for r in records if "tflops" in r}
    precisions = [p for p in ("float32", "tf32", "bf16") if any(p == key[1] for key in rates)]
    table = Table(title="AlexNet, images/s")
    heads = ("ours", "eager", "compiled", "/ eager", "/ compiled", "of peak", "waits")
    table.add_column("")
    for head in heads:
        table.add_column(head, justify="right")
    for precision in precisions:
        for work in WORKS:
            table.add_row(f"{precision} {work}", *rate_row(rates, precision, work))
    console.print(table)
    for (part, precision, work), rate in rates.items():
        if part == "ours" and rate.get("kernels"):
            print_kernels(f"{precision} {work}", rate, console)
    for record in records:
        if "tflops" not in record or record["part"] == "device":
            console.print(line_of(record), markup=False)


def rate_row(rates: dict[tuple[str, str, str], Record], precision: str, work: str) -> list[str]:
    """Cells of one precision and kind of work."""

    def rate(part: str, of: str = work) -> float | None:
        value = rates.get((part, precision, of), {}).get("images_per_s")
        return None if value is None else float(value)

    # The rivals' data are always in memory.
    usual = work.split(",")[0]
    ours, eager, compiled = rate("ours"), rate("eager", usual), rate("compiled", usual)
    own = rates.get(("ours", precision, work), {})
    peak = rates.get(("device", precision, "product"), {}).get("tflops")
    share = own["tflops"] / peak if own and peak else None
    return [
        *(cell(value, "{:,.0f}") for value in (ours, eager, compiled)),
        *(cell(ours / x if ours and x else None, "{:.2f}") for x in (eager, compiled)),
        cell(share, "{:.1%}"),
        cell(own.get("waits"), "{:.1%}"),
    ]


def cell(value: float | None, form: str) -> str:
    """A number, or nothing where it was not measured."""
    return "" if value is None else form.format(value)


def print_kernels(title: str, rate: Record, console: Console) -> None:
    """The longest kernels of an iteration."""
    console.print(f"ours, {title}: {rate['ms']:.2f} ms, {rate['busy_ms']:.2f} ms of it busy")
    for row in rate["kernels"]:
        text = f"  {row['ms']:8.3f} ms {row['calls']:6.1f} x  {row['kernel']}"
        console.print(text, markup=False)


def line_of(record: Record) -> str:
    """A result in a line."""
    words = []
    for name, value in record.items():
        if name in ("part", "precision", "work") or value in ("", None):
            continue
        value = value.splitlines()[0] if isinstance(value, str) else value
        text = f"{value:,.3g}" if isinstance(value, float) and value < 100 else str(value)
        text = f"{value:,.0f}" if isinstance(value, float) and value >= 100 else text
        words.append(f"{name} {text}")
    title = ", ".join(filter(None, (record["part"], record["precision"], record.get("work"))))
    return f"{title}: {'; '.join(words)}"
