from typing import Any

import pytest
from pydantic import ValidationError

from chatcensus.taxonomy import Taxonomy
from tests.fakes import TAXONOMY

AS_DICT = TAXONOMY.model_dump()


def category(key: str) -> dict[str, Any]:
    """A category with this key."""
    return {"key": key, "label": {"en": "A", "ja": "あ"}, "definition": {"en": "B", "ja": "い"}}


def taxonomy(*keys: str) -> Taxonomy:
    """A taxonomy of categories with these keys."""
    return Taxonomy.model_validate({"categories": [category(key) for key in keys]})


def test_the_keys_are_those_of_the_categories():
    assert taxonomy("a", "b_2").keys == {"a", "b_2"}


def test_the_version_is_the_same_for_the_same_content():
    assert Taxonomy.model_validate(AS_DICT).version == TAXONOMY.version
    assert len(TAXONOMY.version) == 12


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "programming"),
        ("label", {"en": "Coding!", "ja": "コーディング"}),
        ("label", {"en": "Coding", "ja": "プログラミング"}),
        ("definition", {"en": "Write code.", "ja": "コード"}),
        ("examples", ()),
    ],
)
def test_any_change_is_another_version(field: str, value: object):
    first, *others = AS_DICT["categories"]

    assert Taxonomy.model_validate({"categories": [first | {field: value}, *others]}).version != TAXONOMY.version


def test_another_order_is_another_version_because_the_model_reads_it():
    assert taxonomy("a", "b").version != taxonomy("b", "a").version


def test_a_repeated_key_is_refused_by_name():
    with pytest.raises(ValidationError, match="a category key may stand only once, these are repeated: a, b"):
        taxonomy("b", "a", "b", "a", "c")


@pytest.mark.parametrize("count", [0, 1, 21])
def test_too_few_and_too_many_categories_are_refused(count: int):
    with pytest.raises(ValidationError):
        taxonomy(*[f"k{number}" for number in range(count)])


@pytest.mark.parametrize("count", [2, 20])
def test_the_fewest_and_the_most_categories(count: int):
    assert len(taxonomy(*[f"k{number}" for number in range(count)]).keys) == count


@pytest.mark.parametrize("key", ["", "Coding", "2nd", "_a", "a-b", "a b", "コード", "a\n", "a" * 41])
def test_a_key_that_a_model_or_sql_could_misread_is_refused(key: str):
    with pytest.raises(ValidationError):
        taxonomy("a_key", key)


@pytest.mark.parametrize("field", ["label", "definition"])
@pytest.mark.parametrize(
    "text", [{"en": "A"}, {"ja": "あ"}, {"en": "", "ja": "あ"}, {"en": "A", "ja": "あ", "fr": "A"}]
)
def test_texts_are_in_both_languages_and_no_other(field: str, text: dict[str, str]):
    with pytest.raises(ValidationError):
        Taxonomy.model_validate({"categories": [category("a"), category("b") | {field: text}]})
