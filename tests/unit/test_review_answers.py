"""What comes of the answers of a review: gold rows without text, and figures of agreement."""

from datetime import date

from chatcensus.conversation import Conversation, Turn
from chatcensus.gold_rows import GoldRow
from chatcensus.review import Candidate, Why
from chatcensus.review_answers import Collected, gold_lines
from chatcensus.review_sheet import Reviewed

VERSION, DAY, CANARY = "a" * 12, date(2026, 12, 1), "canary-0815"


def conversation(name: str, text: str = CANARY) -> Conversation:
    return Conversation(name, (Turn("user", text),))


def candidate(
    name: str,
    category: str | None = "coding",
    why: Why = "random",
    *,
    version: str = VERSION,
    language: str | None = "ja",
) -> Candidate:
    return Candidate(name, conversation(name).content_hash, why, language, version, category, category and 3)


def answer(one: Candidate, category: str = "coding", score: int | None = 3) -> Reviewed:
    return Reviewed(one.row, category, score, "me")


def collected(*taken: tuple[Candidate, Reviewed]) -> Collected:
    all_of_it = Collected("3fa9c1d27b04", VERSION, DAY)
    for one, said in taken:
        all_of_it.take(one, said, conversation(one.conversation_id))
    return all_of_it


def test_an_answer_is_a_gold_row_without_the_text():
    one = candidate("c")

    [row] = collected((one, answer(one, "writing", None))).gold["random-3fa9c1d27b04.jsonl"]

    assert row == GoldRow(
        id="c",
        language="ja",
        content_hash=one.content_hash,
        category="writing",
        taxonomy_version=VERSION,
        labelled_by="me",
        labelled_on=DAY,
    )
    assert GoldRow.model_validate_json(gold_lines([row])) == row


def test_only_the_random_are_in_the_file_that_tells_of_all():
    taken = [candidate("a"), candidate("b", why="changed"), candidate("c", None, "quarantined")]

    files = collected(*((one, answer(one)) for one in taken)).gold

    assert {file: [row.id for row in rows] for file, rows in files.items()} == {
        "random-3fa9c1d27b04.jsonl": ["a"],
        "picked-3fa9c1d27b04.jsonl": ["b", "c"],
    }


def test_what_has_changed_or_is_gone_is_counted_and_left_out():
    all_of_it, one = collected(), candidate("c")

    all_of_it.take(one, answer(one), conversation("c", "another text"))
    all_of_it.take(one, answer(one), None)

    assert all_of_it.counts == {"changed": 1, "gone": 1}
    assert all_of_it.gold == {}
    assert list(all_of_it.compared.lines()) == []


def test_agreement_is_told_of_each_group_by_itself():
    said = [("a", "coding"), ("b", "coding"), ("c", "writing"), ("d", "writing")]
    judged = {"a": "coding", "b": "writing", "c": "writing", "d": "writing"}
    taken = [(candidate(name, judged[name]), category) for name, category in said]
    changed = candidate("e", why="changed")

    compared = collected(
        *((one, answer(one, category)) for one, category in taken), (changed, answer(changed))
    ).compared

    figures = compared.figures()
    assert set(figures) == {"random", "changed"}
    assert {name: figures["random"][name] for name in ("compared", "agreed", "accuracy", "kappa")} == {
        "compared": 4,
        "agreed": 3,
        "accuracy": 0.75,
        "kappa": 0.5,
    }
    assert figures["random"]["low"] < 0.75 < figures["random"]["high"]
    first, second = compared.lines()
    assert first.startswith(
        "random: person and judge agree on 3 of 4 categories, 75.0% (95 %: 30.1% to 95.4%); kappa 0.50"
    )
    assert second.endswith("kappa not defined, of the inquiry scores not defined")


def test_scores_are_compared_where_both_have_given_one():
    scores = {"a": 3, "b": 5, "c": None}
    taken = [candidate(name) for name in scores]

    compared = collected(*((one, answer(one, score=scores[one.conversation_id])) for one in taken)).compared

    assert compared.figures()["random"]["score_kappa"] == 0.0
    assert "of the inquiry scores 0.00" in next(compared.lines())


def test_a_quarantine_and_a_judgement_by_other_categories_say_nothing_of_agreement():
    taken = [candidate("a", None, "quarantined"), candidate("b", version="b" * 12)]

    all_of_it = collected(*((one, answer(one)) for one in taken))

    assert all_of_it.compared.figures() == {}
    assert all_of_it.counts["gold_rows"] == 2


def test_a_table_without_languages_gets_them_from_the_script():
    japanese, latin = (candidate(name, language=None) for name in ("j", "l"))
    all_of_it = Collected("3fa9c1d27b04", VERSION, DAY)
    texts = {"j": "これは何ですか", "l": "What is this?"}

    for one in (japanese, latin):
        talk = conversation(one.conversation_id, texts[one.conversation_id])
        all_of_it.take(Candidate(one.conversation_id, talk.content_hash, "random", None, VERSION), answer(one), talk)

    assert [row.language for row in all_of_it.gold["random-3fa9c1d27b04.jsonl"]] == ["ja", "latin"]
