"""The chain of custody, counted for real: what of a run is in a snapshot, and what a file that is damaged breaks."""

import logging
import time
from datetime import timedelta

import pytest

from chatcensus.aws.athena import Athena
from chatcensus.aws.catalog import CURATED, curated_table, upsert_partition
from chatcensus.aws.custody import (
    count_conversations,
    count_live,
    count_rows,
    count_written,
    read_custody,
    table_of,
)
from chatcensus.aws.export import client_token
from chatcensus.custody import Counted, Writes
from chatcensus.edition import Edition
from chatcensus.errors import SnapshotIncomplete
from chatcensus.mapping import Only
from tests.aws.test_exporting import DAY, TABLE, World
from tests.conftest import RESULT_BUCKET
from tests.sql.warehouse import DATABASE, WORKGROUP


@pytest.fixture(scope="module")
def one_world(local_aws_server):  # noqa: ARG001 - its environment keeps out what a developer has configured
    world = World()
    yield world
    world.aws.stop()


@pytest.fixture
def world(one_world):
    one_world.begin()
    return one_world


@pytest.fixture
def athena(world):
    return Athena(world.aws.client("athena"), DATABASE, WORKGROUP, sleep=lambda _: time.sleep(0.01))


def _put(world, number, run_id=None, created_at=DAY, **more):
    item = {"conversation_id": {"S": f"c{number}"}, "created_at": {"S": created_at}, **more}
    if run_id:
        evaluation = {
            "outcome": {"S": "evaluated"}, "category": {"S": "coding"}, "run_id": {"S": run_id},
            "evaluated_at": {"S": DAY},
        }  # fmt: skip
        item["evaluation"] = {"M": evaluation}
    world.dynamodb.put_item(TableName=TABLE, Item=item)


def _edition(snapshot):
    return Edition.of(snapshot, "Asia/Tokyo", "0001")


def _custody(world, athena, snapshot, run=None):
    _tell(athena, _edition(snapshot))
    return read_custody(athena, world.aws.client("glue"), world.dynamodb, _edition(snapshot), run or {})


def test_a_snapshot_with_increments_is_accounted_for_to_the_last_row(world, athena):
    world.mapping = world.mapping.model_copy(update={"only": (Only(attribute="kind", equals="chat"),)})
    chat = {"kind": {"S": "chat"}}
    for number in range(6):
        _put(world, number, "monday", **chat)
    _put(world, 6)
    world.snapshot("monday")
    world.pass_time(7200)
    _put(world, 1, "tuesday", **chat)
    _put(world, 7, **chat)
    world.delete(2)
    snapshot = world.snapshot("tuesday")
    world.rows(snapshot)

    custody = _custody(world, athena, snapshot)

    custody.check()
    assert [layer.rows for layer in custody.layers] == [
        {"conversation": 6, "other_item": 1}, {"conversation": 2, "deleted": 1},
    ]  # fmt: skip
    assert custody.totals == {"conversations": 6, "evaluated": 5, "quarantined": 0, "pending": 1}
    assert custody.skipped == {"other_item": 1, "later_message": 0, "deleted": 1, "replaced": 2}
    assert custody.live_items == 7


def test_an_empty_table_is_accounted_for(world, athena):
    snapshot = world.snapshot("monday")
    world.rows(snapshot)

    custody = _custody(world, athena, snapshot)

    custody.check()
    assert custody.items == 0


def _tell(athena, edition, *weeks):
    """What shown_periods says of an edition: with which week each is told; and of others, which must not matter."""
    rows = [*((edition.id, "week", *week) for week in weeks), *((edition.id, "day", *week) for week in weeks)]
    values = ", ".join(
        f"('{name}', '{kind}', date '{period}', date '{told_with}')"
        for name, kind, period, told_with in [*rows, ("another", "week", "2026-10-19", "2026-10-19")]
    )
    athena.rows(
        "create or replace view shown_periods_editions as select * from "
        f"(values {values}) as t (edition, kind, period, told_with)"
    )


def test_readers_are_told_of_the_weeks_and_months_that_the_edition_tells_and_of_unknown_days(world, athena):
    days = ["2026-10-20T10:00:00Z", "2026-10-13T10:00:00Z", "2026-09-30T15:00:00Z", "2026-09-22T03:00:00Z", "soon"]
    for number, day in enumerate(days):
        _put(world, number, "monday", day)
    _put(world, 7, "monday", "2026-09-15T03:00:00Z")
    _put(world, 8, None, days[1])
    _put(world, 9, None, days[0])
    snapshot = world.snapshot("monday")  # of Sunday, 1 November 2026, in Tokyo: the open month is October
    world.rows(snapshot)
    edition = _edition(snapshot)
    # The last week waits; that of 21 September is told with the next, which is of October; that of 14 September alone.
    weeks = {"2026-09-14": "2026-09-14", "2026-09-21": "2026-09-28", "2026-09-28": "2026-09-28"}
    _tell(athena, edition, *weeks.items(), ("2026-10-12", "2026-10-12"))

    counted = count_conversations(athena, edition)

    assert (edition.open_week, edition.open_month) == ("2026-10-26", "2026-10-01")
    assert counted == Counted(
        {"evaluated": 6, "pending": 2}, judged_again=0, evaluated_told=5, dated_told=5, months_told=1
    )


def test_a_snapshot_from_before_the_last_writes_lacks_them_and_one_more_export_has_them(world, athena, caplog):
    caplog.set_level(logging.INFO)
    for number in range(3):
        _put(world, number, "monday")
    world.pass_time(3600)
    exporter, before = world.exporter("monday"), world.time - timedelta(seconds=1800)
    for number in range(3, 5):
        _put(world, number, "monday")
    _put(world, 9, "sunday")
    arn = _begin_an_export_of(world, before)
    exporter.ledger.record(export={"generation": 1, "arn": arn})
    lagging = exporter.full()
    world.rows(lagging)
    found = Writes(
        5, count_written(athena, lagging.export_id, "monday"), count_live(world.dynamodb, table_of(lagging), "monday")
    )

    whole = world.exporter("monday").again(DATABASE, None)
    world.rows(whole)

    assert (found.in_snapshot, found.in_table, found.are_whole) == (3, 5, False)
    assert count_written(athena, whole.export_id, "monday") == 5
    assert "a Scan of about 6 items" in caplog.text
    assert "the live table has 5 of them" in caplog.text


def _begin_an_export_of(world, moment):
    """What a lagging service would do: the run's own first export, of an earlier moment."""
    bucket = "chatcensus-snapshots-123456789012-ap-northeast-1"
    table = world.dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]
    return world.dynamodb.export_table_to_point_in_time(
        TableArn=table, S3Bucket=bucket, S3Prefix="exports", ExportFormat="ION", ExportTime=moment,
        ClientToken=client_token("monday", 1),
    )["ExportDescription"]["ExportArn"]  # fmt: skip


def test_what_was_deleted_or_judged_again_since_is_not_sought(world, athena):
    for number in range(4):
        _put(world, number, "monday")
    world.delete(1)
    _put(world, 2, "tuesday")
    snapshot = world.snapshot("monday")
    world.rows(snapshot)

    found = count_written(athena, snapshot.export_id, "monday")
    live = count_live(world.dynamodb, table_of(snapshot), "monday")

    assert (found, live) == (2, 2)
    assert Writes(4, found, live).are_whole


def test_a_run_whose_name_holds_a_quote_is_counted_like_any_other(world, athena):
    _put(world, 1, "o'clock")
    snapshot = world.snapshot("monday")
    world.rows(snapshot)

    assert count_written(athena, snapshot.export_id, "o'clock") == 1


def test_an_increment_counts_what_it_replaces_once(world, athena):
    _put(world, 1, "monday")
    world.snapshot("monday")
    world.pass_time(7200)
    _put(world, 1, "tuesday")
    snapshot = world.snapshot("tuesday")
    world.rows(snapshot)

    assert count_written(athena, snapshot.export_id, "monday") == 0
    assert count_written(athena, snapshot.export_id, "tuesday") == 1


@pytest.fixture
def registered(world):
    for number in range(5):
        _put(world, number, "monday")
    snapshot = world.snapshot("monday")
    world.rows(snapshot)
    return snapshot


def _files(world, snapshot):
    s3 = world.aws.client("s3")
    listed = s3.list_objects_v2(Bucket=RESULT_BUCKET, Prefix=f"curated/{snapshot.export_id}/")["Contents"]
    return s3, [entry["Key"] for entry in listed]


def test_a_missing_file_of_a_layer_is_told_with_both_numbers(world, athena, registered):
    s3, keys = _files(world, registered)
    for key in keys:
        s3.delete_object(Bucket=RESULT_BUCKET, Key=key)

    with pytest.raises(SnapshotIncomplete, match=r"manifest of layer 000000 .* says 5 items, Athena counts 0"):
        _custody(world, athena, registered).check()


@pytest.mark.parametrize(
    "damage", [lambda body: body[:-9], lambda _: b"no Parquet"], ids=["cut short", "other content"]
)
def test_a_damaged_file_of_a_layer_is_told_with_the_snapshot_and_the_remedy(world, athena, registered, damage):
    s3, [key, *_] = _files(world, registered)
    body = s3.get_object(Bucket=RESULT_BUCKET, Key=key)["Body"].read()
    s3.put_object(Bucket=RESULT_BUCKET, Key=key, Body=damage(body))

    with pytest.raises(SnapshotIncomplete, match=f"{registered.export_id} cannot be counted, Athena .*full_export"):
        _custody(world, athena, registered).check()


def test_a_file_too_many_in_a_layer_is_told_with_both_numbers(world, athena, registered):
    s3, [key, *_] = _files(world, registered)
    s3.copy_object(Bucket=RESULT_BUCKET, Key=key + "2", CopySource={"Bucket": RESULT_BUCKET, "Key": key})

    with pytest.raises(SnapshotIncomplete, match="says 5 items, Athena counts 10"):
        _custody(world, athena, registered).check()


def test_a_layer_of_another_export_is_told_though_it_has_as_many_rows(world, athena, registered):
    for number in range(5):
        _put(world, number, "tuesday")
    other = world.exporter("tuesday").full()
    world.rows(other)
    located = world.aws.client("glue").get_partition(
        DatabaseName=DATABASE, TableName=CURATED, PartitionValues=[other.export_id, "000000"]
    )["Partition"]["StorageDescriptor"]["Location"]
    table = curated_table(f"s3://{RESULT_BUCKET}/curated/")
    values = (registered.export_id, "000000")
    upsert_partition(world.aws.client("glue"), DATABASE, table, values, located)

    with pytest.raises(SnapshotIncomplete, match=r"layer 000000 .* lies at .*which is not of this export"):
        _custody(world, athena, registered).check()


def test_a_layer_that_the_snapshot_should_not_have_is_told(world, athena, registered):
    table = curated_table(f"s3://{RESULT_BUCKET}/curated/")
    values = (registered.export_id, "000001")
    upsert_partition(world.aws.client("glue"), DATABASE, table, values, f"s3://{RESULT_BUCKET}/curated/nothing/")

    with pytest.raises(SnapshotIncomplete, match=r"should not have, ..000001"):
        _custody(world, athena, registered).check()


def test_a_view_that_shows_other_conversations_than_the_layers_is_told(world, athena, registered):
    athena.rows(
        "create or replace view evaluations as select conversation_id, export_id, outcome, previous_outcome, category, "
        f"cast(null as date) as day, cast(null as date) as week from {CURATED} where conversation_id < '8'"
    )

    with pytest.raises(
        SnapshotIncomplete, match=r"the layers hold 5 conversations, the view evaluations counts [0-4] "
    ):
        _custody(world, athena, registered).check()


def test_what_register_has_found_of_the_runs_writes_is_part_of_the_chain(world, athena, registered):
    writes = {"export_id": registered.export_id, "written": 5, "in_snapshot": 5, "in_table": None}

    custody = _custody(world, athena, registered, {"writes": writes})
    of_another = _custody(world, athena, registered, {"writes": writes | {"export_id": "other"}})

    assert custody.writes == Writes(5, 5)
    assert of_another.writes is None


def test_the_rows_of_several_tables_are_counted_at_once(athena):
    for table, rows in (("some", 3), ("none", 0)):
        values = ", ".join(str(number) for number in range(max(rows, 1)))
        athena.rows(
            f"create or replace view {table}_editions as select 'e-1' as edition, n from "
            f"unnest(array[{values}]) as t (n) where n < {rows}"
        )

    assert count_rows(athena, ["some", "none"], "e-1") == {"some": 3, "none": 0}
    assert count_rows(athena, ["some", "none"], "e-2") == {"some": 0, "none": 0}
