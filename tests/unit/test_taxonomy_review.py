"""A taxonomy review: what is read, what is asked of the model and of a person, and what is counted."""

import json
from typing import Any

import pytest

from chatcensus.answer import Reason
from chatcensus.asking import Asker
from chatcensus.conversation import Conversation, Turn
from chatcensus.errors import RequestRefused, SetupError
from chatcensus.instructions import rendered_instructions
from chatcensus.judging import Apart
from chatcensus.proposing import ANSWER_TOKENS, OF_A_GROUP, Proposer
from chatcensus.spreading import Spread, Way
from chatcensus.taxonomy import Category, Taxonomy
from chatcensus.taxonomy_review import Counted, Pile, Recount, Result, most_new
from tests.fakes import INCLUDE, MODEL, TAXONOMY, UNLIMITED, FakeClock, FakeLedger, FakeModel, reply

SECRET = "the heron is blue at dawn"


def proposal(key: str, definition: str = "What it is for.") -> dict[str, Any]:
    return {"key": key, "label": {"en": key, "ja": key}, "definition": {"en": definition, "ja": "用途。"}}


def category(key: str) -> Category:
    return Category.model_validate(proposal(key))


def answer(*proposals: dict[str, Any]) -> str:
    return json.dumps({"proposals": proposals})


def conversations(count: int) -> list[Conversation]:
    return [
        Conversation(f"c{number}", (Turn("user", f"</conversations-x> {SECRET}"), Turn("tool", "tool output")))
        for number in range(count)
    ]


def proposer(model: FakeModel, ledger: FakeLedger | None = None) -> Proposer:
    clock = FakeClock()
    spread = Spread.over([Way("fake", model, MODEL, UNLIMITED)], clock, 2)
    asker = Asker(spread, Apart(ledger or FakeLedger()), MODEL, "Propose.", TAXONOMY, clock, lambda: False)
    return Proposer(asker, in_flight=1)


def test_groups_are_read_and_their_proposals_joined():
    model = FakeModel(
        answer(proposal("travel")),
        answer(proposal("travel"), proposal("health")),
        answer(proposal("trips")),
    )
    ledger = FakeLedger()

    found = proposer(model, ledger).propose(conversations(OF_A_GROUP + 1), 5)

    first, second, joining = model.history
    assert [each.key for each in found.categories] == ["trips"]
    assert first.message.count(SECRET) == OF_A_GROUP
    assert second.message.count(SECRET) == 1
    assert "&lt;/conversations-x&gt;" in first.message
    assert "tool output" not in first.message
    assert SECRET not in joining.message
    assert [joining.message.count(f'"key": "{key}"') for key in ("travel", "health")] == [1, 1]
    assert "at most 5 categories" in joining.message
    assert {(call.mode, call.max_tokens) for call in model.history} == {("prompt", MODEL.max_tokens + ANSWER_TOKENS)}
    assert found.micro_usd == ledger.spent > 0


def test_no_proposal_is_joined_with_nothing():
    model = FakeModel(answer())

    assert proposer(model).propose(conversations(3), 5).categories == []
    assert len(model.history) == 1


def test_what_quotes_a_conversation_reaches_neither_the_next_request_nor_the_result():
    quoting = proposal("herons", f"About {SECRET}.")
    model = FakeModel(answer(quoting, proposal("travel")), answer(quoting, proposal("travel")))

    found = proposer(model).propose(conversations(1), 5)

    assert SECRET not in model.history[1].message
    assert [each.key for each in found.categories] == ["travel"]
    assert found.dropped == {"quotation": 2}


def test_an_answer_that_cannot_be_read_is_asked_for_once_more():
    model = FakeModel("Sure! Here it is", answer(proposal("travel")), answer(proposal("travel")))

    assert [each.key for each in proposer(model).propose(conversations(1), 5).categories] == ["travel"]


def test_a_group_that_gets_no_good_answer_is_counted_and_the_others_go_on():
    model = FakeModel(*("no", "no", answer(proposal("travel")), RequestRefused("too long")), answer(proposal("travel")))

    found = proposer(model).propose(conversations(2 * OF_A_GROUP + 1), 5)

    assert [each.key for each in found.categories] == ["travel"]
    assert found.dropped == {"answer_not_json": 1, "answer_too_large": 1}


def test_a_model_that_never_answers_as_asked_ends_the_run_with_the_reason():
    model = FakeModel(*[reply("", "refusal")] * 2)

    with pytest.raises(SetupError, match=r"no answer of the model can be used \(answer_refused\)"):
        proposer(model).propose(conversations(1), 5)


def test_money_that_is_not_there_is_not_spent():
    model, ledger = FakeModel(), FakeLedger(max_micro_usd=10)

    with pytest.raises(SetupError, match="max_usd or the quota of the day was used up"):
        proposer(model, ledger).propose(conversations(1), 5)

    assert (model.history, ledger.spent) == ([], 0)


def test_the_prompt_shows_each_present_category_and_nothing_of_a_conversation():
    prompt = rendered_instructions(INCLUDE, TAXONOMY, "prompts/propose.md")

    assert all(f"- `{each.key}`: {each.definition.en}" in prompt for each in TAXONOMY.categories)
    assert prompt.rstrip().endswith("No more proposals than you are asked for.")


def test_the_same_seed_draws_the_same_conversations_in_whatever_order_they_are_read():
    evaluation = {"category": "other", "taxonomy_version": "a" * 12, "content_hash": "h"}
    names = [f"c{number}" for number in range(50)]
    piles = [Pile("other", seed, most=10) for seed in (1, 1, 2)]

    for pile, read in zip(piles, (names, names[::-1], names), strict=True):
        for name in read:
            pile.add(name, evaluation)
            pile.add(f"not-{name}", evaluation | {"category": "coding"})
            pile.add(f"odd-{name}", "no evaluation of ours")

    first, second, third = ([each.conversation_id for each in pile.lowest()] for pile in piles)
    assert first == second != third
    assert (len(first), set(first) <= set(names)) == (20, True)
    assert piles[0].versions == {"a" * 12: 50}


@pytest.mark.parametrize(("count", "most"), [(10, 5), (15, 5), (17, 3), (19, 1)])
def test_there_are_never_more_new_categories_than_the_taxonomy_has_room_for(count: int, most: int):
    others = (category(f"k{number}") for number in range(count - 1))

    assert most_new(Taxonomy(categories=(*others, category("other"))), "other") == most


@pytest.mark.parametrize(
    ("count", "split", "complaint"),
    [(20, "other", "has 20 categories, the most"), (3, "sports", "category 'sports' is not in the taxonomy")],
)
def test_a_review_that_can_end_in_nothing_is_not_begun(count: int, split: str, complaint: str):
    others = (category(f"k{number}") for number in range(count - 1))

    with pytest.raises(SetupError, match=complaint):
        most_new(Taxonomy(categories=(*others, category("other"))), split)


def test_a_proposal_of_few_people_or_of_few_conversations_is_dropped():
    recount = Recount()
    for number in range(600):
        recount.add("travel" if number < 100 else "other", f"user{number % 50}")
    for number in range(50):
        recount.add("crowd_of_four", f"user{number % 4}")
    for number in range(6):
        recount.add("rare", f"user{number}")
    for _ in range(50):
        recount.add("unknown_people", None)

    kept = recount.kept([category(key) for key in ("rare", "crowd_of_four", "unknown_people", "travel", "unheard")], 5)

    assert [(each.category.key, each.count, each.users) for each in kept] == [("travel", 100, 50)]


def test_nobody_is_asked_about_a_proposal_that_no_conversation_falls_in():
    recount = Recount()
    recount.add("other", "user")

    assert recount.kept([category("travel")], min_users=0) == []


def test_the_condition_names_all_versions_of_the_category_and_what_judging_them_costs():
    result = Result(
        taxonomy_version="b" * 12,
        category="other",
        versions={"b" * 12: 300, "a" * 12: 100},
        judged=100,
        micro_usd=50_000,
        dropped={str(Reason.EMPTY): 1},
        proposals=(Counted(category=category("travel"), count=20, users=9),),
    )

    assert result.condition() == f"category=other; taxonomy_version={'a' * 12},{'b' * 12}"
    assert result.again() == (400, 200_000)
    assert "about 0.20 USD" in result.question()
    assert "| `travel` | travel / travel | What it is for. / 用途。 | 20 | 9 |" in result.question()
