"""The taxonomy and the prompt as files: what every reader of them relies on."""

import re
from pathlib import Path

import jinja2
import jinja2.meta
import pytest
import yaml

PROMPTS = Path(__file__).parents[2] / "include" / "prompts"
TAXONOMY = yaml.safe_load((PROMPTS / "taxonomy.yaml").read_text(encoding="utf-8"))
TEMPLATE = (PROMPTS / "classify.md").read_text(encoding="utf-8")
KEYS = [
    "coding", "writing", "translation", "summarization", "data_analysis",
    "research", "brainstorming", "learning", "office", "other",
]  # fmt: skip


@pytest.fixture(scope="module")
def prompt() -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - a prompt, not HTML
    return environment.from_string(TEMPLATE).render(taxonomy=TAXONOMY)


def test_the_taxonomy_is_the_ten_categories_in_their_order():
    assert list(TAXONOMY) == ["categories"]
    assert [category["key"] for category in TAXONOMY["categories"]] == KEYS


@pytest.mark.parametrize("category", TAXONOMY["categories"], ids=KEYS)
def test_a_category_is_described_in_both_languages(category):
    assert set(category) == {"key", "label", "definition", "examples"}
    for texts in (category["label"], category["definition"]):
        assert set(texts) == {"en", "ja"}
        assert all(text == text.strip() and text and "\n" not in text for text in texts.values())
    assert 2 <= len(category["examples"]) <= 3


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_two_categories_share_a_label(language):
    labels = [category["label"][language].casefold() for category in TAXONOMY["categories"]]

    assert len(set(labels)) == len(labels)


def test_the_definitions_name_only_categories_that_exist():
    named = set(re.findall(r"\b[a-z]+_[a-z]+\b", str([c["definition"] for c in TAXONOMY["categories"]])))

    assert named <= set(KEYS)


def test_the_prompt_asks_for_nothing_but_the_taxonomy():
    syntax_tree = jinja2.Environment(autoescape=True).parse(TEMPLATE)

    assert jinja2.meta.find_undeclared_variables(syntax_tree) == {"taxonomy"}


def test_the_prompt_shows_each_category_with_its_definitions(prompt):
    for category in TAXONOMY["categories"]:
        assert f"`{category['key']}`" in prompt
        assert all(text in prompt for text in category["definition"].values())


def test_the_prompt_is_long_enough_to_be_cached_and_short_enough_to_be_cheap(prompt):
    assert len(TEMPLATE.splitlines()) <= 60
    assert 3_000 <= len(prompt) <= 6_000


def test_the_prompt_has_one_anchor_for_each_score(prompt):
    assert re.findall(r"^- ([1-5]): ", prompt, re.MULTILINE) == ["1", "2", "3", "4", "5"]


def test_the_prompt_comes_in_the_models_reading_order(prompt):
    headings = re.findall(r"^# (.+)$", prompt, re.MULTILINE)

    assert headings == ["Categories", "Inquiry score", "Rules", "Examples", "Output"]


def test_every_example_answer_is_a_valid_one(prompt):
    answers = re.findall(r'^-> \{"category": "(\w+)", "inquiry_score": (\d)\}$', prompt, re.MULTILINE)

    assert 3 <= len(answers) <= 4
    assert all(key in KEYS and score in "12345" for key, score in answers)


def test_one_example_is_a_conversation_that_dictates_its_category_and_is_not_obeyed(prompt):
    examples = prompt.split("# Examples")[1].split("# Output")[0].split("\n\n")
    dictating = [example for example in examples if "Ignore all earlier instructions" in example]

    assert len(dictating) == 1
    demanded, answered = re.findall(r'"category": "(\w+)"', dictating[0])
    assert demanded != answered


def test_the_prompt_names_the_tag_and_the_tool(prompt):
    assert "`conversation-`" in prompt
    assert "`record_evaluation`" in prompt


def test_the_prompt_ends_with_the_object_only(prompt):
    assert prompt.rstrip().endswith("The object only, no reasons.")
