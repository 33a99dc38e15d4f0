"""plan: how a table is cut, what a run is said to take, and what an index has to be for it."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from chatcensus.aws.ledger import Ledger
from chatcensus.aws.reading import BATCH
from chatcensus.errors import SetupError
from chatcensus.forecast import forecast, most_in_time, read_units, usage_of_one
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.plan import PlanSegmentsOperator
from chatcensus.partition import MAX_SEGMENTS, Segment, scan_segments
from chatcensus.pricing import TablePrices, Usage
from chatcensus.prompt import prompt_version
from chatcensus.usage_history import Used
from tests.aws.indexed_table import BY_DAY, MAPPING, PENDING, TABLE, create, index_of, put, put_day

INCLUDE = Path(__file__).parents[2] / "include"
PRICES = INCLUDE / "prices.yaml"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERYTHING = Window(None, NOON).as_dict()
CONTROL_TABLE = "control"
QUOTA = {"requests_per_minute": 800.0, "tokens_per_minute": 1_600_000.0}
MODEL = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog).model("stand-in")
PRICE = MODEL.price(date(2026, 11, 22))


@pytest.mark.parametrize(
    ("conversations", "per_segment", "segments", "expected"),
    [
        (0, 5000, 1, 0),
        (1, 5000, 1, 1),
        (5000, 5000, 1, 5000),
        (5001, 5000, 2, 2501),
        (50_000, 5000, 10, 5000),
        (1024, 1, 1024, 1),
        (1025, 1, 1024, 2),
        (10_000_000, 5000, 1024, 9766),
        (10**12, 1, 1024, 976_562_500),
    ],
)
def test_a_table_is_split_into_1_to_1024_segments(conversations, per_segment, segments, expected):
    plan = scan_segments(conversations, per_segment, EVERYTHING)

    assert len(plan) == segments <= MAX_SEGMENTS
    assert [part.read.segment for part in plan] == list(range(segments))
    assert {part.read.segments for part in plan} == {segments}
    assert {part.expected for part in plan} == {expected}
    assert expected * segments >= conversations


@pytest.mark.parametrize(
    ("conversations", "first", "last"),
    [
        (7, "segment 1/1 (7)", "segment 1/1 (7)"),
        (50_000, "segment 01/10 (5,000)", "segment 10/10 (5,000)"),
        (10_000_000, "segment 0001/1024 (9,766)", "segment 1024/1024 (9,766)"),
    ],
)
def test_segments_have_names_of_one_width_that_sort_in_order(conversations, first, last):
    names = [part.name for part in scan_segments(conversations, 5000, EVERYTHING)]

    assert (names[0], names[-1]) == (first, last)
    assert names == sorted(set(names))
    assert len({len(name) for name in names}) == 1


# The forecast


def test_the_forecast_counts_the_instructions_once_for_each_conversation():
    one_call = usage_of_one(300, "x" * 400)

    empty, one, two = (forecast(count, 0, one_call, PRICE, 5, QUOTA) for count in (0, 1, 2))

    assert set(empty.values()) == {0}
    assert one["input_tokens"] == 100 + 100
    assert two["input_tokens"] == 2 * one["input_tokens"]
    assert one["cost_micro_usd"] > 0


def test_no_more_is_forecast_than_may_be_asked():
    assert forecast(1000, 10, Usage(100, 40), PRICE, 5, QUOTA)["conversations"] == 10
    assert forecast(5, 10, Usage(100, 40), PRICE, 5, QUOTA)["conversations"] == 5


@pytest.mark.parametrize(
    ("tokens", "minutes"),
    [pytest.param(100, 10, id="requests are the limit"), pytest.param(7800, 40, id="tokens are the limit")],
)
def test_the_minutes_follow_the_quota_that_is_used_up_first(tokens, minutes):
    assert forecast(8000, 0, Usage(tokens, 40), PRICE, 5, QUOTA)["minutes"] == minutes


def test_a_segment_never_takes_longer_than_half_of_a_tasks_time():
    assert most_in_time(Usage(100, 40), MODEL, QUOTA) == 800 / 4 * 180
    assert most_in_time(Usage(100, 40), MODEL, QUOTA | {"requests_per_minute": 0.001}) == 1


def test_a_scan_is_priced_by_the_table_and_an_index_by_what_is_pending():
    prices = read_yaml(PRICES, TablePrices)
    small, large = (read_units("scan", 1000, items, items * 3000) for items in (100_000, 1_000_000))

    assert large == pytest.approx(10 * small, rel=0.001)
    assert read_units("index", 1000, 100_000, 100_000 * 3000) == read_units("index", 1000, 10**6, 10**6 * 3000) < 1100
    assert prices.read_micro_usd(large, date(2026, 11, 22)) == pytest.approx(1e6 * 3000 / 4096 * 0.125, rel=0.001)


def test_a_day_without_a_price_of_reads_is_an_error_and_not_free():
    with pytest.raises(SetupError, match="reads have no price for 2020-01-01: add one to include"):
        read_yaml(PRICES, TablePrices).read_micro_usd(1, date(2020, 1, 1))


# Strategies


class Pushed:
    """A task instance that keeps the forecast."""

    def __init__(self):
        self.pushed = {}

    def xcom_push(self, key, value):
        assert key == "forecast"
        self.pushed |= json.loads(json.dumps(value))


@pytest.fixture
def dynamodb(local_aws):
    client = local_aws.client("dynamodb")
    keys = {"pk": "HASH", "sk": "RANGE"}
    client.create_table(
        TableName=CONTROL_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
    )
    return client


@pytest.fixture
def planned(tmp_path):
    def plan(partition, run=None, **changes):
        mapping = tmp_path / "table.yaml"
        names = MAPPING.model_dump(exclude_defaults=True, mode="json", exclude={"partition"})
        mapping.write_text(yaml.safe_dump(names | {"partition": partition}))
        arguments = {
            "table": TABLE,
            "control_table": CONTROL_TABLE,
            "is_dry_run": "true",
            "model": "stand-in",
            "instructions": "Judge.",
            "mapping": mapping,
            "models": INCLUDE / "prompts/models.yaml",
            "prices": PRICES,
            "conversations_per_segment": "5",
            "quota": QUOTA,
            "max_usd": "5",
        }
        operator = PlanSegmentsOperator(task_id="plan", **arguments | changes)
        ti = Pushed()
        plan.pushed = ti.pushed
        context = {"dag": SimpleNamespace(dag_id="chat_census"), "run_id": "manual__1", "ti": ti}
        context["dag_run"] = run or _run()
        return [Segment.model_validate(json.loads(json.dumps(part))) for part in operator.execute(context)]

    return plan


def _run(run_type="manual", start=None, end=None):
    return SimpleNamespace(run_type=run_type, run_after=NOON, data_interval_start=start, data_interval_end=end)


def test_a_pending_index_is_planned_by_what_is_pending(dynamodb, planned):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 7)
    put(dynamodb, "judged", "2026-11-01T00:00:00Z", pending=None)

    segments = planned(PENDING)

    assert [segment.expected for segment in segments] == [5, 2]
    assert {segment.read.index for segment in segments} == {"pending"}


def test_a_reevaluation_scans_since_what_is_judged_is_not_pending(dynamodb, planned, capsys):
    create(dynamodb)
    put(dynamodb, "judged", "2026-11-01T00:00:00Z", pending=None)

    [segment] = planned(PENDING, reevaluate="category=coding")

    assert segment.read.strategy == "scan"
    assert "what its condition does not match costs nothing" in capsys.readouterr().out


def test_a_condition_that_cannot_be_read_fails_before_the_table_is_cut(dynamodb, planned):
    create(dynamodb)

    with pytest.raises(AirflowFailException, match="cannot be read at 'reason=bad': 'bad': a reason is one of"):
        planned(PENDING, reevaluate="reason=bad")


def test_a_backfill_by_day_asks_only_for_its_days(dynamodb, planned):
    create(dynamodb)
    for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
        put_day(dynamodb, day, 2)
    start, end = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)

    [segment] = planned(BY_DAY, _run("backfill", start, end))

    assert [each.value for each in segment.read.ranges] == ["2026-11-02"]
    assert segment.part == "0:2026-11-02:2026-11-02"


@pytest.mark.parametrize("partition", [PENDING, BY_DAY], ids=["pending-index", "date-index"])
def test_nothing_pending_is_one_empty_segment(dynamodb, planned, partition):
    create(dynamodb)

    [segment] = planned(partition)

    assert segment.name == "segment 1/1 (0)"


@pytest.mark.parametrize("partition", [PENDING, BY_DAY], ids=["pending-index", "date-index"])
def test_planning_by_an_index_counts_all_its_entries_and_reads_a_sample(
    local_aws, dynamodb, planned, partition, monkeypatch
):
    monkeypatch.setattr("chatcensus.operators.plan.SAMPLE", 100)
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 230)

    planned(partition, conversations_per_segment="150")

    assert local_aws.stats()["dynamodb_reads"][TABLE]["items"] <= 100 + BATCH
    forecast = planned.pushed
    assert (forecast["items_read"], forecast["conversations"]) == (100, 230)
    assert forecast["due_low"] <= 230 == forecast["due_high"]


def test_an_index_that_does_not_exist_fails_at_once(dynamodb, planned):
    create(dynamodb, index_of("other", "day", "created_at"))

    with pytest.raises(AirflowFailException, match="index 'pending' of table 'indexed' does not exist"):
        planned(PENDING)


def test_the_log_says_that_a_scan_reads_the_whole_table_and_at_what_price(dynamodb, planned, capsys):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 7)

    planned({"strategy": "scan"})

    assert "scan: the whole table is read once, about 1 read units, 0.0000 USD; 2 segments" in capsys.readouterr().out


# What the run would take


CATALOG = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog)


def test_every_model_that_can_be_called_stands_beside_that_of_the_run(dynamodb, planned, capsys):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 7)

    planned({"strategy": "scan"}, model="amazon.nova-micro-v1:0")

    rows, shown = planned.pushed["models"], capsys.readouterr().out
    assert rows[0]["model"] == "amazon.nova-micro-v1:0"
    assert {row["model"] for row in rows} == {model.model_id for model in CATALOG.models if model.is_invocable}
    assert all(row["model"] in shown for row in rows)
    assert "batch USD" in shown


def test_nothing_but_numbers_and_names_of_models_leaves_the_sample(dynamodb, planned, capsys):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 7)

    planned({"strategy": "scan"})

    told = {name: value for name, value in planned.pushed.items() if name != "models"}
    assert all(isinstance(value, int) for value in told.values())
    names = {value for row in planned.pushed["models"] for value in row.values() if isinstance(value, str)}
    assert names <= {"", *(model.model_id for model in CATALOG.models)}
    assert "segment-text" not in capsys.readouterr().out


def test_the_pages_that_are_sampled_are_in_the_read_units():
    assert read_units("scan", 0, 1000, 4096 * 1000, 300) == 1300
    assert read_units("index", 100, 1000, 4096 * 1000, 100) == read_units("index", 100, 1000, 4096 * 1000) + 100


def test_the_limit_of_conversations_bounds_the_forecast_and_not_what_is_due(dynamodb, planned):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 10)

    planned({"strategy": "scan"})
    whole = planned.pushed
    planned({"strategy": "scan"}, max_conversations="5")

    part = planned.pushed
    assert (whole["conversations"], part["conversations"], part["due"]) == (10, 5, 10)
    assert part["input_tokens"] == pytest.approx(whole["input_tokens"] / 2, abs=1)


def test_what_earlier_runs_have_used_is_what_the_next_plan_goes_by(dynamodb, planned):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 7)
    planned({"strategy": "scan"})
    blind = planned.pushed["models"][0]
    used = Used(
        1,
        50,
        100,
        3 * 100 * planned.pushed["guessed_tokens"],
        900,
        guessed_tokens=100 * planned.pushed["guessed_tokens"],
    )

    Ledger(dynamodb, CONTROL_TABLE, "before").keep_usage("2026-11-01", "stand-in", prompt_version("Judge."), used)
    planned({"strategy": "scan"})

    row = planned.pushed["models"][0]
    assert (blind["tokens_from"], row["tokens_from"]) == ("", "prompt")
    assert (row["calls"], row["output_tokens"]) == (14, 14 * 9)
    assert row["input_tokens"] == pytest.approx(14 * 3 * planned.pushed["guessed_tokens"], rel=0.01)


# Routes


def _include(tmp_path, routes):
    """The catalog's file in a folder with other routes."""
    (tmp_path / "prompts").symlink_to(INCLUDE / "prompts")
    (tmp_path / "routes.yaml").write_text(yaml.safe_dump(routes))
    return tmp_path / "prompts/models.yaml"


def test_what_leaves_the_residency_ends_with_the_plan(local_aws, dynamodb, planned, tmp_path):
    create(dynamodb)
    models = _include(tmp_path, {"residency": "jp", "routes": []})

    with pytest.raises(AirflowFailException, match=r"may answer in 'global'.*nothing was sent"):
        planned({"strategy": "scan"}, model="global.anthropic.claude-haiku-5-5", models=models)

    assert planned({"strategy": "scan"}, models=models)
    assert local_aws.stats()["converse_calls"] == 0


def test_the_minutes_are_those_at_the_quota_of_all_routes_together(dynamodb, planned, tmp_path, capsys):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 30)
    route = {"model_id": "stand-in", "requests_per_minute": 1, "tokens_per_minute": 1e9}
    regions = ("ap-northeast-1", "ap-northeast-3")
    named = [{"name": region, "region": region, **route} for region in regions]

    planned({"strategy": "scan"}, models=_include(tmp_path, {"residency": "jp", "routes": named}))

    assert "15 minutes at the quota" in capsys.readouterr().out
