"""Intervals of corrected shares hold the truth as often as they say, in simulated tables (all designs: bench/)."""

import pytest

from bench.share_coverage import DESIGNS, Design, coverage

TYPICAL = [
    Design(5, 0.7, 200, 100_000),
    Design(5, 0.85, 400, 500),
    Design(8, 0.85, 400, 5_000),
    Design(10, 0.85, 300, 20_000),
    Design(12, 0.7, 400, 100_000),
    Design(8, 0.85, 400, 5_000, "by category"),
]


@pytest.mark.parametrize("design", TYPICAL, ids=str)
def test_a_95_percent_interval_holds_the_truth_in_93_to_97_of_100_tables(design: Design):
    found = coverage(design, 400)

    assert 0.93 <= found.mean <= 0.97
    assert found.worst >= 0.85  # of some dozens of categories with 100 tables each
    assert found.refused == 0


def test_few_errors_of_a_good_judge_make_intervals_too_long_rather_than_too_short():
    found = coverage(Design(12, 0.95, 200, 5_000), 200)

    assert found.mean >= 0.95


def test_the_designs_are_those_that_the_document_tells():
    assert len(DESIGNS) == 81
