"""Ten thousand stories of things going wrong, and every promise kept in each."""

import pytest

from tests.sim.__main__ import failures
from tests.sim.story import Story

SEEDS, SLICE = 10_000, 500


@pytest.mark.parametrize("first", range(0, SEEDS, SLICE))
def test_every_promise_is_kept(first: int):
    failed, overrun_micro_usd = failures(first, SLICE)

    assert not failed, "\n".join(failed)
    assert overrun_micro_usd == 0  # which is less than one call for each in flight


def test_a_seed_tells_the_same_story_every_time():
    def told(seed: int) -> tuple[object, ...]:
        story = Story(seed)
        return story.violations(), story.world.counts, story.world.items, story.world.scheduler.turns

    for seed in range(50):
        assert told(seed) == told(seed)
