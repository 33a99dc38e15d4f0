"""The same work on every model: tokens by script, by history, with the cache, and by batch inference."""

from datetime import date
from typing import Any

import pytest

from chatcensus.commands.options import preview_job
from chatcensus.conversation import estimated_tokens
from chatcensus.errors import SetupError
from chatcensus.estimate import Estimate, counted
from chatcensus.forecast import Letters, answer_tokens
from chatcensus.include import read_yaml
from chatcensus.mapping import Stored
from chatcensus.model_catalog import ModelCatalog
from chatcensus.pricing import Usage, cost_micro_usd
from chatcensus.selection import Found
from chatcensus.side_by_side import Fixed, Work, expected_micro_usd, minutes, scaled, side_by_side, table_lines
from chatcensus.usage_history import LEAST_CALLS, History, Used
from tests.fakes import INCLUDE, MAPPING, TAXONOMY, conversation_item

DAY = date(2026, 12, 1)
CATALOG = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog)
QUOTA = {"requests_per_minute": 800.0, "tokens_per_minute": 1_600_000.0}
INSTRUCTIONS = "Judge the conversation. " * 250  # 6,000 characters, about 1,500 tokens
FIXED = Fixed.of(INSTRUCTIONS, TAXONOMY)
MESSAGE = "日本語のことば" * 100
WORK = Work(100, 100, 100 * (estimated_tokens(INSTRUCTIONS) + estimated_tokens(MESSAGE)), Letters.of(MESSAGE) * 100)
JP_HAIKU, HAIKU, OSS = "jp.anthropic.claude-haiku-5-5", "global.anthropic.claude-haiku-5-5", "openai.gpt-oss-20b-1:0"
HAIKU_4_5, MICRO = "jp.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-micro-v1:0"


def rows(
    first: str = JP_HAIKU, work: Work = WORK, runs: Any = (), items: Any = None, catalog: ModelCatalog = CATALOG
) -> dict[str, dict[str, Any]]:
    made = side_by_side(work, FIXED, catalog, first, History(catalog, "p1", runs, items), QUOTA, DAY)
    return {row["model"]: row for row in made}


def test_the_model_of_the_run_stands_first_and_what_cannot_be_called_nowhere():
    names = list(rows(MICRO))

    assert names[0] == MICRO
    assert sorted(names) == sorted(model.model_id for model in CATALOG.models if model.is_invocable)


def test_a_model_whose_life_is_over_is_not_offered():
    ended = [
        model.model_copy(update={"is_invocable": True}) if "claude-3-haiku" in model.model_id else model
        for model in CATALOG.models
    ]

    assert not any("claude-3-haiku" in name for name in rows(catalog=ModelCatalog(models=tuple(ended))))


def test_a_model_without_a_price_is_an_error_for_its_run_and_not_shown_beside_another():
    price = CATALOG.model(OSS).prices[0].model_copy(update={"since": "2027-01-01"})
    later = CATALOG.model(OSS).model_copy(update={"prices": (price,)})
    catalog = ModelCatalog(models=tuple(later if model.model_id == OSS else model for model in CATALOG.models))

    with pytest.raises(SetupError, match=r"'openai\.gpt-oss-20b-1:0' has no price for 2026-12-01"):
        rows(OSS, catalog=catalog)

    assert len(rows(catalog=catalog)) == len(rows()) - 1
    assert OSS not in rows(catalog=catalog)


@pytest.mark.parametrize(
    ("model", "has_cache", "has_batch"),
    [
        pytest.param(JP_HAIKU, True, False, id="no batch price"),
        pytest.param(HAIKU_4_5, False, True, id="instructions shorter than its cache takes"),
        pytest.param(OSS, False, True, id="no cache"),
        pytest.param(MICRO, True, True, id="both"),
    ],
)
def test_what_a_model_does_not_have_is_a_dash(model: str, has_cache: bool, has_batch: bool):
    row = rows()[model]
    line = next(line for line in table_lines([row]) if line.startswith(model)).split()

    assert [row["cached_micro_usd"] is not None, row["batch_micro_usd"] is not None] == [has_cache, has_batch]
    assert [line[5] != "-", line[6] != "-"] == [has_cache, has_batch]
    assert expected_micro_usd(row) == (row["cached_micro_usd"] if has_cache else row["realtime_micro_usd"])


def test_the_prefix_is_read_at_the_price_of_the_cache_and_written_once():
    row, price = rows(MICRO)[MICRO], CATALOG.model(MICRO).price(DAY)
    prefix = FIXED.prefix(CATALOG.model(MICRO), "tool")
    assert price.cache_read is not None
    saved = 99 * prefix * float(price.input - price.cache_read)

    assert row["realtime_micro_usd"] - row["cached_micro_usd"] == pytest.approx(saved, abs=2)


def test_batch_inference_sends_no_tool_and_has_its_own_price():
    row, model = rows(MICRO)[MICRO], CATALOG.model(MICRO)
    batch = model.price(DAY).batch
    assert batch is not None
    tokens = 100 * FIXED.prefix(model, "prompt") + WORK.letters.tokens(model.family)

    expected = tokens * float(batch.input) + 100 * answer_tokens(model, "prompt") * float(batch.output)
    assert row["batch_micro_usd"] == pytest.approx(expected, abs=2)


def test_what_a_model_thinks_is_paid_as_output():
    assert rows()[OSS]["output_tokens"] == 100 * (12 + 150)
    assert rows()[MICRO]["output_tokens"] == 100 * 40


def test_each_script_has_its_own_tokens():
    assert Letters.of("abcd") == Letters(4)
    assert Letters.of("aかカ。漢한") == Letters(1, 3, 1, 1)
    assert Letters.of("abcd" * 100).tokens("nova-micro") == 100
    assert 0.75 * 700 < Letters.of(MESSAGE).tokens("nova-micro") < 700 * 1.1


def test_the_tokenizer_of_the_5_5_models_makes_more_of_english_than_of_japanese():
    grown = {
        name: Letters.of(text).tokens("claude-haiku-5-5") / Letters.of(text).tokens("claude-haiku-4-5")
        for name, text in (("en", "word " * 100), ("ja", MESSAGE))
    }

    assert grown == {"en": pytest.approx(1.2), "ja": pytest.approx(1.04)}


# By history


GUESS = WORK.guessed_tokens / 100
# 100 conversations took 120 calls, each of twice the tokens that were guessed.
USED = Used(1, 100, 120, 240 * GUESS, 120 * 15, 119 * 1500, 1500, 0, 120 * GUESS)


@pytest.mark.parametrize(
    ("run", "tokens_from"),
    [
        pytest.param((JP_HAIKU, "p1"), "prompt", id="the same model and prompt"),
        pytest.param((JP_HAIKU, "p0"), "family", id="another prompt"),
        pytest.param((HAIKU, "p1"), "family", id="the same model elsewhere"),
        pytest.param((MICRO, "p1"), "", id="another family"),
        pytest.param(("gone", "p1"), "", id="a model that is not in the catalog any more"),
    ],
)
def test_only_usage_of_the_same_family_counts(run: tuple[str, str], tokens_from: str):
    row, blind = rows(runs=[(*run, USED)])[JP_HAIKU], rows()[JP_HAIKU]

    assert row["tokens_from"] == tokens_from
    if tokens_from:
        assert (row["calls"], row["output_tokens"]) == (120, 120 * 15)
        assert row["input_tokens"] == pytest.approx(120 * 2 * GUESS, rel=0.001)
    else:
        assert row == blind


def test_its_own_calls_count_before_those_of_the_family():
    other = Used(1, 100, 100, 900 * GUESS, 9000, guessed_tokens=100 * GUESS)

    row = rows(runs=[(HAIKU, "p1", other), (JP_HAIKU, "p1", USED), (JP_HAIKU, "p0", other)])[JP_HAIKU]

    assert row == rows(runs=[(JP_HAIKU, "p1", USED)])[JP_HAIKU]


def test_texts_that_were_read_tell_the_ratio_and_runs_all_the_rest():
    items = {JP_HAIKU: Used(0, 30, 30, 90 * GUESS, 30 * 99, guessed_tokens=30 * GUESS)}

    row = rows(runs=[(JP_HAIKU, "p1", USED)], items=items)[JP_HAIKU]

    assert row["input_tokens"] == pytest.approx(120 * 3 * GUESS, rel=0.001)
    assert row["output_tokens"] == 120 * 15


def test_a_few_calls_are_no_history():
    few = Used(1, 1, LEAST_CALLS - 1, 9 * GUESS, 9, guessed_tokens=GUESS)

    assert rows(runs=[(JP_HAIKU, "p1", few)])[JP_HAIKU]["tokens_from"] == ""
    assert rows(runs=[(JP_HAIKU, "p1", few), (JP_HAIKU, "p1", few)])[JP_HAIKU]["tokens_from"] == "prompt"


def test_the_cache_is_taken_as_it_was_measured():
    idle = Used(1, 100, 100, 100 * GUESS, 1200, 0, 0, 0, 100 * GUESS)

    measured = rows(runs=[(JP_HAIKU, "p1", USED)])[JP_HAIKU]

    assert measured["cached_micro_usd"] < measured["realtime_micro_usd"]
    assert rows(runs=[(JP_HAIKU, "p1", idle)])[JP_HAIKU]["cached_micro_usd"] is None


def test_a_long_run_after_a_short_one_writes_the_cache_once_too():
    runs, long = [(JP_HAIKU, "p1", USED)], rows(work=WORK * 1000, runs=[(JP_HAIKU, "p1", USED)])[JP_HAIKU]
    per_call = (long["cached_micro_usd"] - rows(runs=runs)[JP_HAIKU]["cached_micro_usd"]) / (999 * 120)
    price = CATALOG.model(JP_HAIKU).price(DAY)
    assert price.cache_read is not None

    read_and_rest = 1500 * float(price.cache_read) + (2 * GUESS - 1500) * float(price.input) + 15 * float(price.output)
    assert per_call == pytest.approx(read_and_rest, rel=0.001)


# As it is shown


def test_nothing_due_is_nothing_on_every_model():
    for row in rows(work=WORK * 0).values():
        assert {value for value in row.values() if isinstance(value, int)} == {0}


def test_rows_of_twice_the_work_are_twice_as_much_and_a_dash_stays_one():
    before = rows()[JP_HAIKU]
    [after] = scaled([before], 2)

    assert (after["calls"], after["realtime_micro_usd"]) == (200, 2 * before["realtime_micro_usd"])
    assert after["batch_micro_usd"] is None
    assert after["model"] == JP_HAIKU


def test_the_quota_that_is_used_up_first_gives_the_minutes():
    by_tokens = WORK * 100
    row = rows(work=by_tokens)[JP_HAIKU]

    tokens = row["input_tokens"] + 5 * row["output_tokens"]
    assert minutes(row) == -(-tokens // 1_600_000)
    assert minutes(rows(work=Work(1601, 1601, 0, Letters()))["openai.gpt-oss-20b-1:0"]) == 3


@pytest.mark.parametrize(("count", "said"), [(0, "0 minutes"), (1, "1 minute"), (1200, "1,200 minutes")])
def test_one_is_no_plural(count: int, said: str):
    assert counted(count, "minute") == said


def _found(name: str, *, is_due: bool, previous: dict[str, Any] | None = None) -> Found:
    stored = Stored(conversation_item(name, MESSAGE), has_room=True)
    return Found(stored, MAPPING.conversation(stored), previous, is_due)


def test_usage_without_a_guess_is_no_history():
    made = rows(runs=[(JP_HAIKU, "p1", Used(1, LEAST_CALLS, LEAST_CALLS, 2_000 * LEAST_CALLS, 800, guessed_tokens=0))])

    assert made[JP_HAIKU] == rows()[JP_HAIKU]


def test_a_sample_in_which_nothing_is_due_still_has_a_guess_for_a_call():
    job = preview_job(INCLUDE, MICRO)
    none_due, all_due = (Estimate(job, job.model.price(DAY)) for _ in range(2))
    for number in range(LEAST_CALLS):
        none_due.add(_found(f"c{number}", is_due=False))
        all_due.add(_found(f"c{number}", is_due=True))

    guesses = [each.of_table(1, CATALOG, (), QUOTA, DAY)["guessed_tokens"] for each in (none_due, all_due)]

    assert guesses[0] == guesses[1] > estimated_tokens(job.instructions)


def test_evaluations_by_batch_inference_are_no_history_of_calls():
    job = preview_job(INCLUDE, MICRO)
    price = job.model.price(DAY)
    tokens, by_batch, by_call = Usage(1_800, 12), Estimate(job, price), Estimate(job, price)
    for estimate, is_batch in ((by_batch, True), (by_call, False)):
        previous = {
            "model": MICRO,
            "prompt_version": job.prompt_version,
            "attempts": 1,
            "input_tokens": tokens.input_tokens,
            "output_tokens": tokens.output_tokens,
            "cost_micro_usd": cost_micro_usd(tokens, price, is_batch=is_batch),
        }
        estimate.add(_found("c1", is_due=False, previous=previous))

    assert by_batch.used == {}
    assert by_call.used[MICRO].calls == 1
