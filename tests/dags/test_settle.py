"""settle at its gate: what cannot be read, and a run that only looks."""

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from chatcensus.answer import Reason
from chatcensus.aws.ledger import RUNS_OF_USAGE, Ledger
from chatcensus.errors import SetupError
from chatcensus.operators.settle import SettleRunOperator, check_run
from chatcensus.tally import Outcome, Tally
from chatcensus.usage_history import Used


def _tally(unreadable: int, already_evaluated: int = 0, evaluated: int = 0) -> Tally:
    outcomes = Counter(
        {
            Outcome.QUARANTINED: unreadable,
            Outcome.ALREADY_EVALUATED: already_evaluated,
            Outcome.EVALUATED: evaluated,
        }
    )
    return Tally(outcomes.total(), outcomes, Counter({Reason.UNREADABLE: unreadable}))


@pytest.mark.parametrize("tally", [_tally(0), _tally(5, already_evaluated=95), _tally(1, evaluated=19)])
def test_a_few_conversations_that_cannot_be_read_do_not_stop_a_run(tally: Tally):
    check_run(tally, ended=1, segments=1, max_percent=5)


@pytest.mark.parametrize("tally", [_tally(6, already_evaluated=94), _tally(6, evaluated=94)])
def test_more_that_cannot_be_read_stop_it_with_both_numbers_and_the_remedy(tally: Tally):
    with pytest.raises(SetupError, match=r"6 of 100 conversations cannot be read, more than 5 %: .*table check"):
        check_run(tally, ended=1, segments=1, max_percent=5)


@pytest.mark.parametrize(
    "skipped", [{"other_item": 19}, {"other_item": 500, "outside_interval": 1}, {"outside_interval": 500}, {}]
)
def test_a_run_that_has_nothing_to_judge_goes_on(skipped: dict[str, int]):
    check_run(Tally(skipped=Counter(skipped)), ended=1, segments=1, max_percent=5)


def test_a_condition_that_no_item_fulfils_publishes_no_empty_statistic():
    with pytest.raises(SetupError, match=r"none of 500 items fulfils `only` of include/table\.yaml"):
        check_run(Tally(skipped=Counter({"other_item": 500})), ended=1, segments=1, max_percent=5)


def _dry(tallies: list[Tally], segments: int) -> SettleRunOperator:
    return SettleRunOperator(
        task_id="settle",
        segments=[{}] * segments,
        tallies=[tally.as_dict() for tally in tallies],
        control_table="no table is asked",
        max_rejection_percent="5",
        is_dry_run="True",
    )


FORECAST = {
    "guessed_micro_usd": 1_200,
    "max_conversations": 0,
    "due": 3,
    "models": [
        {
            "model": "stand-in",
            "tokens_from": "prompt",
            "calls": 3,
            "input_tokens": 6_000,
            "output_tokens": 120,
            "realtime_micro_usd": 900,
            "cached_micro_usd": 500,
            "batch_micro_usd": None,
            "seconds": 30,
        }
    ],
}


class OfPlan:
    """A task instance that finds what `plan` has pushed."""

    def __init__(self, forecast: dict[str, Any]) -> None:
        self.forecast = forecast

    def xcom_pull(self, task_ids: str, key: str) -> dict[str, Any]:
        assert (task_ids, key) == ("plan", "forecast")
        return self.forecast


def _looked(forecast: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> str:
    due = Tally(3, Counter({Outcome.LEFT_PENDING: 3}), due=3, forecast_micro_usd=1_200)
    total = _dry([due, due], segments=2).execute({"ti": OfPlan(forecast)})
    assert (total["due"], total["forecast_micro_usd"]) == (6, 2_400)
    return "".join(capfd.readouterr())


def test_a_dry_run_shows_the_table_of_plan_for_what_is_exactly_due(capfd: pytest.CaptureFixture[str]):
    shown = _looked(FORECAST, capfd)

    assert "dry run: 6 conversations are due, about 0.0010 USD; no call was made" in shown
    row = next(line for line in shown.splitlines() if line.startswith("stand-in")).split()
    assert row == ["stand-in", "6", "12,000", "240", "0.0018", "0.0010", "-", "1", "its", "calls"]


def test_a_dry_run_of_a_run_with_a_limit_shows_what_the_limit_lets_through(capfd: pytest.CaptureFixture[str]):
    shown = _looked(FORECAST | {"max_conversations": 3}, capfd)

    assert "dry run: 6 conversations are due, about 0.0005 USD" in shown


def test_what_no_item_of_the_sample_has_shown_is_not_free(capfd: pytest.CaptureFixture[str]):
    nothing = {**FORECAST["models"][0], "realtime_micro_usd": 0, "cached_micro_usd": None}

    shown = _looked(FORECAST | {"guessed_micro_usd": 0, "due": 0, "models": [nothing]}, capfd)

    assert "dry run: 6 conversations are due, about 0.0024 USD" in shown


def test_a_dry_run_of_which_a_segment_failed_is_red():
    with pytest.raises(Exception, match="0 of 1 segments ended well"):
        _dry([], segments=1).execute({})


# What a run leaves for the next forecast

CONTROL = "chatcensus-control"
PLANNED = {"planned": {"model": "stand-in"}, "prompt_version": "abc", "guessed_tokens": 2_000, "has_cache": True}


@pytest.fixture
def dynamodb(local_aws: Any) -> Any:
    local_aws.create_stack()
    return local_aws.client("dynamodb")


def _settled(dynamodb: Any, tally: Tally, run: str = "manual__1", hour: int = 3, **planned: Any) -> None:
    """Let `settle` end a run that `plan` has begun."""
    Ledger(dynamodb, CONTROL, f"chat_census/{run}").record(**{**PLANNED, **planned})
    context = {"dag": SimpleNamespace(dag_id="chat_census"), "run_id": run}
    context["dag_run"] = SimpleNamespace(run_after=datetime(2026, 12, 1, hour, tzinfo=UTC))
    SettleRunOperator(
        task_id="settle", segments=[{}], tallies=[tally.as_dict()], control_table=CONTROL, max_rejection_percent="100"
    ).execute(context)


def _judged(calls: int, **sums: int) -> Tally:
    outcomes = Counter({Outcome.EVALUATED: calls - 1, Outcome.QUARANTINED: 2})
    reasons = Counter({Reason.NOT_JSON: 1, Reason.EMPTY: 1})
    return Tally(
        calls + 1, outcomes, reasons, calls=calls, input_tokens=1_900 * calls, output_tokens=12 * calls, **sums
    )


def test_a_run_that_is_settled_twice_is_remembered_once(dynamodb: Any):
    for _ in range(2):
        _settled(dynamodb, _judged(30, cache_read_tokens=29 * 1_500, cost_micro_usd=700))

    used = Used(1, 30, 30, 57_000, 360, 43_500, 0, 700, 60_000)
    assert list(Ledger(dynamodb, CONTROL, "").usages()) == [("stand-in", "abc", used)]


def test_a_run_without_a_call_forgets_nothing_and_leaves_nothing(dynamodb: Any):
    _settled(dynamodb, _judged(30))
    _settled(dynamodb, Tally(3, Counter({Outcome.ALREADY_EVALUATED: 3})))

    assert [used.calls for _, _, used in Ledger(dynamodb, CONTROL, "").usages()] == [30]


def test_a_run_of_which_plan_had_nothing_to_guess_by_leaves_no_history(dynamodb: Any):
    _settled(dynamodb, _judged(30), guessed_tokens=0)

    assert list(Ledger(dynamodb, CONTROL, "").usages()) == []


def test_the_history_is_of_the_last_runs(dynamodb: Any):
    ledger = Ledger(dynamodb, CONTROL, "run")
    for number in range(RUNS_OF_USAGE + 5):
        ledger.keep_usage(f"{number:03}", "stand-in", "abc", Used(1, number, number))

    found = [used.calls for _, _, used in ledger.usages()]

    assert found == list(range(RUNS_OF_USAGE + 4, 4, -1))


def test_it_says_what_the_cache_has_saved(dynamodb: Any, capfd: pytest.CaptureFixture[str]):
    _settled(dynamodb, _judged(30, cache_read_tokens=44_460, saved_micro_usd=410_000))

    assert "cached 78 % of the input tokens, saved 0.4100 USD" in "".join(capfd.readouterr())


@pytest.mark.parametrize(("calls", "is_said"), [(20, False), (21, True)])
def test_a_cache_that_nothing_was_read_from_is_said_of_more_than_20_calls(
    dynamodb: Any, capfd: pytest.CaptureFixture[str], calls: int, is_said: bool
):
    _settled(dynamodb, _judged(calls))

    assert ("read nothing from the prompt cache" in "".join(capfd.readouterr())) == is_said
