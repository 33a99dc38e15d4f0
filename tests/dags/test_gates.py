"""The gates over real tables of an edition in the local Athena: what they refuse, and in which words."""

import io
import re
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.sql.operators.sql import SQLCheckOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from chatcensus.answer import Reason
from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.catalog import parquet_table, upsert_partition, upsert_table
from chatcensus.aws.editions import Editions
from chatcensus.edition import Edition
from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.operators.gate import CheckEditionOperator
from chatcensus.snapshot import Export, Snapshot
from chatcensus.summaries import Summaries
from chatcensus.taxonomy import Taxonomy
from tests.conftest import RESULT_BUCKET

INCLUDE = Path(__file__).parents[2] / "include"
SUMMARIES = INCLUDE / "sql/summaries.yaml"
GATES = sorted(path.stem for path in (INCLUDE / "sql/gates").glob("*.sql"))
DATABASE = WORKGROUP = "chatcensus"
CANARY = "canary-4711-の会話"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LAST_WEEK, WEEK_BEFORE = date(2026, 11, 9), date(2026, 11, 2)
PARAMS = {"max_drift_points": 20, "accept_drift": False}
ATHENA_TYPES = {
    "string": pa.string(), "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "date": pa.date32(),
    "boolean": pa.bool_(),
}  # fmt: skip
EVALUATIONS = {
    "outcome": "string", "category": "string", "reason": "string", "inquiry_score": "int", "attempts": "int",
    "input_tokens": "bigint", "output_tokens": "bigint", "cost_micro_usd": "bigint",
}  # fmt: skip


def _edition(export_id: str = "01604474914028-a1b2c3d4", at: datetime = NOON, suffix: str = "0a1b2c3d") -> Edition:
    arn = f"arn:aws:dynamodb:ap-northeast-1:123456789012:table/chat-conversations/export/{export_id}"
    export = Export(export_id, arn, at.isoformat(), "b", f"exports/AWSDynamoDB/{export_id}/data/", 7)
    return Edition.of(Snapshot(export_id, at.isoformat(), {"id": "S"}, (export,)), "Asia/Tokyo", suffix)


NEW = _edition()
OLD = _edition("01604388514028-00000000", datetime(2026, 11, 21, 12, tzinfo=UTC), "ffffffff")


class Numbers:
    """The tables that the gates read, empty at first; `put` adds rows of one edition."""

    def __init__(self, aws: Any) -> None:
        self.glue, self.s3, self.athena = (aws.client(name) for name in ("glue", "s3", "athena"))
        self.editions = Editions(self.glue, self.s3, DATABASE, RESULT_BUCKET)
        self.partitions: list[tuple[str, str]] = []
        self.tables: dict[str, dict[str, Any]] = {"evaluations": self._table("evaluations", EVALUATIONS, "export_id")}
        for summary in read_yaml(SUMMARIES, Summaries).summaries:
            columns = {column.name: column.type for column in summary.columns}
            self.tables[summary.table] = self._table(f"{summary.table}_editions", columns, "edition")

    def _table(self, name: str, columns: dict[str, str], key: str) -> dict[str, Any]:
        described = [{"name": column, "type": kind, "description": ""} for column, kind in columns.items()]
        table = parquet_table(name, "", described, f"s3://{RESULT_BUCKET}/{name}/", (key,))
        upsert_table(self.glue, DATABASE, table)
        return table

    def put(self, name: str, *rows: dict[str, Any], edition: Edition = NEW) -> None:
        """Make *rows* the partition of *edition*; a column that a row does not name is null."""
        table = self.tables[name]
        partition = edition.export_id if name == "evaluations" else edition.id
        types = {c["Name"]: ATHENA_TYPES[c["Type"]] for c in table["StorageDescriptor"]["Columns"]}
        columns = {column: pa.array([row.get(column) for row in rows], kind) for column, kind in types.items()}
        body, prefix = io.BytesIO(), f"{table['Name']}/{partition}/"
        pq.write_table(pa.table(columns), body)
        self.s3.put_object(Bucket=RESULT_BUCKET, Key=f"{prefix}0.parquet", Body=body.getvalue())
        upsert_partition(self.glue, DATABASE, table, (partition,), f"s3://{RESULT_BUCKET}/{prefix}")
        self.partitions.append((table["Name"], partition))

    def publish(self, edition: Edition = OLD) -> None:
        """Let readers see *edition*."""
        assert self.editions.switch(edition, None)


@pytest.fixture(scope="module")
def catalog(local_aws_server):
    local_aws_server.reset()
    local_aws_server.create_stack()
    return Numbers(local_aws_server)


@pytest.fixture
def numbers(catalog):
    """The tables without a row, and nothing is published."""
    catalog.editions.prepare([], Athena(catalog.athena, DATABASE, WORKGROUP))
    yield catalog
    for table, partition in set(catalog.partitions):
        catalog.glue.delete_partition(DatabaseName=DATABASE, TableName=table, PartitionValues=[partition])
    catalog.partitions.clear()
    catalog.glue.delete_table(DatabaseName=DATABASE, Name="published")


def judged(count: int = 1, **changes: Any) -> list[dict[str, Any]]:
    usual = {
        "outcome": "evaluated", "category": "coding", "inquiry_score": 3, "attempts": 1, "input_tokens": 600,
        "output_tokens": 20, "cost_micro_usd": 700,
    }  # fmt: skip
    return [usual | changes] * count


def gate(
    name: str, edition: Edition = NEW, now: datetime = NOON, summaries: Path = SUMMARIES, **changes: Any
) -> CheckEditionOperator:
    """Return the gate as a run renders it."""
    known: Any = {
        "user_defined_macros": {"taxonomy": read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)},
        "user_defined_filters": {"sql_string": sql_string},
    }
    with DAG("d", schedule=None, template_searchpath=[str(INCLUDE)], **known) as dag:
        task = CheckEditionOperator(
            task_id=name, sql=f"sql/gates/{name}.sql", edition=edition.as_dict(), database=DATABASE,
            workgroup=WORKGROUP, summaries=summaries,
        )  # fmt: skip
    task.resolve_template_files()
    context: Any = {"ti": SimpleNamespace(start_date=now), "params": PARAMS | changes, "dag": dag, "task": task}
    task.render_template_fields(context, dag.get_template_env())
    return task


def refusal(name: str, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        gate(name, **arguments).execute({})
    assert caught.value.__cause__ is None
    return str(caught.value)


def passes(name: str, **arguments: Any) -> bool:
    task = gate(name, **arguments)
    task.execute({})
    return bool(task.check_results) and all(result.success for result in task.check_results)


# What all gates have in common


def test_the_gates_are_these():
    assert GATES == ["allowed_values", "drift", "freshness", "rows", "sums"]
    assert issubclass(CheckEditionOperator, SQLCheckOperator)


def test_every_gate_is_explained():
    explained = re.findall(r"^\| `(\w+)` \|.*\|.*\|$", (INCLUDE.parent / "docs/gates.md").read_text(), re.MULTILINE)

    assert set(GATES) < set(explained)


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize("name", GATES)
def test_the_first_edition_of_an_empty_table_passes(name):
    assert passes(name)


@pytest.mark.parametrize("name", GATES)
def test_a_gate_pins_its_edition_and_refuses_a_hostile_one(name):
    pinned = gate(name).sql
    assert NEW.id in pinned or NEW.export_id in pinned or NEW.export_time in pinned

    hostile = Edition.from_dict(NEW.as_dict() | dict.fromkeys(("id", "export_id", "export_time"), "x' or 1=1 --"))
    with pytest.raises(AirflowFailException, match="a value for SQL is"):
        gate(name, edition=hostile)


@pytest.mark.usefixtures("numbers")
def test_a_statement_without_a_row_is_no_check_that_passed():
    task = gate("sums")
    task.sql = "select 'a' as thing, 'b' as actual, 'c' as expected, true as is_passed, 'd' as remedy where false"

    with pytest.raises(AirflowFailException, match="gate sums: its statement gives no row"):
        task.execute({})


@pytest.mark.usefixtures("numbers")
def test_a_statement_that_fails_is_tried_again():
    task = gate("sums")
    task.sql = "select * from no_such_table"

    with pytest.raises(SnapshotIncomplete, match="ended FAILED"):
        task.execute({})


@pytest.mark.usefixtures("numbers")
def test_a_gate_without_rights_or_workgroup_says_so():
    task = gate("sums")
    task.workgroup = "no-such-workgroup"

    with pytest.raises(AirflowFailException, match="StartQueryExecution answered InvalidRequestException"):
        task.execute({})


# allowed_values


def test_what_the_census_writes_is_allowed(numbers):
    pending = {"outcome": "pending"}
    quarantined = [{"outcome": "quarantined", "reason": str(reason)} for reason in Reason]
    numbers.put("evaluations", *judged(3), pending, *quarantined)

    assert passes("allowed_values")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"category": "gossip"}, "category gossip", id="a category that the taxonomy has not"),
        pytest.param({"category": None}, "category null", id="no category"),
        pytest.param({"category": CANARY}, "category (no key)", id="a text instead of a category"),
        pytest.param({"inquiry_score": 6}, "inquiry_score 6", id="too high a score"),
        pytest.param({"inquiry_score": 0}, "inquiry_score 0", id="too low a score"),
        pytest.param({"inquiry_score": None}, "inquiry_score null", id="no score"),
        pytest.param({"outcome": "done"}, "outcome done", id="an outcome that there is not"),
        pytest.param({"outcome": "quarantined", "reason": "bored"}, "reason bored", id="a reason that there is not"),
        pytest.param({"outcome": "quarantined"}, "reason null", id="no reason"),
        pytest.param({"attempts": -1}, "attempts negative", id="negative attempts"),
        pytest.param({"input_tokens": -5}, "input_tokens negative", id="negative input tokens"),
        pytest.param({"output_tokens": -5}, "output_tokens negative", id="negative output tokens"),
        pytest.param({"cost_micro_usd": -1}, "cost_micro_usd negative", id="a negative cost"),
    ],
)
def test_a_value_that_no_evaluation_can_have_is_refused_with_its_count(numbers, changes, told):
    numbers.put("evaluations", *judged(5), *judged(2, **changes))

    message = refusal("allowed_values")

    assert message.startswith(f"gate allowed_values: evaluations with {told}: 2, expected: 0; nothing is published")
    assert message.endswith("with the Param reevaluate")
    assert CANARY not in message
    assert "select" not in message


def test_the_smallest_offender_is_named(numbers):
    numbers.put("evaluations", *judged(3, category="zzz"), *judged(1, category="aaa"), *judged(9, inquiry_score=9))

    assert "evaluations with category aaa: 1," in refusal("allowed_values")


def test_other_snapshots_are_not_looked_at(numbers):
    numbers.put("evaluations", *judged(2, category="gossip"), edition=OLD)
    numbers.put("evaluations", *judged(2))

    assert passes("allowed_values")


# sums


def summed(numbers, **changes: int) -> None:
    """Tables that agree with a snapshot of 10 evaluated and 1 quarantined, but for *changes*."""
    added_up = {"category_counts": 9, "score_distribution": 10, "model_cost": 7700, "judging_cost": 7700} | changes
    numbers.put("evaluations", *judged(10), *judged(1, outcome="quarantined"), {"outcome": "pending"})
    for table in ("category_counts", "score_distribution"):
        numbers.put(table, {"conversations": added_up[table] - 1}, {"conversations": 1})
    for table in ("model_cost", "judging_cost"):
        numbers.put(table, {"cost_micro_usd": added_up[table] - 700}, {"cost_micro_usd": 700})
    for edition, more in ((NEW, added_up.get("daily_usage", 0)), (OLD, 1000)):
        days = [{"week": LAST_WEEK, "conversations": 3}, {"week": LAST_WEEK, "conversations": 4 + more}]
        numbers.put("daily_usage", *days, {"conversations": 99}, edition=edition)
    numbers.put("weekly_usage", {"week": LAST_WEEK, "conversations": 7}, {"conversations": 1})


def test_sums_that_agree_pass(numbers):
    summed(numbers)

    assert passes("sums")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"category_counts": 11}, "conversations of category_counts: 11, expected: at most 10"),
        ({"score_distribution": 12}, "conversations of score_distribution: 12, expected: at most 10"),
        ({"model_cost": 7699}, "cost_micro_usd of model_cost: 7699, expected: 7700"),
        ({"judging_cost": 7701}, "cost_micro_usd of judging_cost: 7701, expected: 7700"),
        ({"daily_usage": 1}, "conversations of the days of the week of 2026-11-09: 8, expected: at most 7"),
    ],
)
def test_a_sum_that_does_not_agree_is_refused_with_both_numbers_and_the_task(numbers, changes, told):
    summed(numbers, **changes)

    message = refusal("sums")

    assert message.startswith(f"gate sums: {told}; nothing is published")
    assert f"summarise.{next(iter(changes))}" in message


def test_a_refusal_says_how_many_more_there_are(numbers):
    summed(numbers, model_cost=1, judging_cost=1)

    assert "(1 more in the log)" in refusal("sums")


# rows


@pytest.fixture
def three(tmp_path):
    """Three of the tables; the last of them may lose its rows."""
    columns = "columns: [{name: conversations, type: bigint, description: Conversations}]"
    (tmp_path / "summaries.yaml").write_text(
        "summaries:\n"
        f"  - {{table: category_counts, audience: readers, description: a, {columns}}}\n"
        f"  - {{table: department_usage, audience: readers, description: b, {columns}}}\n"
        f"  - {{table: failures, audience: operators, description: c, may_empty: true, {columns}}}\n"
    )
    return tmp_path / "summaries.yaml"


def rows_of_both(numbers, published: int, missing: str) -> None:
    for table in ("category_counts", "department_usage", "failures"):
        row = {"conversations": published if table == "category_counts" else 1}
        numbers.put(table, row, row, edition=OLD)
        if table != missing:
            numbers.put(table, row)
    numbers.publish()


def test_a_table_that_is_suddenly_empty_is_refused_by_name(numbers, three):
    rows_of_both(numbers, published=10, missing="department_usage")

    message = refusal("rows", summaries=three)

    assert message.startswith(
        "gate rows: rows of department_usage: 0, expected: at least 1, since the published edition has 2; nothing is "
    )
    assert "summarise.department_usage" in message


@pytest.mark.parametrize(
    ("published", "missing", "is_accepted"),
    [
        pytest.param(10, "failures", False, id="a table that may be empty"),
        pytest.param(9, "department_usage", False, id="a small edition"),
        pytest.param(10, "department_usage", True, id="accepted"),
    ],
)
def test_a_table_that_is_rightly_empty_passes(numbers, three, published, missing, is_accepted):
    rows_of_both(numbers, published, missing)

    assert passes("rows", summaries=three, accept_drift=is_accepted)


def test_every_table_is_counted_that_may_not_be_empty():
    tables = read_yaml(SUMMARIES, Summaries).summaries

    counted = re.findall(r"from (\w+)_editions\b", gate("rows").sql)

    assert set(counted) == {summary.table for summary in tables if not summary.may_empty}


# freshness


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize(
    ("hours", "told"),
    [(24, None), (25, "age of the export in minutes: 1500, expected: at most 1440")],
)
def test_an_export_of_more_than_a_day_is_refused(hours, told):
    now = datetime.fromtimestamp(NOON.timestamp() + hours * 3600, UTC)

    if told is None:
        assert passes("freshness", now=now)
    else:
        assert refusal("freshness", now=now).startswith(f"gate freshness: {told}; nothing is published")


def test_an_old_export_that_will_not_be_published_anyway_passes(numbers):
    numbers.publish(NEW)
    now = datetime.fromtimestamp(NOON.timestamp() + 100 * 3600, UTC)

    assert passes("freshness", now=now)  # another edition of the same export
    assert passes("freshness", edition=OLD, now=now)


# drift


def trend(numbers, share: float, is_more_than_noise: bool = True, week: date = LAST_WEEK, edition: Edition = NEW):
    weekly = {"grain": "week", "category": "coding", "period": week, "previous_share": 0.5}
    numbers.put(
        "category_trends",
        weekly | {"share": share, "is_more_than_noise": is_more_than_noise},
        weekly | {"period": WEEK_BEFORE, "share": 0.5, "previous_share": 0.01, "is_more_than_noise": True},
        {**weekly, "grain": "month", "share": 0.99, "is_more_than_noise": True},
        {**weekly, "category": "(few)", "share": 0.99, "is_more_than_noise": True},
        edition=edition,
    )


def shares(numbers, new: dict[str, float], old: dict[str, float], conversations: int = 100) -> None:
    for edition, told in ((NEW, new), (OLD, old)):
        rows = [{"category": category, "share": share} for category, share in told.items()]
        numbers.put("category_counts", *rows, {"category": "(few)", "conversations": conversations}, edition=edition)
    numbers.publish()


def test_a_jump_in_the_last_week_is_refused_with_both_shares(numbers):
    shares(numbers, {"coding": 0.5}, {"coding": 0.5})
    trend(numbers, 0.701)

    message = refusal("drift")

    assert message.startswith(
        "gate drift: share of coding in the week of 2026-11-09: from 50.0 to 70.1 percent, expected: a move of at most "
        "20.0 points; nothing is published"
    )
    assert message.endswith("start a run with the Param accept_drift")


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        pytest.param({"share": 0.699}, {}, id="within the points"),
        pytest.param({"share": 0.301}, {}, id="within the points, downwards"),
        pytest.param({"share": 0.9, "is_more_than_noise": False}, {}, id="within its interval"),
        pytest.param({"share": 0.9}, {"accept_drift": True}, id="accepted"),
        pytest.param({"share": 0.9}, {"max_drift_points": 40.5}, id="within the points of this run"),
    ],
)
def test_a_move_that_says_nothing_or_is_accepted_passes(numbers, arguments, changes):
    shares(numbers, {"coding": 0.5}, {"coding": 0.5})
    trend(numbers, **arguments)

    assert passes("drift", **changes)


def test_a_week_that_readers_have_seen_is_not_asked_about_again(numbers):
    shares(numbers, {"coding": 0.5}, {"coding": 0.5})
    trend(numbers, 0.9)
    trend(numbers, 0.9, edition=OLD)

    assert passes("drift")

    trend(numbers, 0.5, week=WEEK_BEFORE, edition=OLD)
    assert "from 50.0 to 90.0 percent" in refusal("drift")


@pytest.mark.parametrize(
    ("new", "old", "told"),
    [
        ({"coding": 0.2, "writing": 0.5}, {"coding": 0.45, "writing": 0.4}, "from 45.0 to 20.0 percent"),
        ({"writing": 0.5}, {"writing": 0.4, "coding": 0.3}, "from 30.0 to 0.0 percent"),
        ({"writing": 0.5, "coding": 0.3}, {"writing": 0.4}, "from 0.0 to 30.0 percent"),
    ],
)  # fmt: skip
def test_another_model_or_prompt_shows_in_the_shares_of_all_conversations(numbers, new, old, told):
    shares(numbers, new, old)

    assert f"share of coding in all conversations: {told}," in refusal("drift")


def test_shares_of_few_conversations_jump_by_chance(numbers):
    shares(numbers, {"coding": 0.2}, {"coding": 0.9}, conversations=99)
    trend(numbers, 0.9)

    assert passes("drift")
