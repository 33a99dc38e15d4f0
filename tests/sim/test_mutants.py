"""An engine without one of its rules is caught: what the simulation says is worth something."""

import pytest

from tests.sim.mutants import MUTANTS, mutated
from tests.sim.story import Story


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str):
    with mutated(name):
        # From the last seed on: the two that are the hardest to catch are caught there after fewer.
        caught = any(Story(seed).violations() for seed in reversed(range(MUTANTS[name][0])))

    assert caught, f"no seed below {MUTANTS[name][0]} catches {name!r}"
