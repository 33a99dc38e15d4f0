"""Editions in the catalog: what readers see before, at and after the switch, and what is repaired or refused."""

import json
from typing import Any

import pytest

from chatcensus.aws.athena import Athena
from chatcensus.aws.editions import CURRENT, Published
from chatcensus.errors import SetupError, SnapshotIncomplete
from chatcensus.summaries import Column
from tests.aws.edition_files import (
    BUCKET,
    COLUMNS,
    DATABASE,
    SUMMARIES,
    Shelf,
    current,
    edition,
    is_whole,
    seen_in_files,
    seen_in_views,
)
from tests.aws.lost_replies import losing_the_first_reply

APPLES = SUMMARIES[0]
OLD, NEW = edition(1), edition(2)


@pytest.fixture
def athena(local_aws):
    local_aws.create_stack()
    return Athena(local_aws.client("athena"), DATABASE, "chatcensus")


@pytest.fixture
def shelf(local_aws, athena):
    shelf = Shelf(local_aws.client("glue"), local_aws.client("s3"))
    shelf.editions.prepare(SUMMARIES, athena)
    return shelf


class Interrupted:
    """A client that lets something happen just before its first call of *operation*."""

    def __init__(self, client: Any, operation: str, happens: Any) -> None:
        self._client, self._operation, self._happens = client, operation, happens

    def __getattr__(self, name: str) -> Any:
        if name == self._operation and self._happens:
            happens, self._happens = self._happens, None
            happens()
        return getattr(self._client, name)


def _table(shelf, name):
    return shelf.glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]


def _current(shelf):
    return json.loads(shelf.s3.get_object(Bucket=BUCKET, Key=CURRENT)["Body"].read())


# Before the first edition


def test_before_the_first_edition_every_view_is_there_and_has_no_row(shelf, athena):
    assert shelf.editions.published() is None
    for name in ("published", "apples", "pears", "plums"):
        assert athena.rows(f"select * from {name}") == []


def test_the_catalog_describes_every_column_of_a_view_and_of_its_table(shelf):
    for summary in SUMMARIES:
        told = {column.name: (column.type, column.description) for column in summary.columns}
        for name in (summary.table, f"{summary.table}_editions"):
            table = _table(shelf, name)
            columns = {c["Name"]: (c["Type"], c.get("Comment")) for c in table["StorageDescriptor"]["Columns"]}
            assert {column: columns[column] for column in told} == told
            assert table["Description"] == summary.description
        assert _table(shelf, summary.table)["StorageDescriptor"]["Columns"][-1]["Name"] == "edition"


def test_preparing_twice_changes_nothing(shelf, athena):
    names = ["published"] + [name for s in SUMMARIES for name in (s.table, f"{s.table}_editions")]
    before = [_table(shelf, name) for name in names]

    shelf.editions.prepare(SUMMARIES, athena)

    assert [_table(shelf, name) for name in names] == before


# The switch


def test_a_staged_edition_is_seen_by_nobody_and_a_published_one_in_all_views_and_files(shelf, athena):
    prefixes = shelf.write(NEW)
    for summary in SUMMARIES:
        shelf.editions.stage(summary, NEW.id, prefixes[summary.table])
    staged = seen_in_views(athena)

    shelf.publish(NEW, None, prefixes)

    assert staged == []
    assert seen_in_views(athena) == seen_in_files(shelf.s3) == [(NEW.id, 6)] * 3
    assert athena.rows("select * from published") == [
        {"edition": NEW.id, "export_id": NEW.export_id, "export_time": NEW.export_time}
    ]


def test_an_older_export_never_replaces_a_newer_one(shelf, athena):
    shelf.publish(NEW, None, shelf.write(NEW))

    is_shown = shelf.publish(OLD, None, shelf.write(OLD))

    assert not is_shown
    assert seen_in_views(athena) == seen_in_files(shelf.s3) == [(NEW.id, 6)] * 3


def test_another_edition_of_the_same_export_replaces_the_first(shelf, athena):
    again = edition(2, "b")
    shelf.publish(NEW, None, shelf.write(NEW))

    assert shelf.publish(again, NEW.id, shelf.write(again))

    assert {name for name, _ in [*seen_in_views(athena), *seen_in_files(shelf.s3)]} == {again.id}


def test_publishing_again_what_is_published_is_fine(shelf):
    prefixes = shelf.write(NEW)
    shelf.publish(NEW, None, prefixes)
    before = _table(shelf, "published")

    assert shelf.publish(NEW, None, prefixes)

    assert _table(shelf, "published") == before


def test_an_edition_made_against_another_than_readers_see_is_not_shown(shelf, athena):
    shelf.publish(OLD, None, shelf.write(OLD))

    assert not shelf.publish(NEW, None, shelf.write(NEW))

    assert seen_in_views(athena) == seen_in_files(shelf.s3) == [(OLD.id, 3)] * 3


def test_a_published_edition_never_changes(shelf, athena):
    shelf.publish(NEW, None, shelf.write(NEW))

    with pytest.raises(SetupError, match=f"edition '{NEW.id}' is published and never changes: .* clear register"):
        shelf.editions.stage(APPLES, NEW.id, f"s3://{BUCKET}/elsewhere/")

    assert seen_in_views(athena) == [(NEW.id, 6)] * 3


def test_what_was_staged_may_be_staged_anew_until_it_is_published(shelf, athena):
    prefixes = shelf.write(NEW)
    shelf.editions.stage(APPLES, NEW.id, f"s3://{BUCKET}/elsewhere/")

    shelf.publish(NEW, None, prefixes)

    assert is_whole(seen_in_views(athena))


def test_a_lost_reply_of_the_switch_is_a_switch(local_aws, shelf, athena):
    prefixes = shelf.write(NEW)
    with losing_the_first_reply(local_aws.endpoint_url, "glue", "UpdateTable") as glue:
        assert Shelf(glue, shelf.s3).publish(NEW, None, prefixes)

    assert seen_in_views(athena) == seen_in_files(shelf.s3) == [(NEW.id, 6)] * 3


def test_a_newer_edition_that_overtakes_the_switch_stays(shelf, athena):
    prefixes = {made.id: shelf.write(made) for made in (OLD, NEW)}
    glue = Interrupted(shelf.glue, "update_table", lambda: shelf.publish(NEW, None, prefixes[NEW.id]))

    is_shown = Shelf(glue, shelf.s3).publish(OLD, None, prefixes[OLD.id])

    assert not is_shown
    assert seen_in_views(athena) == seen_in_files(shelf.s3) == [(NEW.id, 6)] * 3


def test_a_change_of_the_table_that_is_no_publish_only_costs_another_look(shelf, athena):
    def touch():
        table = shelf.editions._published_table(None) | {"Description": "touched by hand"}
        shelf.glue.update_table(DatabaseName=DATABASE, TableInput=table)

    assert Shelf(Interrupted(shelf.glue, "update_table", touch), shelf.s3).publish(NEW, None, shelf.write(NEW))

    assert is_whole(seen_in_views(athena))


@pytest.mark.parametrize("operation", ["get_object", "put_object"])
def test_a_newer_edition_that_overtakes_current_json_stays(shelf, operation):
    prefixes = {made.id: shelf.write(made) for made in (OLD, NEW)}
    shelf.publish(OLD, None, prefixes[OLD.id])
    s3 = Interrupted(shelf.s3, operation, lambda: shelf.publish(NEW, OLD.id, prefixes[NEW.id]))

    Shelf(shelf.glue, s3).editions.put_current(current(OLD, prefixes[OLD.id]))

    assert _current(shelf)["edition"] == NEW.id


def test_current_json_that_somebody_deletes_meanwhile_is_put_again(shelf):
    prefixes = shelf.write(NEW)
    shelf.publish(NEW, None, prefixes)
    s3 = Interrupted(shelf.s3, "put_object", lambda: shelf.s3.delete_object(Bucket=BUCKET, Key=CURRENT))

    Shelf(shelf.glue, s3).publish(NEW, None, prefixes)

    assert _current(shelf)["edition"] == NEW.id


# What hands have done


@pytest.mark.parametrize("name", ["apples", "apples_editions", "published"])
def test_what_was_dropped_by_hand_comes_back_as_it_was(shelf, athena, name):
    shelf.publish(NEW, None, shelf.write(NEW))
    shelf.glue.delete_table(DatabaseName=DATABASE, Name=name)

    shelf.editions.prepare(SUMMARIES, athena)

    assert seen_in_views(athena) == [(NEW.id, 6)] * 3
    assert shelf.editions.published() == Published(NEW.id, NEW.export_id, NEW.export_time)


def test_a_view_that_was_written_by_hand_is_written_anew(shelf, athena):
    shelf.publish(NEW, None, shelf.write(NEW))
    athena.rows("create or replace view apples as select word, conversations, edition from pears")

    shelf.editions.prepare(SUMMARIES, athena)

    assert [row["word"] for row in athena.rows("select word from apples")] == ["apples"] * 3


@pytest.mark.parametrize("name", ["apples_editions", "published"])
def test_a_table_that_is_missing_is_told_with_the_remedy(shelf, name):
    prefixes = shelf.write(NEW)
    shelf.glue.delete_table(DatabaseName=DATABASE, Name=name)

    with pytest.raises(SetupError, match=f"'{name}' is not in the Glue database 'chatcensus': clear register"):
        shelf.publish(NEW, None, prefixes)


def test_a_second_object_beside_the_row_is_refused_before_any_reader_meets_it(shelf, athena):
    shelf.publish(OLD, None, shelf.write(OLD))
    shelf.s3.put_object(Bucket=BUCKET, Key=f"published/edition={NEW.id}/copy.csv", Body=b"x,y,z\n")

    with pytest.raises(SetupError, match=r"is to hold row.csv alone and holds 2 objects: delete the others"):
        shelf.publish(NEW, OLD.id, shelf.write(NEW))

    assert seen_in_views(athena) == [(OLD.id, 3)] * 3


def test_a_column_that_changes_its_type_is_refused_and_readers_keep_the_view(shelf, athena):
    shelf.publish(NEW, None, shelf.write(NEW))
    other = (COLUMNS[0], Column(name="conversations", type="double", description="How many"))

    with pytest.raises(
        SetupError, match=r"column 'conversations' of apples is double .* bigint in earlier .*another name"
    ):
        shelf.editions.prepare([APPLES.model_copy(update={"columns": other})], athena)

    assert is_whole(seen_in_views(athena))


def test_a_column_that_is_added_is_null_in_the_edition_that_readers_see_still(shelf, athena):
    shelf.publish(NEW, None, shelf.write(NEW, rows=1))
    more = (*COLUMNS, Column(name="users", type="bigint", description="Whose"))

    shelf.editions.prepare([APPLES.model_copy(update={"columns": more})], athena)

    assert athena.rows("select * from apples") == [
        {"word": "apples", "conversations": "2", "users": None, "edition": NEW.id}
    ]


# What publish reads


def test_the_rows_of_an_edition_can_be_read_before_it_is_published(shelf, athena):
    prefixes = shelf.write(NEW, rows=2)
    shelf.editions.stage(APPLES, NEW.id, prefixes["apples"])

    rows = shelf.editions.rows(APPLES, NEW.id, prefixes["apples"], athena)

    assert rows == [{"word": "apples", "conversations": 2}] * 2


def test_a_table_that_nobody_has_staged_or_somebody_staged_elsewhere_is_named(shelf, athena):
    prefix = shelf.write(NEW)["apples"]
    with pytest.raises(
        SnapshotIncomplete, match=f"apples of edition '{NEW.id}' lies at None, .*clear summarise.apples"
    ):
        shelf.editions.rows(APPLES, NEW.id, prefix, athena)
    shelf.editions.stage(APPLES, NEW.id, f"s3://{BUCKET}/elsewhere/")

    with pytest.raises(SnapshotIncomplete, match=r"lies at s3://.*/elsewhere/, its task has written"):
        shelf.editions.rows(APPLES, NEW.id, prefix, athena)


def test_a_column_of_another_type_is_named(shelf, athena):
    prefix = shelf.write(NEW)["apples"]
    shelf.editions.stage(APPLES, NEW.id, prefix)
    other = APPLES.model_copy(
        update={"columns": (COLUMNS[0], Column(name="conversations", type="int", description="How many"))}
    )

    with pytest.raises(SnapshotIncomplete, match=r"apples has columns of other types .*\{'conversations': 'bigint'\}"):
        shelf.editions.rows(other, NEW.id, prefix, athena)


# What it costs


def test_a_view_reads_the_partition_of_the_published_edition_alone(local_aws, shelf, athena):
    def scanned():
        athena.rows("select * from apples")
        [newest, *_] = local_aws.client("athena").list_query_executions(WorkGroup="chatcensus")["QueryExecutionIds"]
        answer = local_aws.client("athena").get_query_execution(QueryExecutionId=newest)
        return answer["QueryExecution"]["Statistics"]["DataScannedInBytes"]

    sizes, base = [], None
    for hour in (1, 2, 3):
        made = edition(hour)
        shelf.publish(made, base, shelf.write(made))
        base = made.id
        sizes.append(scanned())

    assert len(set(sizes)) == 1
