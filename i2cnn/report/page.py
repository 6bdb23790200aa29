"""The HTML pages: one run's report, and several runs compared."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape

from i2cnn.report import words
from i2cnn.report.confused import ConfusedFace, confused_faces
from i2cnn.report.downloads import compared_tables, paper_name, text_tables
from i2cnn.report.glossary import GLOSSARY
from i2cnn.report.make_report import make_report
from i2cnn.report.metrics_file import METRICS_FILE, write_metrics
from i2cnn.report.pictures import Picture, draw_pictures
from i2cnn.report.results import read_results
from i2cnn.report.run_report import RunReport
from i2cnn.report.tables import (
    PaperTable,
    by_accuracy,
    network_rows,
    page_tables,
    paper_tables,
    protocols,
)
from i2cnn.util.files import atomic_path, write_text
from i2cnn.util.progress import duration
from i2cnn.util.text import counted


def write_report(run: Path) -> RunReport:
    """Write `RUN/report` from the finished jobs.

    Raises
    ------
    InputError
        Nothing is finished; or a file of the run was edited, damaged or belongs to another run.
    """
    results = read_results(run)
    report = make_report(results)
    confused = confused_faces(results, report)
    write_files(report.page.parent, report, draw_pictures(report), confused)
    return report


def write_files(
    folder: Path,
    report: RunReport,
    pictures: Mapping[str, Picture],
    confused: Sequence[ConfusedFace],
) -> None:
    """Write the files of a report into a folder; the others are as for :func:`report_html`."""
    write_metrics(folder / METRICS_FILE, report)
    for name, picture in pictures.items():
        with atomic_path(folder / name) as partial:
            partial.write_bytes(picture.png)
    for old in folder.glob("*.png"):
        if old.name not in pictures:
            old.unlink(missing_ok=True)  # another report may have
    write_text(folder / report.page.name, report_html(report, pictures, confused))


def report_html(
    report: RunReport, pictures: Mapping[str, Picture], confused: Sequence[ConfusedFace]
) -> str:
    """One run's page, complete in itself.

    Parameters
    ----------
    report : RunReport
    pictures : mapping of str to Picture
        From :func:`i2cnn.report.pictures.draw_pictures`.
    confused : sequence of ConfusedFace
        Wrongly named faces to show.
    """
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            heading=words.heading(report),
            summary=words.summary(report),
            words=words,
            by_accuracy=by_accuracy,
            network_rows=network_rows,
            protocols=protocols(report),
            paper_name=paper_name,
            tables=page_tables(report),
            downloads=text_tables(report),
            images=pictures,
            confused=confused,
            glossary=GLOSSARY,
            linked=set(),
        )
    )


def compare(runs: Sequence[Path], out: Path) -> list[PaperTable]:
    """Write a page that compares runs in the paper's tables; each run's report is renewed.

    Parameters
    ----------
    runs : sequence of Path
        Run directories, for instance of JAFFE, CK+ with six and CK+ with seven classes.
    out : Path
        The .html file.
    """
    reports = [write_report(run) for run in runs]
    tables = paper_tables(reports)
    write_text(out, comparison_html(reports, tables))
    return tables


def comparison_html(reports: Sequence[RunReport], tables: Sequence[PaperTable]) -> str:
    """The page that compares runs in their paper tables."""
    template = environment().get_template("comparison.html")
    own = {r.settings.protocol for r in reports if r.settings.has_own_split}
    return template.render(
        reports=reports,
        tables=tables,
        titles=tables[0].columns,
        own_splits=sorted(own),
        paper_name=paper_name,
        downloads=compared_tables(tables),
    )


def data_uri(png: bytes) -> str:
    """A picture as a link that contains it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def text_uri(text: str, kind: str) -> str:
    """A text file as a link that contains it."""
    return f"data:{kind};charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def glue(text: str) -> str:
    """A text that is not broken between a number and its unit, nor within `p = 0.1`."""
    return re.sub(r"(?<=\d) (?=%)|(?<=\bp) (?=[=<])|(?<=[=<]) (?=\d)", "\N{NO-BREAK SPACE}", text)


def with_code(text: str) -> Markup:
    """A text whose parts between backticks are code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def breakable(path: str) -> Markup:
    """A path that is broken behind its folders, not within a name."""
    return escape(path).replace("/", Markup("/<wbr>"))


def p_value(p: float) -> str:
    """A p value in a table's cell."""
    return glue(words.p_words(p).removeprefix("p ").removeprefix("= "))


def environment() -> Environment:
    """Templates with the filters they use."""
    environment = Environment(
        loader=PackageLoader("i2cnn.report", "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environment.filters["points"] = lambda value: f"{100 * value:+.1f}"
    environment.filters["p_value"] = p_value
    environment.filters["glue"] = glue
    environment.filters["with_code"] = with_code
    environment.filters["breakable"] = breakable
    environment.filters["text_uri"] = text_uri
    environment.filters["counted"] = counted
    environment.filters["duration"] = duration
    environment.filters["megabytes"] = lambda value: f"{value / 1e6:,.0f} MB"
    environment.filters["data_uri"] = data_uri
    return environment
