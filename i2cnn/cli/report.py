"""`i2cnn report`: a run's report again, several runs side by side, or one to be published."""

from __future__ import annotations

import argparse
from pathlib import Path

from i2cnn.report.page import compare, write_report
from i2cnn.report.publish import publish
from i2cnn.report.terminal import print_comparison, print_report
from i2cnn.util.errors import InputError
from i2cnn.util.text import show


def report(options: argparse.Namespace) -> None:
    """Write a run's report again, compare several runs, or publish one."""
    if len(options.runs) > 1:
        if options.publish is not None:
            raise InputError("--publish takes one run; give it alone")
        if len({run.resolve() for run in options.runs}) < len(options.runs):
            raise InputError("a run is given twice; give each once")
        out = options.out or Path("comparison.html")
        print_comparison(compare(options.runs, out))
        show(f"comparison: {out}")
        return
    (run,) = options.runs
    if options.out is not None:
        raise InputError(f"--out is for several runs; the report of one is in {run / 'report'}")
    written = write_report(run) if options.publish is None else publish(run, options.publish)
    print_report(written)
    show(f"report: {written.page}")
    if options.publish is not None:
        show(f"published: {options.publish}")
