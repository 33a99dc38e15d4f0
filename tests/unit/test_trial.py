"""A trial: who takes part, which conversations are drawn, for how much money."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.answer import Judgement, Reason
from chatcensus.bill import Bill
from chatcensus.contender import Contender, contenders
from chatcensus.conversation import Conversation, Turn
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.judging import Judged
from chatcensus.model_catalog import ModelCatalog
from chatcensus.trial import (
    Drawn,
    Urn,
    Weighed,
    affordable,
    answer_of,
    as_lines,
    language_of,
    lot,
    of_lines,
    seats,
    weighed,
)
from chatcensus.trial_plan import Tried, fitted, planned
from tests.fakes import INCLUDE, MODEL

JA, EN = "Pythonの関数がNoneを返すのはなぜですか。", "Why does my Python function return None?"
sizes = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 400), min_size=1)


def conversation(name: str, text: str = EN) -> Conversation:
    return Conversation(name, (Turn("user", text), Turn("assistant", "…")))


def table(english: int, japanese: int = 0, long: int = 0) -> list[Weighed]:
    """Conversations with their lots, as a walk through the table finds them."""
    texts = [EN] * english + [JA] * japanese + [EN * 200] * long
    found = [weighed(7, conversation(f"c{number}", text)) for number, text in enumerate(texts)]
    return [each for each in found if each]


def drawn(found: list[Weighed], most: int) -> list[str]:
    urn = Urn(most)
    for each in found:
        urn.put(*each)
    return [each.draw for each, _ in urn.draw()]


def tried(name: str, instructions: str = "Judge it.") -> Tried:
    return Tried(name, MODEL, instructions, MODEL.prices[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a-model", Contender("a-model")),
        ("amazon.nova-micro-v1:0@tool", Contender("amazon.nova-micro-v1:0", "tool")),
        ("a-model@prompts/new.md", Contender("a-model", None, "prompts/new.md")),
        ("a-model@json_schema@prompts/new-2.md", Contender("a-model", "json_schema", "prompts/new-2.md")),
    ],
)
def test_a_contender_is_a_model_a_mode_and_a_prompt(text: str, expected: Contender):
    assert Contender.parse(text) == expected
    assert expected.name == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@tool",
        "a-model@",
        "a-model@shout",
        "a-model@prompts/../secret.md",
        "a-model@/etc/passwd",
        "a@tool@tool",
        "a b",
    ],
)
def test_what_names_no_contender_is_refused(text: str):
    with pytest.raises(SetupError, match="is none: write a model_id"):
        Contender.parse(text)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["stand-in"], "2 to 6 contenders, not 1", id="one alone"),
        pytest.param([f"m{number}" for number in range(7)], "not 7", id="seven"),
        pytest.param(
            ["stand-in", "a", "stand-in@prompts/classify.md"], "'stand-in' stands twice", id="the same, spelt out"
        ),
        pytest.param(
            ["stand-in", "stand-in@prompts/none.md"], "there is no include/prompts/none.md", id="no such prompt"
        ),
    ],
)
def test_a_trial_needs_different_contenders_with_prompts_that_are_there(names: list[str], message: str):
    with pytest.raises(SetupError, match=message):
        contenders(names, INCLUDE)


def test_a_contender_answers_in_its_output_mode_alone():
    catalog = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog)

    assert Contender("stand-in", "prompt").of(catalog).output_modes == ("prompt",)
    assert Contender("stand-in").of(catalog) == catalog.model("stand-in")
    with pytest.raises(SetupError, match="no output mode 'json_schema', only tool, prompt"):
        Contender("stand-in", "json_schema").of(catalog)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (JA, "ja"),
        (EN, "latin"),
        ("ExcelのVLOOKUPで#N/Aになります", "ja"),
        ("Übersetze das bitte", "latin"),
        ("为什么我的函数返回空值？请解释一下原因。", "zh"),
        ("함수가 None을 반환하는 이유는 무엇인가요?", "ko"),
        ("12345 !?", "other"),
        ("", "other"),
    ],
)
def test_a_language_is_guessed_by_its_script(text: str, language: str):
    assert language_of(text) == language


def test_a_conversation_that_nobody_would_be_asked_about_is_not_drawn():
    assert weighed(1, Conversation("c1", (), problem="turns is missing")) is None
    assert weighed(1, conversation("c1", "  ")) is None


def test_the_same_seed_draws_the_same_conversations_in_whatever_order_they_are_read():
    found = table(200, 60, 20)

    assert drawn(found, 40) == drawn(found[::-1], 40)
    assert len(set(drawn(found, 40))) == 40


def test_another_seed_draws_others():
    assert lot(1, "c1") != lot(2, "c1")
    assert lot(1, "c1") != lot(1, "c2")


def test_a_new_conversation_takes_the_place_of_at_most_one():
    before, after = drawn(table(200), 40), drawn(table(201), 40)

    assert len(set(before) - set(after)) <= 1


def test_each_stratum_is_drawn_by_its_part_of_the_table_and_the_small_ones_too():
    found = table(english=700, japanese=290, long=5)
    urn = Urn(100)
    for each in found:
        urn.put(*each)

    counts = Counter(each.stratum for each, _ in urn.draw())

    assert counts == {"latin/short": 69, "ja/short": 28, "latin/long": 3}


def test_the_beginning_of_a_sample_is_a_sample():
    found = table(english=700, japanese=290, long=5)

    assert drawn(found, 100)[:50] == drawn(found, 50)


@given(sizes, st.integers(0, 600))
def test_seats_are_given_by_size(of: dict[str, int], total: int):
    given_to = Counter(seats(of, total))

    assert given_to.total() == min(total, sum(of.values()))
    for name, size in of.items():
        assert given_to[name] <= size
        if total >= 3 * len(of):
            assert given_to[name] >= min(3, size)
    shown = [name for name in of if given_to[name] > 3]
    for one in shown:  # who is larger never has less
        assert all(given_to[one] >= given_to[other] for other in shown if of[one] > of[other])


def test_what_is_affordable_is_the_beginning():
    assert affordable([3, 3, 3], 8) == 2
    assert affordable([3, 3, 3], 9) == 3
    assert affordable([], 0) == 0


def test_the_sample_shrinks_to_what_the_money_is_enough_for_of_all_contenders():
    order, both = table(100), [tried("cheap"), tried("dear", "Judge it. " * 100)]
    of_one = sum(each.cost(order[0][1]) for each in both)

    chosen = fitted(order, [], both, int(40 * of_one * 1.5))

    assert chosen == order[:40]


def test_gold_rows_come_first_and_one_that_was_drawn_too_is_judged_once():
    order = table(30)
    gold = [
        (each.model_copy(update={"label": "coding", "stratum": None, "language": "en"}), n) for each, n in order[28:]
    ]

    chosen = fitted(order[:29], gold, [tried("one"), tried("other")], 10**9)

    assert [each.draw for each, _ in chosen[:1]] == [order[29][0].draw]
    both = next(each for each, _ in chosen if each.draw == order[28][0].draw)
    assert (both.stratum, both.label, both.language) == ("latin/short", "coding", "en")
    assert len(chosen) == 30


def test_money_that_is_enough_for_nothing_is_an_error_that_says_how_much_is():
    order = table(100)
    of_one = 2 * tried("one").cost(order[0][1])

    with pytest.raises(SetupError, match=r"2 contenders on 0 gold rows and 10 conversations: allow 0\.01"):
        fitted(order, [], [tried("one"), tried("other")], of_one)


def test_an_empty_table_without_gold_rows_is_an_error():
    with pytest.raises(SetupError, match="nothing to judge"):
        fitted([], [], [tried("one"), tried("other")], 10**6)


def test_each_contender_has_its_part_of_the_money():
    chosen = table(20)

    plan = planned(chosen, [tried("cheap"), tried("dear", "Judge it. " * 100)], 1_000_000)

    cheap, dear = (each["max_micro_usd"] for each in plan)
    assert cheap + dear in (999_999, 1_000_000)
    assert dear / cheap == pytest.approx(plan[1]["forecast_micro_usd"] / plan[0]["forecast_micro_usd"], rel=1e-3)


def test_answers_are_used_again_only_for_the_same_instructions():
    def file(count: int, instructions: str) -> str:
        return planned(table(count), [tried("one", instructions), tried("other")], 10**6)[0]["file"]

    assert file(20, "Judge it.") == file(19, "Judge it.") != file(20, "Judge!")


def test_an_answer_says_what_was_judged_or_why_not():
    bill = Bill(attempts=2, input_tokens=100, output_tokens=20, cost_micro_usd=30, answered_by="stand-in")

    said = (Judgement("coding", 4), Reason.REFUSED)
    judged, refused = (answer_of(Judged("d", each, bill, 1.23456), "h") for each in said)

    assert judged
    assert (judged.category, judged.inquiry_score, judged.reason) == ("coding", 4, None)
    assert judged.seconds == 1.235
    assert refused
    assert (refused.category, refused.reason) == (None, "refused")
    assert answer_of(Judged("d", None, bill, 0.0), "h") is None


def test_a_sample_of_a_prompt_file_that_is_there_names_its_file(tmp_path: Path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/classify.md").write_text("Judge it.")
    (tmp_path / "prompts/new.md").write_text("Judge!")

    found = contenders(["a", "a@prompts/new.md"], tmp_path)

    assert [each.prompt for each in found] == ["prompts/classify.md", "prompts/new.md"]


def test_a_row_comes_back_from_its_line_whatever_its_id_holds():
    rows = [each for each, _ in table(2)] + [
        Drawn(draw="0" * 64, content_hash="", language="ja", conversation_id="a\u2028\n")
    ]

    assert of_lines(as_lines(rows), Drawn) == rows
