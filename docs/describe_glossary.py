"""Writes docs/glossary.md from i2cnn.report.glossary, which the report uses too."""

from __future__ import annotations

from pathlib import Path

from i2cnn.report.glossary import GLOSSARY

PAGE = Path(__file__).parents[1] / "docs" / "glossary.md"

HEADER = """\
# Glossary

The terms that reports and these pages use. `python docs/describe_glossary.py` writes this page
from the glossary in the code; a report carries those terms that it uses.
"""


def described() -> str:
    """The whole page."""
    terms = [f"\n## {term}\n\n{text}\n" for term, text in GLOSSARY.items()]
    return HEADER + "".join(terms)


if __name__ == "__main__":
    PAGE.write_text(described(), encoding="utf-8")
