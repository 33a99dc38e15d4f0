"""settle at its gate: what cannot be read, and a run that only looks."""

from collections import Counter

import pytest

from chatcensus.answer import Reason
from chatcensus.errors import SetupError
from chatcensus.operators.settle import SettleRunOperator, check_run
from chatcensus.tally import Outcome, Tally


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


def test_a_dry_run_says_what_is_due_and_what_it_would_cost_and_records_nothing(capfd: pytest.CaptureFixture[str]):
    due = Tally(3, Counter({Outcome.LEFT_PENDING: 3}), due=3, forecast_micro_usd=1_200)

    total = _dry([due, due], segments=2).execute({})

    assert (total["due"], total["forecast_micro_usd"]) == (6, 2_400)
    assert "dry run: 6 conversations are due, about 0.0024 USD" in "".join(capfd.readouterr())


def test_a_dry_run_of_which_a_segment_failed_is_red():
    with pytest.raises(Exception, match="0 of 1 segments ended well"):
        _dry([], segments=1).execute({})
