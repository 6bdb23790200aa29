"""The glossary that the report and the documentation share."""

from __future__ import annotations

from i2cnn.report.glossary import GLOSSARY


def test_the_terms_a_newcomer_meets_first_are_explained() -> None:
    expected = {"fc7", "k", "fold", "floor", "scheme", "profile", "LMDB", "rival", "untrained net"}
    assert expected | {"validation", "SVM", "LBP", "Gabor"} <= GLOSSARY.keys()


def test_terms_are_in_alphabetical_order() -> None:
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.casefold)


def test_explanations_are_whole_sentences() -> None:
    for term, text in GLOSSARY.items():
        assert text[0].isupper(), term
        assert text.endswith("."), term
