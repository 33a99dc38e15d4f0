"""New categories and steps between the lines of the files that people write."""

import difflib
from datetime import date

import pytest

from chatcensus.crosswalk import Crosswalk, Step
from chatcensus.errors import SetupError
from chatcensus.include import parse_yaml
from chatcensus.taxonomy import Category, Taxonomy
from chatcensus.taxonomy_review import Counted, Result
from chatcensus.taxonomy_text import adopted, with_categories, with_step
from tests.fakes import INCLUDE, TAXONOMY

OF_TAXONOMY = (INCLUDE / "prompts/taxonomy.yaml").read_text(encoding="utf-8")
OF_CROSSWALK = "# Kept.\nsteps: [] # none yet\n"
DAY = date(2026, 12, 1)
TRAVEL = Category.model_validate(
    {
        "key": "travel",
        "label": {"en": "Travel: 'trips' # all", "ja": "旅行"},
        "definition": {"en": 'A "trip", - or: more', "ja": "旅行\u3000全般、¥"},
    }
)
HEALTH = TRAVEL.model_copy(update={"key": "health"})


def result(*proposals: Category) -> Result:
    return Result(
        taxonomy_version=TAXONOMY.version,
        category="other",
        versions={TAXONOMY.version: 300},
        judged=100,
        micro_usd=50_000,
        dropped={},
        proposals=tuple(Counted(category=each, count=20, users=9) for each in proposals),
    )


def removed(old: str, new: str) -> list[str]:
    return [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line.startswith("- ")]


def test_what_is_chosen_stands_before_the_split_category_and_every_old_line_stays():
    text, steps = adopted(OF_TAXONOMY, OF_CROSSWALK, result(TRAVEL, HEALTH), ["health", "travel"], DAY)

    taxonomy, crosswalk = parse_yaml(text, Taxonomy, "t"), parse_yaml(steps, Crosswalk, "c")
    assert taxonomy == TAXONOMY.with_new([TRAVEL, HEALTH], "other")
    assert removed(OF_TAXONOMY, text) == []
    assert steps.startswith("# Kept.\nsteps:\n")
    [step] = crosswalk.steps
    assert (step.before, step.after, step.since) == (TAXONOMY.version, taxonomy.version, DAY)
    assert step.split == {"other": ("other", "travel", "health")}


def test_a_step_is_added_after_the_last_one():
    first = Step(before="1" * 12, after="2e1111111111", since=DAY, renamed={"a": "b"})
    second = Step(before="2e1111111111", after="012345678901", since=DAY, split={"o": ("o", "t")}, merged={"x": "y"})

    text = with_step(with_step(OF_CROSSWALK, first), second)

    assert parse_yaml(text, Crosswalk, "c").steps == (first, second)


def test_one_category_of_several_can_be_chosen():
    text, _ = adopted(OF_TAXONOMY, OF_CROSSWALK, result(TRAVEL, HEALTH), ["health"], DAY)

    assert parse_yaml(text, Taxonomy, "t") == TAXONOMY.with_new([HEALTH], "other")


@pytest.mark.parametrize(
    ("of_taxonomy", "of_crosswalk", "keys", "complaint"),
    [
        pytest.param(OF_TAXONOMY, OF_CROSSWALK, ["sports"], "sports was not proposed", id="not proposed"),
        pytest.param(
            OF_TAXONOMY.replace("Coding", "Code"), OF_CROSSWALK, ["travel"], "the review was of", id="changed"
        ),
        pytest.param(OF_TAXONOMY, "", ["travel"], "has no line 'steps:'", id="no steps"),
        pytest.param(
            OF_TAXONOMY.replace("- key: other", "- {key: other}").replace("- {key: other}\n", "-\n    key: other\n"),
            OF_CROSSWALK,
            ["travel"],
            "has 0 lines '- key: other'",
            id="written another way",
        ),
    ],
)
def test_files_that_cannot_be_added_to_are_refused(of_taxonomy, of_crosswalk, keys, complaint):
    with pytest.raises(SetupError, match=complaint):
        adopted(of_taxonomy, of_crosswalk, result(TRAVEL), keys, DAY)


def test_an_entry_that_stands_there_twice_is_refused():
    with pytest.raises(SetupError, match="has 2 lines"):
        with_categories("- key: other\n- key: other\n", [TRAVEL], "other")
