"""register, and publish after it: what a run has written is in its edition, and a chain that breaks is never shown."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chatcensus.aws.athena import sql_string
from chatcensus.aws.custody import count_live
from chatcensus.aws.editions import Editions
from chatcensus.aws.exporting import Exporter
from chatcensus.aws.ledger import Ledger
from chatcensus.crosswalk import Crosswalk
from chatcensus.edition import Edition
from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.operators import register as register_module
from chatcensus.operators.export import ExportTableOperator
from chatcensus.operators.publish import PublishSummariesOperator
from chatcensus.operators.register import RegisterSnapshotOperator
from chatcensus.snapshot import Export, Snapshot
from chatcensus.summaries import Summaries
from chatcensus.tally import Tally
from tests.aws.test_exporting import World
from tests.conftest import RESULT_BUCKET, SNAPSHOT_BUCKET

INCLUDE = Path(__file__).parents[2] / "include"
TABLE, CONTROL_TABLE, RUN_ID = "chat-conversations", "chatcensus-control", "manual__1"
MAPPING = INCLUDE / "table.yaml"


@pytest.fixture(scope="module")
def one_world(local_aws_server):  # noqa: ARG001 - its environment keeps out what a developer has configured
    world = World()
    yield world
    world.aws.stop()


@pytest.fixture
def world(one_world, monkeypatch):
    """A local AWS whose clock moves when the operator waits: what can be restored lags by minutes."""
    one_world.begin()
    clock = {"sleep": one_world._sleep, "now": lambda: one_world.time}
    monkeypatch.setenv("AWS_ENDPOINT_URL", one_world.aws.endpoint_url)
    monkeypatch.setattr(register_module, "Exporter", partial(Exporter, **clock))
    return one_world


@pytest.fixture
def dynamodb(world):
    return world.dynamodb


@pytest.fixture
def context(summaries):
    return {"summaries": summaries, "dag": SimpleNamespace(dag_id="chat_census"), "run_id": RUN_ID}


@pytest.fixture
def ledger(dynamodb):
    return Ledger(dynamodb, CONTROL_TABLE, f"chat_census/{RUN_ID}")


def _put(dynamodb, *numbers, run_id=RUN_ID):
    for number in numbers:
        evaluation = {"outcome": {"S": "evaluated"}, "category": {"S": "coding"}, "run_id": {"S": run_id}}
        item = {"conversation_id": {"S": f"c{number}"}, "evaluation": {"M": evaluation}}
        dynamodb.put_item(TableName=TABLE, Item=item)


def _settled(ledger, written, generation=1):
    tally = Tally(read=written)
    tally.outcomes["evaluated"] = written
    ledger.record(tally=tally.as_dict(), generation=generation)


def _export(context):
    return ExportTableOperator(
        task_id="export", dynamodb_table_name=TABLE, s3_bucket_name=SNAPSHOT_BUCKET, s3_key_prefix="exports",
        control_table=CONTROL_TABLE, database="chatcensus", mapping=MAPPING,
    ).execute(context)  # fmt: skip


@pytest.fixture(scope="module")
def summaries(tmp_path_factory):
    """The first of our tables alone: what `register` makes of all of them is tested elsewhere."""
    described = yaml.safe_load((INCLUDE / "sql/summaries.yaml").read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("sql") / "summaries.yaml"
    few = [each for each in described["summaries"] if each["table"] in ("category_counts", "shown_periods")]
    path.write_text(yaml.safe_dump({"summaries": few}), encoding="utf-8")
    return path


def _register(context, snapshot):
    """Run the operator as Airflow does: templates first."""
    operator = RegisterSnapshotOperator(
        task_id="register", snapshot=snapshot, layer="sql/layers/layer.sql", view="sql/views/evaluations.sql",
        database="chatcensus", workgroup="chatcensus", control_table=CONTROL_TABLE, result_bucket=RESULT_BUCKET,
        mapping=MAPPING, summaries=context["summaries"], timezone="Asia/Tokyo",
    )  # fmt: skip
    environment = Environment(loader=FileSystemLoader(INCLUDE), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters["sql_string"] = sql_string
    operator.render_template_fields({**context, "timezone": "Asia/Tokyo", "crosswalk": Crosswalk()}, environment)
    return operator.execute(context)


def test_the_edition_is_of_the_snapshot_that_holds_what_the_run_has_written(world, dynamodb, ledger, context):
    _put(dynamodb, 1, 2, 3)
    _settled(ledger, 3)
    snapshot = _export(context)

    first, second = _register(context, snapshot), _register(context, snapshot)

    assert first["snapshot"] == second["snapshot"] == snapshot
    assert first["id"].startswith(f"{snapshot['export_id']}-")
    assert first["id"] == second["id"]  # clearing the task alone makes no other edition
    assert Edition.from_dict(first).open_week == "2026-10-26"  # of Sunday, 1 November 2026, in Tokyo
    assert world.exports() == 1
    assert ledger.run()["writes"] == {
        "export_id": snapshot["export_id"], "written": 3, "in_snapshot": 3, "in_table": None,
    }  # fmt: skip


def test_a_snapshot_that_lacks_the_last_writes_is_replaced_by_one_more_export(world, dynamodb, ledger, context):
    _put(dynamodb, 1, 2, 3)
    _settled(ledger, 5)
    lagging = _export(context)
    _put(dynamodb, 4, 5)

    edition = _register(context, lagging)

    assert edition["export_id"] != lagging["export_id"]
    assert edition["snapshot"]["layers"][0]["item_count"] == 5
    assert world.exports() == 2
    assert ledger.run()["writes"] == {
        "export_id": edition["export_id"], "written": 5, "in_snapshot": 5, "in_table": None,
    }  # fmt: skip


def test_a_retry_goes_on_with_the_second_export_and_makes_no_third(world, dynamodb, ledger, context):
    _put(dynamodb, 1)
    _settled(ledger, 2)
    lagging = _export(context)
    _put(dynamodb, 2)
    made = _register(context, lagging)

    again = [_register(context, lagging), _register(context, _export(context))]

    assert [edition["snapshot"] for edition in again] == [made["snapshot"]] * 2
    assert world.exports() == 2


def test_what_was_deleted_or_judged_again_by_another_run_is_no_reason_for_one_more(world, dynamodb, ledger, context):
    _put(dynamodb, 1, 2, 3)
    _settled(ledger, 3)
    dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": "c1"}})
    _put(dynamodb, 2, run_id="another")
    snapshot = _export(context)

    edition = _register(context, snapshot)

    assert edition["snapshot"] == snapshot
    assert world.exports() == 1
    assert (ledger.run()["writes"]["in_snapshot"], ledger.run()["writes"]["in_table"]) == (1, 1)


def test_writes_that_no_export_has_are_told_with_all_numbers_and_nothing_follows(
    world, dynamodb, ledger, context, monkeypatch
):
    _put(dynamodb, 1, 2, 3)
    _settled(ledger, 9)
    snapshot, late = _export(context), iter(range(4, 10))

    def count_with_one_more(*asked):
        """The live table, in which a task that should have ended goes on writing."""
        _put(dynamodb, next(late))
        return count_live(*asked)

    monkeypatch.setattr(register_module, "count_live", count_with_one_more)
    for live in (5, 6):
        told = rf"the run wrote 9, the snapshot of \S+ holds 4, the live table {live}, though it was exported once more"
        with pytest.raises(SnapshotIncomplete, match=told):
            _register(context, snapshot)

    assert world.exports() == 2


def test_a_mapping_that_no_statement_can_hold_is_no_matter_of_retries(context):
    layer = Export("e", "arn", "2026-11-01T00:00:00+00:00", "bucket", "data/", 1)
    snapshot = Snapshot("e", layer.export_time, {"conversation_id": "B"}, (layer,)).as_dict()

    with pytest.raises(AirflowFailException, match="the key attribute 'conversation_id' is binary"):
        _register(context, snapshot)


def test_a_weak_secret_is_refused_before_anything_is_written(world, ledger, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_PSEUDONYM_SECRET", "weak-secret")
    _settled(ledger, 0)
    snapshot = _export(context)

    with pytest.raises(AirflowFailException, match="at least 16 characters, it has 11") as refused:
        _register(context, snapshot)

    assert "weak-secret" not in str(refused.value)
    assert "Contents" not in world.aws.client("s3").list_objects_v2(Bucket=RESULT_BUCKET, Prefix="curated/")


# publish: where the chain breaks, the edition that readers see stays


def _publish(world, context, edition):
    """Publish *edition* where readers see an older one; return what they see afterwards."""
    editions = Editions(world.aws.client("glue"), world.aws.client("s3"), "chatcensus", RESULT_BUCKET)
    summary = read_yaml(context["summaries"], Summaries).summaries[0]
    older = replace(Edition.from_dict(edition), id="older-0001", export_time="2026-10-01T00:00:00+00:00")
    assert editions.switch(older, None)
    prefix = f"s3://{RESULT_BUCKET}/{summary.folder}edition={edition['id']}/try=1/"
    editions.stage(summary, edition["id"], prefix)
    publish = PublishSummariesOperator(
        task_id="publish", edition=edition, written=[{"table": summary.table, "prefix": prefix, "base": older.id}],
        control_table=CONTROL_TABLE, database="chatcensus", workgroup="chatcensus", result_bucket=RESULT_BUCKET,
        min_users="5", timezone="Asia/Tokyo", summaries=context["summaries"],
        taxonomy=INCLUDE / "prompts/taxonomy.yaml",
    )  # fmt: skip
    try:
        publish.execute(context)
    finally:
        assert editions.published().edition == older.id
        listed = world.aws.client("s3").list_objects_v2(Bucket=RESULT_BUCKET)["Contents"]
        assert not [entry["Key"] for entry in listed if entry["Key"].startswith(("reports/", "current.json"))]


def _without_its_files(world, edition):
    for key in _layer_files(world, edition):
        world.aws.client("s3").delete_object(Bucket=RESULT_BUCKET, Key=key)


def _with_a_damaged_file(world, edition):
    for key in _layer_files(world, edition):
        world.aws.client("s3").put_object(Bucket=RESULT_BUCKET, Key=key, Body=b"no Parquet")


def _layer_files(world, edition):
    listed = world.aws.client("s3").list_objects_v2(Bucket=RESULT_BUCKET, Prefix=f"curated/{edition['export_id']}/")
    return [entry["Key"] for entry in listed["Contents"]]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(_without_its_files, "the manifest of layer 000000 .* says 2 items, Athena counts 0", id="missing"),
        pytest.param(_with_a_damaged_file, "the layers of snapshot .* cannot be counted", id="damaged"),
    ],
)
def test_a_layer_whose_files_are_not_what_they_were_is_never_published(world, dynamodb, ledger, context, damage, told):
    _put(dynamodb, 1, 2)
    _settled(ledger, 2)
    edition = _register(context, _export(context))
    damage(world, edition)

    with pytest.raises(SnapshotIncomplete, match=told):
        _publish(world, context, edition)
