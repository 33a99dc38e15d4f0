"""The draw of a review: honest, the same for a seed, and nobody twice."""

import random
from collections import Counter
from typing import Any

import pytest

from chatcensus.errors import SetupError
from chatcensus.review import WHYS, Candidate, Draw, Why, candidate_lines, disputed, read_candidates, review_name
from chatcensus.trial import Answer, Drawn

SIZES: dict[Why, int] = {"random": 20, "changed": 5, "disputed": 4, "quarantined": 3}


def evaluation(category: str = "coding", previous: str | None = None, reason: str | None = None) -> dict[str, Any]:
    """An evaluation as it is stored."""
    stored: dict[str, Any] = {"content_hash": "0" * 32, "taxonomy_version": "a" * 12}
    if reason:
        return stored | {"outcome": "quarantined", "reason": reason}
    before = {"previous": {"outcome": "evaluated", "category": previous}} if previous else {}
    return stored | {"outcome": "evaluated", "category": category, "inquiry_score": 3, **before}


TABLE = {f"c{number}": evaluation() for number in range(200)}
TABLE |= {f"moved{number}": evaluation(previous="writing") for number in range(30)}
TABLE |= {f"same{number}": evaluation(previous="coding") for number in range(30)}
TABLE |= {f"bad{number}": evaluation(reason="not_json") for number in range(10)}
DISPUTED = frozenset(["gone", *(f"c{number}" for number in range(40))])


def draw(seed: str, items: dict[str, Any] = TABLE, sizes: dict[Why, int] = SIZES) -> list[Candidate]:
    drawing = Draw(seed, sizes, DISPUTED)
    for name, stored in items.items():
        drawing.add(name, stored, "ja")
    return drawing.drawn()


def test_a_draw_has_as_many_of_each_as_was_asked_for_and_nobody_twice():
    drawn = draw("1")

    assert Counter(candidate.why for candidate in drawn) == SIZES
    assert len({candidate.conversation_id for candidate in drawn}) == sum(SIZES.values())
    assert all(one.conversation_id.startswith("moved") for one in drawn if one.why == "changed")
    assert {one.conversation_id for one in drawn if one.why == "disputed"} < DISPUTED
    assert {one.reason for one in drawn if one.why == "quarantined"} == {"not_json"}
    assert {one.category for one in drawn if one.why == "quarantined"} == {None}


def test_the_same_seed_draws_the_same_whatever_the_order_of_the_table():
    shuffled = list(TABLE.items())
    random.Random(7).shuffle(shuffled)

    assert draw("1") == draw("1", dict(shuffled))
    assert draw("1") != draw("2")


def test_where_there_are_fewer_all_of_them_are_drawn():
    drawn = draw("1", {"a": evaluation(), "b": evaluation(previous="writing"), "c": evaluation(reason="refused")})

    assert {one.conversation_id: one.why for one in drawn} == {"a": "random", "b": "random", "c": "quarantined"}


def test_who_is_drawn_at_random_leaves_the_others_for_the_other_kinds():
    moved = {name: stored for name, stored in TABLE.items() if name.startswith("moved")}

    assert Counter(one.why for one in draw("1", moved)) == {"random": 20, "changed": 5}


def test_an_attribute_that_is_no_evaluation_of_ours_is_not_drawn():
    assert draw("1", {"a": {"outcome": "approved"}}) == []


def test_none_of_a_kind_can_be_asked_for():
    assert draw("1", sizes=dict.fromkeys(WHYS, 0)) == []
    assert {one.why for one in draw("1", sizes=dict.fromkeys(WHYS, 0) | {"changed": 4})} == {"changed"}


def test_the_random_ones_are_a_fair_sample_of_all_evaluated_the_changed_among_them():
    times = Counter(
        one.conversation_id[:5].rstrip("0123456789")
        for seed in range(200)
        for one in draw(str(seed))
        if one.why == "random"
    )

    # 30 of 260 were changed: of 4,000 draws 462 on average, with a standard deviation of 20.
    assert times.total() == 4000
    assert abs(times["moved"] - 4000 * 30 / 260) < 5 * 20


def test_disputed_is_what_contenders_of_a_trial_gave_different_categories():
    lots = {name: number * 64 for name, number in zip("abcd", "0123", strict=True)}
    drawn = [Drawn(draw=lot, content_hash="0", language="ja", conversation_id=name) for name, lot in lots.items()]
    first = {"a": "coding", "b": "coding", "c": "coding", "d": None}
    second = {"a": "writing", "b": "coding", "d": "coding"}
    own_text = Drawn(draw="f" * 64, content_hash="0", language="ja")

    answers = [
        {lots[name]: Answer(draw=lots[name], content_hash="h", category=said) for name, said in of.items()}
        for of in (first, second)
    ]

    assert disputed([*drawn, own_text], answers) == {"a"}
    assert disputed(drawn, []) == frozenset()


def test_candidates_are_read_as_they_were_written():
    drawn = draw("1")

    assert read_candidates(candidate_lines(drawn)) == drawn
    assert len({one.row for one in drawn}) == len(drawn)


@pytest.mark.parametrize("lines", [b"{", b"[]\n", b'{"conversation_id": "a"}\n', b"\xff\n"])
def test_candidates_that_are_none_are_told_without_what_stands_there(lines: bytes):
    with pytest.raises(SetupError, match="not as draw has written it"):
        read_candidates(lines)


def test_the_name_of_a_review_can_be_typed():
    assert review_name("manual__2026-12-01T02:55:00+00:00") == review_name("manual__2026-12-01T02:55:00+00:00")
    assert len(review_name("a")) == 12
    assert review_name("a") != review_name("b")
