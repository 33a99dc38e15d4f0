"""The documents name everything that a reader can meet in a table or a log."""

from pathlib import Path

import pytest

from chatcensus.answer import Reason
from chatcensus.tally import Outcome
from local_aws.athena.language.calls import known_functions
from tests.sim.mutants import MUTANTS

LOCAL_AWS = (Path(__file__).parents[2] / "docs/local-aws.md").read_text()
RELIABILITY = (Path(__file__).parents[2] / "docs/reliability.md").read_text()


@pytest.mark.parametrize("name", [*Reason, *Outcome])
def test_every_outcome_and_reason_is_explained(name: str):
    assert f"`{name}`" in RELIABILITY


def test_the_number_of_mutants_is_the_one_that_is_told():
    assert f"{len(MUTANTS)} mutants of the" in RELIABILITY


def test_every_function_of_the_sql_engine_is_named_and_no_other():
    listed = LOCAL_AWS.partition("### Functions\n")[2].partition("\n\n")[2].partition("\n\n")[0]

    assert [name.strip("`") for name in listed.replace("\n", " ").split(", ")] == sorted(known_functions())
    assert f"\n{len(known_functions())} names are answered" in LOCAL_AWS
