"""How the categories of older taxonomies meet today's, over one step and several."""

from typing import Any

import pytest
from pydantic import ValidationError

from chatcensus.crosswalk import Crosswalk
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from tests.fakes import INCLUDE, TAXONOMY

V1, V2, V3, V4 = ("1" * 12, "2" * 12, "3" * 12, "4" * 12)


def step(before: str, after: str, **changes: Any) -> dict[str, Any]:
    return {"from": before, "to": after, "since": "2026-12-01", **changes}


def crosswalk(*steps: dict[str, Any]) -> Crosswalk:
    return Crosswalk.model_validate({"steps": steps})


def test_the_file_leads_to_the_taxonomy_in_force():
    read_yaml(INCLUDE / "prompts/crosswalk.yaml", Crosswalk).check(TAXONOMY)


def test_without_a_step_nothing_has_another_name():
    empty = Crosswalk()

    empty.check(TAXONOMY)
    assert (empty.versions, empty.renames, empty.comparable) == ([], [], [])
    assert empty.today(V1, "coding") == "coding"


def test_renames_and_merges_follow_one_another_from_the_version_of_the_judgement():
    chain = crosswalk(
        step(V1, V2, renamed={"a": "b"}), step(V2, V3, merged={"b": "c"}), step(V3, V4, renamed={"c": "d", "x": "a"})
    )

    assert [chain.today(version, "a") for version in chain.versions] == ["d", "a", "a", "a"]
    assert [chain.today(version, "b") for version in chain.versions] == ["d", "d", "b", "b"]
    assert chain.today("9" * 12, "a") == "a"  # judged under a taxonomy that the crosswalk does not know
    assert (V1, "a", "d") in chain.renames
    assert all(chain.today(version, key) == name != key for version, key, name in chain.renames)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([step(V1, V2, renamed={"a": "b"})], {}, id="a rename is comparable as it is"),
        pytest.param([step(V1, V2, split={"o": ["t", "o"]})], {"t": "o"}, id="a part that stays"),
        pytest.param([step(V1, V2, split={"r": ["m", "s"]})], {"m": "r", "s": "r"}, id="nothing stays"),
        pytest.param(
            [step(V1, V2, split={"o": ["t", "o"]}), step(V2, V3, split={"t": ["air", "rail"]})],
            {"t": "o", "air": "o", "rail": "o"},
            id="a part of a part",
        ),
        pytest.param(
            [step(V1, V2, split={"o": ["t", "o"]}), step(V2, V3, renamed={"t": "trips", "o": "rest"})],
            {"trips": "rest"},
            id="names of today",
        ),
        pytest.param(
            [step(V1, V2, split={"o": ["t", "o"]}), step(V2, V3, merged={"t": "office"})],
            {"office": "o"},
            id="a part that was merged takes the other one along",
        ),
        pytest.param(
            [step(V1, V2, split={"o": ["t", "o"], "p": ["q", "p"]}), step(V2, V3, merged={"t": "q"})],
            {"q": "o", "p": "o"},
            id="two splits that a merge has connected",
        ),
    ],
)
def test_what_a_split_has_touched_is_compared_by_the_oldest_name(steps, expected):
    assert dict(crosswalk(*steps).comparable) == expected


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        pytest.param([step(V1, V2), step(V3, V4)], "they must meet", id="a gap"),
        pytest.param([step(V1, V2), step(V2, V1)], "a version stands there twice", id="a circle"),
        pytest.param([step("v1", V2)], "should match pattern", id="no version"),
        pytest.param([step(V1, V2, split={"o": ["o"]})], "two different categories", id="a split into one"),
        pytest.param([step(V1, V2, renamed={"a": "b"}, merged={"a": "c"})], "not two of them", id="two fates"),
        pytest.param([step(V1, V2, renamed={"a": "B"})], "should match pattern", id="no key"),
        pytest.param([step(V1, V2, removed=["a"])], "Extra inputs", id="another change"),
    ],
)
def test_steps_that_say_no_one_thing_are_refused(steps, complaint):
    with pytest.raises(ValidationError, match=complaint):
        crosswalk(*steps)


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        pytest.param([step(V1, V2)], f"ends at version {V2}, the taxonomy in force is", id="another version"),
        pytest.param(
            [step(V1, TAXONOMY.version, renamed={"a": "unheard_of"})], "leads to unheard_of", id="another category"
        ),
    ],
)
def test_steps_that_do_not_lead_to_the_taxonomy_in_force_are_named(steps, complaint):
    with pytest.raises(SetupError, match=complaint):
        crosswalk(*steps).check(TAXONOMY)
