"""The documents name everything that a reader can meet in a table or a log."""

from pathlib import Path

import pytest

from chatcensus.answer import Reason
from chatcensus.tally import Outcome
from tests.sim.mutants import MUTANTS

RELIABILITY = (Path(__file__).parents[2] / "docs/reliability.md").read_text()


@pytest.mark.parametrize("name", [*Reason, *Outcome])
def test_every_outcome_and_reason_is_explained(name: str):
    assert f"`{name}`" in RELIABILITY


def test_the_number_of_mutants_is_the_one_that_is_told():
    assert f"{len(MUTANTS)} mutants of the" in RELIABILITY
