"""The demo's conversations: the hand-written file and the generator."""

import hashlib
import json
import re
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from demo.generator import (
    CATEGORIES,
    DEPARTMENTS,
    JAPAN,
    LAST_DAY,
    PHRASES,
    PLACEHOLDER,
    generate,
    shipped_conversations,
)
from local_aws.bedrock.keyword_model import judge

WRITTEN = Path(__file__).parents[2] / "demo" / "conversations.jsonl"


@pytest.fixture(scope="module")
def shipped():
    return shipped_conversations()


@pytest.fixture(scope="module")
def written():
    return [json.loads(line) for line in WRITTEN.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def generated():
    return list(generate(449, 2026))


def _local_time(conversation) -> datetime:
    return datetime.fromisoformat(conversation["created_at"]).astimezone(JAPAN)


def test_the_demo_ships_520_conversations_the_hand_written_ones_first(shipped, written):
    assert len(shipped) == 520
    assert shipped[: len(written)] == written
    assert len({conversation["id"] for conversation in shipped}) == 520


def test_every_conversation_has_the_shape_that_the_demo_loads(shipped):
    for conversation in shipped:
        assert list(conversation) == ["id", "user", "created_at", "language", "turns"]
        assert re.fullmatch(r"u-[a-z]+-\d\d", conversation["user"])
        assert re.fullmatch(r"2026-\d\d-\d\dT\d\d:\d\d:\d\dZ", conversation["created_at"])
        assert conversation["language"] in {"ja", "en"}
        assert 1 <= len(conversation["turns"]) <= 6
        for position, turn in enumerate(conversation["turns"]):
            assert set(turn) == {"role", "content"}
            assert turn["role"] == ("user", "assistant")[position % 2]
            assert turn["content"] == turn["content"].strip()
            assert turn["content"]


def test_the_hand_written_ones_cover_categories_languages_and_users(written):
    meant = Counter(conversation["id"].rsplit("-", 1)[0].replace("-", "_") for conversation in written)
    languages = Counter(conversation["language"] for conversation in written)

    assert len(written) >= 64
    assert set(meant) == set(CATEGORIES)
    assert min(meant.values()) >= 5
    assert min(languages.values()) >= 0.4 * len(written)
    assert 10 <= len({conversation["user"] for conversation in written}) <= 15
    assert {_local_time(conversation).month for conversation in written} == {9, 10}


def test_the_keyword_model_finds_what_most_hand_written_ones_were_meant_as(written):
    meant = [conversation["id"].rsplit("-", 1)[0].replace("-", "_") for conversation in written]
    named = [judge([(turn["role"], turn["content"]) for turn in conversation["turns"]])[0] for conversation in written]

    agreeing = sum(one == other for one, other in zip(meant, named, strict=True))

    assert agreeing >= 0.9 * len(written)


def test_a_seed_always_gives_the_same_conversations():
    text = json.dumps(list(generate(200, 7)), sort_keys=True)

    # The same on Python 3.11 and 3.12; a change of the phrases changes it, and the demo's numbers with it.
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "b9aabb32491a641b"


def test_another_seed_gives_other_conversations():
    assert [one["turns"] for one in generate(20, 1)] != [one["turns"] for one in generate(20, 2)]


def test_a_larger_count_starts_with_the_same_conversations():
    assert list(generate(10, 3)) == list(islice(generate(1_000_000, 3), 10))


def test_no_placeholder_is_left_and_every_one_is_known(generated):
    known = {"n", "small", "percent", "price", "date", "figures", "notes", "sentence", "code"}

    for language in ("ja", "en"):
        used = set(PLACEHOLDER.findall(json.dumps(PHRASES[language], ensure_ascii=False)))
        assert used - known <= set(PHRASES[language]["slots"])
    assert not [one["id"] for one in generated if any(PLACEHOLDER.search(turn["content"]) for turn in one["turns"])]


def test_both_languages_have_the_same_kinds_of_phrases():
    japanese, english = (
        {key: set(part) for key, part in PHRASES[language].items() if isinstance(part, dict)}
        for language in ("ja", "en")
    )

    assert japanese == english


def test_the_generated_ones_do_not_read_as_copies(generated):
    first_turns = Counter(conversation["turns"][0]["content"] for conversation in generated)

    assert len(first_turns) >= 0.95 * len(generated)
    # What repeats is a fragment, as with real people.
    assert all(len(text) < 90 for text, times in first_turns.items() if times > 1)


def test_some_forty_people_use_it_and_a_few_of_them_much_more_than_the_rest(generated):
    uses = sorted(Counter(conversation["user"] for conversation in generated).values(), reverse=True)

    assert sum(people for people, _, _ in DEPARTMENTS.values()) == 42
    assert 30 <= len(uses) <= 42
    assert sum(uses[:5]) > 0.35 * len(generated)
    assert uses[len(uses) // 2] <= 10


def test_it_is_used_in_office_hours_of_the_sixty_days_up_to_the_end_of_october(generated):
    times = [_local_time(conversation) for conversation in generated]

    assert {time.date() for time in times} <= {LAST_DAY - timedelta(days=back) for back in range(60)}
    assert max(time.date() for time in times) <= date(2026, 10, 31)
    assert sum(time.weekday() >= 5 for time in times) < 0.08 * len(times)
    assert sum(9 <= time.hour < 18 for time in times) > 0.75 * len(times)
    assert all(7 <= time.hour <= 21 for time in times)
