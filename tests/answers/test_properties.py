"""What holds for every answer, and for every text that may be JSON."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatcensus.answer import Judgement, Reason, read_answer
from chatcensus.strict_json import MAX_LEVELS, NotJson, count_objects, parse
from tests.fakes import TAXONOMY

any_text = st.text(st.characters())  # lone surrogates included
# Pieces that models like to put together wrongly; between them, anything.
pieces = st.sampled_from(
    [
        *("{", "}", "[", "]", ":", ",", '"category"', '"inquiry_score"', '"coding"', "3", "9", "3.0", "null", "NaN"),
        *("```", "json", "\ufeff", " ", "\n", "\u3000", "\\", "\\u00e9", "\\ud800", "So:", "-", "1e400", "'", '"'),
    ]
)
near_json = st.lists(pieces | st.text(st.characters(), max_size=3), max_size=25).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=15,
)
nearly_judgements = st.fixed_dictionaries(
    {"category": st.sampled_from(["coding", "CODING", "other", "cooking"]) | json_values, "inquiry_score": json_values},
    optional={"why": json_values},
)
stop_reasons = st.none() | any_text | st.sampled_from(["end_turn", "max_tokens", "refusal", "tool_use"])
judgements = st.builds(Judgement, st.sampled_from(sorted(TAXONOMY.keys)), st.integers(1, 5))
json_space = st.text(" \t\n\r", max_size=3)
any_space = st.text(" \t\n\r\v\f\x85\xa0\u2003\u2028\u3000", max_size=3)


@settings(max_examples=500)
@given(any_text | near_json | json_values | nearly_judgements, stop_reasons)
@example("\ud800", None)
@example({"category": "\ud800", "inquiry_score": 1}, "tool_use")
@example({"category": "coding", "inquiry_score": True}, "tool_use")
def test_any_answer_is_accepted_or_has_a_reason(answer: object, stop_reason: str | None):
    verdict = read_answer(answer, stop_reason, TAXONOMY)

    if isinstance(verdict, Judgement):
        assert verdict.category in TAXONOMY.keys
        assert type(verdict.inquiry_score) is int
        assert 1 <= verdict.inquiry_score <= 5
    else:
        assert isinstance(verdict, Reason)


@given(judgements, st.lists(json_space, min_size=8, max_size=8), any_space, any_space, st.booleans(), st.booleans())
def test_an_accepted_answer_is_accepted_with_any_other_white_space(
    judged: Judgement, inside: list[str], before: str, after: str, is_score_first: bool, is_fenced: bool
):
    fields = [('"category"', f'"{judged.category}"'), ('"inquiry_score"', str(judged.inquiry_score))]
    if is_score_first:
        fields.reverse()
    [(name_1, value_1), (name_2, value_2)] = fields
    tokens = ["{", name_1, ":", value_1, ",", name_2, ":", value_2]
    text = "".join(token + space for token, space in zip(tokens, inside, strict=True)) + "}"
    if is_fenced:
        text = f"```json\n{text}{after}```"

    assert read_answer(before + text + after, "end_turn", TAXONOMY) == judged


@given(judgements, st.data())
def test_a_category_in_any_case_is_the_same_category(judged: Judgement, data: st.DataObject):
    cases = [data.draw(st.sampled_from([letter, letter.upper()])) for letter in judged.category]

    answer = {"category": "".join(cases), "inquiry_score": judged.inquiry_score}

    assert read_answer(answer, "tool_use", TAXONOMY) == judged


@given(judgements, st.text(st.characters(), min_size=1))
def test_text_around_an_answer_is_never_overlooked(judged: Judgement, prose: str):
    text = json.dumps({"category": judged.category, "inquiry_score": judged.inquiry_score})

    verdict = read_answer(f"x{prose}{text}", "end_turn", TAXONOMY)

    assert verdict in (Reason.EXTRA_TEXT, Reason.SEVERAL_OBJECTS, Reason.NOT_JSON)


@settings(max_examples=500)
@given(near_json | json_values.map(json.dumps) | json_values.map(lambda value: json.dumps(value, ensure_ascii=False)))
def test_what_we_take_for_json_is_what_the_standard_library_reads(text: str):
    try:
        ours = parse(text)
    except NotJson:
        return

    assert far_numbers_bounded(json.loads(text)) == far_numbers_bounded(ours)


@settings(max_examples=500)
@given(json_values)
def test_what_the_standard_library_writes_strictly_is_json_to_us(value: object):
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:  # NaN and infinity are not JSON
        return

    assert far_numbers_bounded(parse(text)) == far_numbers_bounded(json.loads(text))


def far_numbers_bounded(value: object) -> object:
    """*value* with every whole number beyond 19 digits replaced: there, ours keeps only the sign."""
    if isinstance(value, dict):
        return {name: far_numbers_bounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [far_numbers_bounded(inner) for inner in value]
    if type(value) is int and abs(value) >= 10**19:
        return "far out" if value > 0 else "far out below"
    return (type(value).__name__, value)  # 1, 1.0 and true are equal in Python, and different in JSON


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_64_levels_are_read_and_65_are_not(opened: str):
    closed = {"[": "]", '{"a":': "}"}[opened]

    parse(opened * (MAX_LEVELS - 1) + f"{opened}0{closed}" + closed * (MAX_LEVELS - 1))
    with pytest.raises(NotJson):
        parse(opened * MAX_LEVELS + f"{opened}0{closed}" + closed * MAX_LEVELS)


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("", 0),
        ("{", 0),
        ("}{", 0),
        ("{}", 1),
        ('{"a": {}}', 1),
        ("{{}}", 1),
        ("{} {} {}", 2),
        ('{"a": "{}"} {', 1),
        ('{"a": 1, "a": {}} {}', 2),
    ],
)
def test_objects_are_counted_from_left_to_right_no_further_than_asked(text: str, objects: int):
    assert count_objects(text, at_most=2) == objects
