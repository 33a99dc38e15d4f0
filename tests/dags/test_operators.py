"""The operators against the local AWS: what they refuse, what they hand on, and how errors reach Airflow."""

import json
import traceback
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
    TaskDeferred,
)
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError, EndpointConnectionError
from structlog.tracebacks import ExceptionDictTransformer

from chatcensus import errors
from chatcensus.aws.athena import Athena
from chatcensus.aws.bedrock import client_config
from chatcensus.aws.editions import Editions
from chatcensus.aws.ledger import Ledger
from chatcensus.edition import Edition
from chatcensus.errors import ChatCensusError, ModelBusy, SetupError, SnapshotIncomplete, StoreBusy
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.operators.aws_client import airflow_errors, aws_client, run_ledger
from chatcensus.operators.classify import ClassifySegmentOperator
from chatcensus.operators.export import ExportTableOperator
from chatcensus.operators.plan import PlanSegmentsOperator
from chatcensus.operators.publish import PublishSummariesOperator
from chatcensus.operators.retries import RETRY_POLICY
from chatcensus.operators.settle import SettleRunOperator, check_run
from chatcensus.operators.summarise import SummariseTableOperator
from chatcensus.partition import scan_segments
from chatcensus.summaries import Summaries
from chatcensus.tally import Tally

INCLUDE = Path(__file__).parents[2] / "include"
TABLE, CONTROL_TABLE = "chat-conversations", "chatcensus-control"
SNAPSHOT_BUCKET = "chatcensus-snapshots-123456789012-ap-northeast-1"
RESULT_BUCKET = "chatcensus-results-123456789012-ap-northeast-1"
MODELS, MAPPING = INCLUDE / "prompts/models.yaml", INCLUDE / "table.yaml"
deserialize = TypeDeserializer().deserialize
CANARY = "canary-4711-の会話"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERYTHING = Window(None, NOON)


class TrialTask:
    """A task instance that keeps what is pushed."""

    map_index, try_number = 0, 1

    task_id = "summarise.category_counts"

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str) -> Any:
        assert task_ids == self.task_id
        return self.pushed[key]


@pytest.fixture
def dynamodb(local_aws):
    local_aws.create_stack()
    return local_aws.client("dynamodb")


@pytest.fixture
def context():
    run = SimpleNamespace(run_type="manual", run_after=NOON, data_interval_start=None, data_interval_end=None)
    return {
        "dag": SimpleNamespace(dag_id="chat_census"),
        "task": SimpleNamespace(task_id=TrialTask.task_id),
        "run_id": "manual__1",
        "dag_run": run,
        "ti": TrialTask(),
    }


def _put(dynamodb, count, text="Pythonのコードを直してください"):
    for number in range(count):
        turns = [{"M": {"role": {"S": "user"}, "content": {"S": f"{text} {number}"}}}]
        dynamodb.put_item(
            TableName=TABLE, Item={"conversation_id": {"S": f"c{number}"}, "user_id": {"S": "u"}, "turns": {"L": turns}}
        )


# plan: what it refuses (what it plans: test_plan.py)


def _plan(**changes):
    arguments = {
        "table": TABLE,
        "control_table": CONTROL_TABLE,
        "model": "stand-in",
        "instructions": "Judge.",
        "mapping": MAPPING,
        "models": MODELS,
        "prices": INCLUDE / "prices.yaml",
        "conversations_per_segment": "3",
        "quota": {"requests_per_minute": "800", "tokens_per_minute": "1.6e6"},
        "max_usd": "5",
    }
    return PlanSegmentsOperator(task_id="plan", **arguments | changes)


def test_a_good_table_is_planned_without_a_call(local_aws, dynamodb, context):
    _put(dynamodb, 7, CANARY)

    plan = _plan().execute(context)

    assert plan == [segment.as_dict() for segment in scan_segments(7, 3, EVERYTHING.as_dict())]
    assert context["ti"].pushed["forecast"]["conversations"] == 7
    assert local_aws.stats()["converse_calls"] == 0


@pytest.mark.usefixtures("dynamodb")
def test_a_backfill_is_planned_for_its_interval(context):
    start = datetime(2026, 11, 1, tzinfo=UTC)
    context["dag_run"] = SimpleNamespace(
        run_type="backfill", run_after=NOON, data_interval_start=start, data_interval_end=NOON
    )

    [part] = _plan().execute(context)

    assert Window.from_dict(part["window"]) == Window(start, NOON)


def _without_recovery(dynamodb):
    dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def _with_another_key(dynamodb):
    _with_key(dynamodb, {"PK": "S", "SK": "S"})


def _with_a_binary_key(dynamodb):
    _with_key(dynamodb, {"conversation_id": "B"})


def _with_key(dynamodb, types):
    dynamodb.delete_table(TableName=TABLE)
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(types, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        BillingMode="PAY_PER_REQUEST",
    )


def _as_it_is(_dynamodb):
    pass


@pytest.mark.parametrize(
    ("prepare", "changes", "complaint"),
    [
        pytest.param(
            _without_recovery, {}, f"point-in-time recovery of table '{TABLE}' is off", id="no point-in-time recovery"
        ),
        pytest.param(
            _with_another_key,
            {},
            rf"table '{TABLE}' has the key \['PK', 'SK'\], include/table.yaml says \['conversation_id'\]",
            id="another key",
        ),
        pytest.param(_with_a_binary_key, {}, r"has the binary key \['conversation_id'\]", id="a binary key"),
        pytest.param(
            _as_it_is,
            {"table": "no-such-table"},
            "DescribeTable answered ResourceNotFoundException: check the names in the Airflow Variables",
            id="no table",
        ),
        pytest.param(
            _as_it_is,
            {"model": "gpt-9"},
            r"model 'gpt-9' is not in include/prompts/models.yaml, which has: .*stand-in",
            id="unknown model",
        ),
        pytest.param(
            _as_it_is,
            {"mapping": INCLUDE / "no.yaml"},
            "no.yaml: cannot be read .*check that the file",
            id="no mapping",
        ),
        pytest.param(_as_it_is, {"models": MAPPING}, "table.yaml: models: Field required", id="a wrong file"),
    ],
)
def test_what_no_retry_can_change_fails_at_once_with_the_remedy(dynamodb, context, prepare, changes, complaint):
    prepare(dynamodb)

    with pytest.raises(AirflowFailException, match=complaint):
        _plan(**changes).execute(context)


# classify


def _classify(**changes):
    arguments = {
        "segment": scan_segments(5, 5000, EVERYTHING.as_dict())[0].as_dict(),
        "table": TABLE,
        "control_table": CONTROL_TABLE,
        "model": "stand-in",
        "instructions": "Judge.",
        "taxonomy": INCLUDE / "prompts/taxonomy.yaml",
        "mapping": MAPPING,
        "models": MODELS,
        "max_usd": "5",
        "in_flight": "4",
        "quota": {"requests_per_minute": "60000", "tokens_per_minute": "1e9"},
    }
    return ClassifySegmentOperator(task_id="classify", **arguments | changes)


def test_a_segment_is_judged_and_its_tally_returned_small(local_aws, dynamodb, context):
    _put(dynamodb, 5)

    tally = _classify().execute(context)

    assert tally["outcomes"] == {"evaluated": 5}
    assert local_aws.stats()["converse_calls"] == tally["calls"] == 5
    assert len(json.dumps(tally)) < 1024
    spent = Ledger(dynamodb, CONTROL_TABLE, "chat_census/manual__1").spent_micro_usd()
    assert spent == tally["cost_micro_usd"] > 0


def test_a_segment_without_budget_asks_nobody(local_aws, dynamodb, context):
    _put(dynamodb, 5)

    tally = _classify(max_usd="0").execute(context)

    assert "evaluated" not in tally["outcomes"]
    assert local_aws.stats()["converse_calls"] == 0


@pytest.mark.parametrize("secret", ["", "short", "x" * 15])
def test_a_weak_secret_is_refused_before_any_call_and_not_shown(local_aws, dynamodb, context, monkeypatch, secret):
    _put(dynamodb, 1)
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_PSEUDONYM_SECRET", secret)

    with pytest.raises(AirflowFailException, match=f"at least 16 characters, it has {len(secret)}") as caught:
        _classify().execute(context)

    assert secret == "" or secret not in _shown(caught.value)
    assert local_aws.stats()["converse_calls"] == 0


def test_a_model_at_its_end_of_life_fails_the_task_at_once(local_aws, dynamodb, context, tmp_path):
    _put(dynamodb, 20, CANARY)
    gone = "anthropic.claude-3-haiku-20240307-v1:0"
    models = _models(tmp_path, MODELS.read_text().replace(gone, "renamed").replace("amazon.nova-micro-v1:0", gone))

    with pytest.raises(AirflowFailException, match="reached its end of life") as caught:
        _classify(model=gone, models=models).execute(context)

    assert CANARY not in _shown(caught.value)
    assert local_aws.stats()["converse_calls"] <= 2 * 4  # those in flight, and not the other conversations


def test_no_variable_gets_a_text_out_of_its_residency(local_aws, dynamodb, context, tmp_path):
    _put(dynamodb, 3, CANARY)
    models = _models(tmp_path, MODELS.read_text(), "residency: jp\nroutes: []\n")

    with pytest.raises(AirflowFailException, match=r"may answer in 'global'.*nothing was sent"):
        _classify(model="global.anthropic.claude-haiku-5-5", models=models).execute(context)
    assert local_aws.stats()["converse_calls"] == 0

    assert _classify(models=models).execute(context)["outcomes"] == {"evaluated": 3}


def _models(tmp_path, catalog, routes="residency: null\nroutes: []\n"):
    """The catalog's file of an include folder of a test's own."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "routes.yaml").write_text(routes)
    (tmp_path / "prompts/models.yaml").write_text(catalog)
    return tmp_path / "prompts/models.yaml"


def test_a_task_that_is_killed_before_it_began_ends_quietly():
    _classify().on_kill()


# What people who watch a run are told


def _told(dynamodb):
    """The rows of the run in the ledger, by their sort key."""
    items = dynamodb.query(
        TableName=CONTROL_TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "run#chat_census/manual__1"}},
    )["Items"]
    return {item["sk"]["S"]: {name: deserialize(value) for name, value in item.items()} for item in items}


def _of_task(context, map_index):
    task = TrialTask()
    task.map_index = map_index
    return context | {"ti": task}


def test_the_plan_is_told_before_anything_is_judged(dynamodb, context):
    _put(dynamodb, 7)

    _plan(max_usd="0.25").execute(context)

    told = _told(dynamodb)["run"]["planned"]
    assert {name: told[name] for name in ("segments", "expected", "model", "burndown", "max_micro_usd")} == {
        "segments": 3, "expected": 9, "model": "stand-in", "burndown": 5, "max_micro_usd": 250_000,
    }  # fmt: skip
    assert (told["requests_per_minute"], told["tokens_per_minute"]) == (800, 1_600_000)
    assert told["forecast"] == {name: context["ti"].pushed["forecast"][name] for name in told["forecast"]}


def test_what_is_told_of_the_segments_adds_up_to_what_settle_writes(dynamodb, context):
    _put(dynamodb, 7)
    plan = _plan().execute(context)
    tallies = [_classify(segment=part).execute(_of_task(context, index)) for index, part in enumerate(plan)]

    _settle([Tally.total([tally]) for tally in tallies]).execute(context)

    run, *segments = _told(dynamodb).values()
    assert [(row["map_index"], row["name"], row["is_done"]) for row in segments] == [
        (index, part["name"], True) for index, part in enumerate(plan)
    ]
    assert Tally.total(row["tally"] for row in segments) == Tally.total([run["tally"]])
    assert run["tally"]["outcomes"] == {"evaluated": 7}


def test_a_segment_that_is_cleared_is_told_anew(dynamodb, context):
    _put(dynamodb, 5)
    for _ in range(2):
        _classify().execute(context)

    assert _told(dynamodb)["segment#0000"]["tally"]["outcomes"] == {"already_evaluated": 5}


def test_a_dry_run_tells_the_ledger_nothing(dynamodb, context):
    _put(dynamodb, 5)
    plan = _plan(is_dry_run="True").execute(context)

    tally = _classify(segment=plan[0], is_dry_run="True").execute(context)

    assert tally["due"] > 0
    assert _told(dynamodb) == {}


# settle


def _tally(read=10, **outcomes):
    tally = Tally(read=read, outcomes=Counter(outcomes or {"evaluated": read}))
    tally.check()
    return tally


def _rejecting(rejected, evaluated, reason="not_json"):
    tally = _tally(rejected + evaluated, evaluated=evaluated, quarantined=rejected)
    tally.reasons[reason] = rejected
    return tally


@pytest.mark.parametrize(
    ("tally", "segments", "max_percent"),
    [
        pytest.param(_tally(10), 1, 5, id="all judged"),
        pytest.param(_tally(0, evaluated=0), 1, 5, id="nothing to judge"),
        pytest.param(_tally(10, already_evaluated=10), 1, 0, id="all judged before"),
        pytest.param(_tally(10, left_pending=10), 1, 0, id="no budget"),
        pytest.param(_tally(10, changed=5, deleted=5), 1, 0, id="all gone on or deleted"),
        pytest.param(_rejecting(5, 95), 1, 5, id="exactly the limit"),
        pytest.param(_rejecting(0, 10), 1, 0, id="none rejected, none allowed"),
        pytest.param(_rejecting(10, 0), 1, 100, id="all rejected, all allowed"),
        pytest.param(_rejecting(50, 50, "empty"), 1, 5, id="empty conversations are not the model's doing"),
        pytest.param(_rejecting(50, 50, "too_large"), 1, 5, id="nor are those without room"),
    ],
)
def test_a_run_that_ended_well_passes(tally, segments, max_percent):
    check_run(tally, segments, segments, max_percent)


@pytest.mark.parametrize(
    ("tally", "ended", "segments", "error", "complaint"),
    [
        pytest.param(
            _tally(10), 2, 3, SetupError, "2 of 3 segments ended well: clear the failed", id="a segment short"
        ),
        pytest.param(_tally(0, evaluated=0), 0, 1, SetupError, "0 of 1 segments", id="no segment at all"),
        pytest.param(
            Tally(read=10, outcomes=Counter(evaluated=9)),
            1,
            1,
            SnapshotIncomplete,
            "10 conversations read, 9 ended",
            id="one lost",
        ),
        pytest.param(
            Tally(read=10, outcomes=Counter(evaluated=11)),
            1,
            1,
            SnapshotIncomplete,
            "10 conversations read, 11 ended",
            id="one too many",
        ),
        pytest.param(
            _rejecting(6, 94), 1, 1, SetupError, "6 of 100 judged .*'not_json': 6.*more than 5", id="too many rejected"
        ),
        pytest.param(_rejecting(1, 0), 1, 1, SetupError, "1 of 1 judged", id="the only one rejected"),
    ],
)
def test_the_gate_says_what_is_wrong_with_both_numbers(tally, ended, segments, error, complaint):
    with pytest.raises(error, match=complaint):
        check_run(tally, ended, segments, 5)


def _settle(tallies, segments=None):
    return SettleRunOperator(
        task_id="settle",
        segments=[{}] * (len(tallies) if segments is None else segments),
        tallies=[tally.as_dict() for tally in tallies],
        control_table=CONTROL_TABLE,
        max_rejection_percent="5",
    )


def _row(dynamodb):
    return Ledger(dynamodb, CONTROL_TABLE, "chat_census/manual__1").run()


def test_the_run_is_the_sum_of_its_segments(dynamodb, context):
    tallies = [_tally(3), _tally(4, already_evaluated=4)]

    total = _settle(tallies).execute(context)

    assert total["outcomes"] == {"already_evaluated": 4, "evaluated": 3}
    assert Tally.total([_row(dynamodb)["tally"]]) == Tally.total([total])
    assert _row(dynamodb)["segments_ended"] == 2


def test_only_what_was_written_asks_for_another_export(dynamodb, context):
    generations = []
    for tally in (_tally(3, already_evaluated=3), _tally(3, already_evaluated=3), _tally(3), _tally(3, changed=3)):
        _settle([tally]).execute(context)
        generations.append(int(_row(dynamodb)["generation"]))

    assert generations == [1, 1, 2, 2]


def test_clearing_settle_alone_asks_for_no_other_export(dynamodb, context):
    tallies = [_tally(3), _tally(2, already_evaluated=2)]
    for _ in range(2):
        _settle(tallies).execute(context)

    assert _row(dynamodb)["generation"] == 1


def test_a_second_classification_that_counts_the_same_asks_for_another_export(dynamodb, context):
    for paid in (100, 200):
        Ledger(dynamodb, CONTROL_TABLE, "chat_census/manual__1").record(spent_micro_usd=paid)
        _settle([_tally(3)]).execute(context)

    assert _row(dynamodb)["generation"] == 2


def test_a_classification_that_died_after_its_last_write_asks_for_another_export(dynamodb, context):
    ledger = Ledger(dynamodb, CONTROL_TABLE, "chat_census/manual__1")
    for paid, tally in ((100, _tally(3)), (130, _tally(3, already_evaluated=3))):
        ledger.record(spent_micro_usd=paid)
        _settle([tally]).execute(context)

    assert _row(dynamodb)["generation"] == 2


def test_a_run_that_failed_is_written_down_before_settle_is_red(dynamodb, context):
    with pytest.raises(AirflowException, match="1 of 2 segments ended well"):
        _settle([_tally(3)], segments=2).execute(context)

    assert _row(dynamodb)["segments_ended"] == 1
    assert _row(dynamodb)["tally"]["outcomes"] == {"evaluated": 3}


def test_useless_answers_are_no_matter_of_retries(dynamodb, context):
    with pytest.raises(AirflowFailException, match="look at the prompt and the model before publishing"):
        _settle([_rejecting(50, 50)]).execute(context)

    assert _row(dynamodb)["segments_ended"] == 1


@pytest.mark.usefixtures("dynamodb")
def test_settle_after_a_failed_plan_says_so(context):
    operator = _settle([])
    operator.segments = operator.tallies = None

    with pytest.raises(AirflowException, match="plan"):
        operator.execute(context)


# export


def _export(**changes):
    arguments = {
        "dynamodb_table_name": TABLE,
        "s3_bucket_name": SNAPSHOT_BUCKET,
        "s3_key_prefix": "exports",
        "control_table": CONTROL_TABLE,
        "database": "chatcensus",
        "mapping": MAPPING,
    }
    return ExportTableOperator(task_id="export", **arguments | changes)


def test_a_retry_attaches_to_the_export_that_was_begun(local_aws, dynamodb, context):
    _put(dynamodb, 3)
    _settle([_tally(3)]).execute(context)

    first, second = _export().execute(context), _export().execute(context)

    assert first == second == json.loads(json.dumps(first))
    assert [layer["item_count"] for layer in first["layers"]] == [3]
    assert local_aws.stats()["exports"] == 1


def test_a_retry_attaches_even_if_the_first_try_died_before_it_wrote_down_the_export(local_aws, dynamodb, context):
    _settle([_tally(3)]).execute(context)
    generation = _row(dynamodb)["generation"]
    first = _export().execute(context)
    ledger = Ledger(dynamodb, CONTROL_TABLE, "chat_census/manual__1")
    ledger.record(export={})

    second = _export().execute(context)

    [export] = second["layers"]
    assert second == first
    assert ledger.run()["export"] == {"generation": generation, "arn": export["export_arn"]}
    assert local_aws.stats()["exports"] == 1


def test_what_was_written_since_is_exported_again(local_aws, dynamodb, context):
    _settle([_tally(3)]).execute(context)
    first = _export().execute(context)
    _put(dynamodb, 2)
    _settle([_tally(2)]).execute(context)

    second = _export().execute(context)

    assert [[layer["item_count"] for layer in made["layers"]] for made in (first, second)] == [[0], [2]]
    assert local_aws.stats()["exports"] == 2


@pytest.mark.usefixtures("dynamodb")
def test_a_failed_export_is_told_and_the_next_try_begins_another(local_aws, context):
    _settle([_tally(3)]).execute(context)
    with pytest.raises(SnapshotIncomplete, match="failed: S3 refused: NoSuchBucket"):
        _export(s3_bucket_name="no-such-bucket").execute(context)
    local_aws.client("s3").create_bucket(
        Bucket="no-such-bucket", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
    )

    snapshot = _export(s3_bucket_name="no-such-bucket").execute(context)

    assert snapshot["layers"][0]["bucket"] == "no-such-bucket"
    assert local_aws.stats()["exports"] == 2


@pytest.mark.usefixtures("dynamodb")
def test_a_run_that_publishes_nothing_skips_its_export_and_all_that_follows(local_aws, context):
    with pytest.raises(AirflowSkipException, match="publishes nothing"):
        _export(publish="False").execute(context)

    assert local_aws.stats()["exports"] == 0


# summarise


EDITION = Edition("01-a-0011aabb", "01-a", NOON.isoformat(), "2026-11-22T12:00:00Z", "2026-11-16", "2026-11-01", {})
SUMMARIES = INCLUDE / "sql/summaries.yaml"


@pytest.fixture
def editions(local_aws):
    local_aws.create_stack()
    editions = Editions(local_aws.client("glue"), local_aws.client("s3"), "chatcensus", RESULT_BUCKET)
    athena = Athena(local_aws.client("athena"), "chatcensus", "chatcensus")
    editions.prepare([_described("category_counts")], athena)
    return editions


def _described(table):
    return next(summary for summary in read_yaml(SUMMARIES, Summaries).summaries if summary.table == table)


def _summarise(query="-- a comment\nselect 1 as n\n", **changes):
    arguments = {
        "task_id": "category_counts",
        "query": query,
        "edition": EDITION.as_dict(),
        "result_bucket": RESULT_BUCKET,
        "database": "chatcensus",
        "workgroup": "chatcensus",
        "summaries": SUMMARIES,
        "min_users": "5",
        "per_user_table": "false",
        "deferrable": True,
    }
    return SummariseTableOperator(**arguments | changes)


@pytest.mark.usefixtures("editions")
def test_each_try_of_a_summary_unloads_to_a_prefix_of_its_own(local_aws, context):
    tries = [_summarise(), _summarise()]

    written = [operator.execute(context) for operator in tries]

    s3, root = local_aws.client("s3"), f"s3://{RESULT_BUCKET}/"
    for operator, summary in zip(tries, written, strict=True):
        assert summary["table"] == "category_counts"
        assert summary["prefix"].startswith(f"{root}summaries/readers/category_counts/edition=01-a-0011aabb/try=")
        assert summary["query_execution_id"]
        assert operator.query == (
            f"unload (\n-- a comment\nselect 1 as n\n)\nto '{summary['prefix']}'\n"
            "with (format = 'PARQUET', compression = 'SNAPPY')"
        )
        assert 32 <= len(operator.client_request_token) <= 128
        assert s3.list_objects_v2(Bucket=RESULT_BUCKET, Prefix=summary["prefix"].removeprefix(root))["KeyCount"] == 1
    assert len({summary["prefix"] for summary in written}) == 2
    assert len({operator.client_request_token for operator in tries}) == 2


def test_the_last_try_of_a_summary_is_the_partition_of_its_edition(local_aws, editions, context):
    _, last = (_summarise().execute(context) for _ in range(2))

    [partition] = local_aws.client("glue").get_partitions(
        DatabaseName="chatcensus", TableName="category_counts_editions"
    )["Partitions"]

    assert partition["Values"] == [EDITION.id]
    assert partition["StorageDescriptor"]["Location"] == last["prefix"]
    assert editions.published() is None


def test_a_summary_says_which_edition_readers_saw_when_it_began(editions, context):
    before = _summarise().execute(context)
    editions.switch(replace(EDITION, id="00-z-1", export_id="00-z"), None)

    after = _summarise().execute(context)

    assert (before["base"], after["base"]) == (None, "00-z-1")


def test_clearing_a_summary_of_a_published_edition_changes_nothing(editions, context):
    first = _summarise().execute(context)
    editions.switch(EDITION, None)

    again = _summarise("select 'another' as category").execute(context)

    assert (again["table"], again["prefix"]) == (first["table"], first["prefix"])


@pytest.mark.usefixtures("editions")
def test_a_table_that_nobody_describes_is_no_matter_of_retries(context):
    context["task"] = SimpleNamespace(task_id="summarise.no_such_table")

    with pytest.raises(AirflowFailException, match=r"'no_such_table' is not described in .*summaries.yaml"):
        _summarise().execute(context)


@pytest.mark.usefixtures("editions")
def test_a_summary_that_fails_tells_athenas_reason_and_is_tried_again(context):
    with pytest.raises(AirflowException, match=r"DIVISION_BY_ZERO|Division by zero") as caught:
        _summarise("select 1 / 0 as n").execute(context)

    assert not isinstance(caught.value, AirflowFailException)


class SlowAthena:
    """An Athena whose statement never ends while somebody looks."""

    conn_region_name, conn_partition = "ap-northeast-1", "aws"

    def run_query(self, *_: Any) -> str:
        return "q1"

    def poll_query_status(self, *_: Any, **__: Any) -> str:
        return "RUNNING"


@pytest.mark.usefixtures("editions")
def test_a_slow_summary_is_deferred_and_then_says_what_it_wrote(context):
    operator = _summarise()
    operator.hook = SlowAthena()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)

    summary = _summarise().execute_complete(context, {"status": "success", "value": "q1"})

    assert deferred.value.method_name == "execute_complete"
    assert summary["query_execution_id"] == "q1"
    assert summary["prefix"] in operator.query


# publish (what it refuses of an edition; all of it: test_runs.py, and the switch: test_editions.py, test_publish.py)


def _publish(written):
    return PublishSummariesOperator(
        task_id="publish", edition=EDITION.as_dict(), written=written, control_table=CONTROL_TABLE,
        database="chatcensus", workgroup="chatcensus", result_bucket=RESULT_BUCKET, min_users="5", timezone="UTC",
        summaries=SUMMARIES, taxonomy=INCLUDE / "prompts/taxonomy.yaml",
    )  # fmt: skip


@pytest.mark.usefixtures("editions")
def test_an_edition_that_lacks_a_table_is_refused_with_its_name(context):
    with pytest.raises(SnapshotIncomplete, match=r"edition '01-a-0011aabb' lacks \[.*'daily_usage'.*clear their tasks"):
        _publish([_summarise().execute(context)]).execute(context)


# Errors on their way to Airflow


def _shown(error):
    """Return all that Airflow could print of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


def _client_error(code):
    return ClientError({"Error": {"Code": code, "Message": f"about {CANARY}"}}, "UpdateItem")


OURS = [ours for ours in vars(errors).values() if isinstance(ours, type) and issubclass(ours, ChatCensusError)]


@pytest.mark.parametrize("ours", OURS, ids=lambda ours: ours.__name__)
def test_only_a_setup_error_ends_the_retries(ours):
    with pytest.raises(Exception, match="what, which, remedy") as caught, airflow_errors():
        raise ours("what, which, remedy")

    assert caught.type is (AirflowFailException if ours is SetupError else ours)


@pytest.mark.parametrize(
    ("error", "minutes"),
    [
        pytest.param(ModelBusy("away"), 15, id="the model is away"),
        pytest.param(StoreBusy("busy"), 1, id="the table is busy"),
        pytest.param(SnapshotIncomplete("counts"), 1, id="counts disagree"),
        pytest.param(AirflowException("UpdateItem answered SlowDown"), None, id="anything else"),
    ],
)
def test_what_may_pass_is_tried_again_when_it_may_have_passed(error, minutes):
    decision = RETRY_POLICY.evaluate(error, try_number=1, max_tries=2)

    assert decision.action is (RetryAction.RETRY if minutes else RetryAction.DEFAULT)
    assert decision.retry_delay == (timedelta(minutes=minutes) if minutes else None)


@pytest.mark.parametrize(
    "code",
    [
        "AccessDenied",
        "AccessDeniedException",
        "EntityNotFoundException",
        "NoSuchBucket",
        "PointInTimeRecoveryUnavailableException",
        "ResourceNotFoundException",
        "TableNotFoundException",
        "UnrecognizedClientException",
        "ValidationException",
    ],
)
def test_a_refusal_that_no_retry_can_change_fails_at_once_without_its_message(code):
    with pytest.raises(AirflowFailException, match=f"UpdateItem answered {code}: check the names") as caught:
        _raise_inside(_client_error(code))

    assert CANARY not in _shown(caught.value)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "InternalServerError", "SlowDown", "503", "LimitExceededException"]
)
def test_any_other_refusal_is_tried_again_without_its_message(code):
    with pytest.raises(AirflowException, match=f"^UpdateItem answered {code}$") as caught:
        _raise_inside(_client_error(code))

    assert not isinstance(caught.value, AirflowFailException)
    assert CANARY not in _shown(caught.value)


def _of_another(error):
    error.__cause__ = LookupError(f"{CANARY} was not found")
    return error


@pytest.mark.parametrize(
    "error",
    [
        KeyError(CANARY),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, f"in {CANARY}"),
        EndpointConnectionError(endpoint_url=f"https://s3/{CANARY}"),
        ExceptionGroup(CANARY, [ValueError(CANARY)]),
        _of_another(RuntimeError("no text in it")),
        _of_another(StoreBusy("the table answered")),
        _of_another(AirflowException("Airflow's own")),
        _of_another(SetupError("correct the mapping")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_brings_text_to_airflow_by_itself_or_by_its_causes(error):
    with pytest.raises(Exception, match=r".") as caught:
        _raise_inside(error)

    told = [
        _shown(caught.value),
        json.dumps(ExceptionDictTransformer(show_locals=False)((caught.type, caught.value, caught.tb))),
    ]
    assert all(CANARY not in each and json.dumps(CANARY)[1:-1] not in each for each in told)


def test_what_nobody_foresaw_is_told_by_its_class_and_place():
    with pytest.raises(AirflowException, match=r"^KeyError, which nobody foresaw; .* at \w+/test_operators.py:\d+ in "):
        _raise_inside(KeyError(CANARY))


@pytest.mark.parametrize("error", [AirflowSkipException("nothing to do"), AirflowNotFoundException("no connection x")])
def test_airflows_own_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught:
        _raise_inside(error)

    assert caught.value is error


def _raise_inside(error):
    with airflow_errors():
        raise error


# Clients


@pytest.mark.parametrize("service", ["dynamodb", "s3", "glue", "athena"])
def test_one_owner_repeats_requests_and_says_how_often(local_aws, service):
    client = aws_client(service, "aws_default", connections=37)

    assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 10}
    assert client.meta.config.max_pool_connections == 37
    assert client.meta.endpoint_url == local_aws.endpoint_url


@pytest.mark.usefixtures("local_aws")
def test_a_call_to_the_model_is_never_repeated_by_the_sdk():
    client = aws_client("bedrock-runtime", "aws_default", client_config(32))

    assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert client.meta.config.read_timeout == 60


def test_the_ledger_of_a_task_is_that_of_its_run(dynamodb, context):
    ledger = run_ledger(context, CONTROL_TABLE, "aws_default", 5)

    assert ledger.reserve(5)
    assert Ledger(dynamodb, CONTROL_TABLE, "chat_census/manual__1").spent_micro_usd() == 5
