"""A run's snapshot: increments from one watermark to the next without a gap, and a full export for whatever else."""

import logging
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from chatcensus.aws.athena import Athena
from chatcensus.aws.exporting import Exporter
from chatcensus.aws.layers import Layers
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.layer_sql import LayerSql
from chatcensus.mapping import TableMapping
from chatcensus.snapshot import MOST_LAYERS, Watermark
from local_aws.server import LocalAws
from local_aws.settings import Settings
from local_aws.stack import create_stack
from tests.conftest import RESULT_BUCKET, SNAPSHOT_BUCKET
from tests.sql.warehouse import DATABASE, WORKGROUP, render

TABLE, CONTROL_TABLE = "chat-conversations", "chatcensus-control"
START = datetime(2026, 11, 1, 9, tzinfo=UTC)
DAY = "2026-10-01T15:00:00Z"
MAPPING = read_yaml(Path(__file__).parents[2] / "include/table.yaml", TableMapping)


class World:
    """A table whose clock moves only when somebody waits, and the runs that export it."""

    def __init__(self):
        self.time = START
        self.aws = LocalAws(Settings(export_delay_s=0), now=lambda: self.time).start()

    def begin(self):
        self.time = START
        self.aws.reset()
        create_stack(self.aws.client("cloudformation"), {"CreateConversationTable": "true"})
        self.dynamodb = self.aws.client("dynamodb")
        self.pass_time(3600)

    def pass_time(self, seconds):
        self.time += timedelta(seconds=seconds)

    def put(self, *numbers, category="coding"):
        evaluation = {"outcome": {"S": "evaluated"}, "category": {"S": category}, "attempts": {"N": "600"}}
        for first in range(0, len(numbers), 25):
            items = [
                {"conversation_id": {"S": f"c{number}"}, "created_at": {"S": DAY}, "evaluation": {"M": evaluation}}
                for number in numbers[first : first + 25]
            ]
            self.dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": item}} for item in items]})

    def delete(self, number):
        self.dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": f"c{number}"}})

    def ledger(self, run_id):
        return Ledger(self.dynamodb, CONTROL_TABLE, run_id)

    def exporter(self, run_id, generation=1):
        ledger = self.ledger(run_id)
        if "generation" not in ledger.run():
            ledger.record(generation=generation)
        return Exporter(
            self.dynamodb, self.aws.client("s3"), ledger, TABLE, SNAPSHOT_BUCKET, "exports", 60,
            sleep=self._sleep, now=lambda: self.time,
        )  # fmt: skip

    def _sleep(self, seconds):
        self.aws.wait_for_exports()
        self.pass_time(seconds)

    def snapshot(self, run_id, columns="v1", **asked):
        self.pass_time(60)  # a window begins with the second in which the last export ended
        return self.exporter(run_id).incremental(DATABASE, columns, **asked)

    def exports(self):
        return self.aws.stats()["exports"]

    def rows(self, snapshot):
        """Register *snapshot* and return what the view shows of it."""
        texts = [
            render("layers/layer.sql", layer=LayerSql(MAPPING, snapshot.key_types, is_increment=increment))
            for increment in (False, True)
        ]
        athena = Athena(self.aws.client("athena"), DATABASE, WORKGROUP, sleep=lambda _: None)
        glue = self.aws.client("glue")
        Layers(glue, athena, self.ledger("any"), MAPPING, RESULT_BUCKET, *texts).register(snapshot)
        athena.rows(render("views/evaluations.sql", timezone="Asia/Tokyo"))
        found = athena.rows(f"select * from evaluations where export_id = '{snapshot.export_id}'")  # noqa: S608
        return sorted(sorted((k, v or "") for k, v in row.items() if k != "export_id") for row in found)


@pytest.fixture(scope="module")
def one_world(local_aws_server):  # noqa: ARG001 - its environment keeps out what a developer has configured
    world = World()
    yield world
    world.aws.stop()


@pytest.fixture
def world(one_world):
    one_world.begin()
    return one_world


def test_the_first_snapshot_is_a_full_export(world, caplog):
    caplog.set_level(logging.INFO)
    world.put(1)

    snapshot = world.snapshot("monday")

    [layer] = snapshot.layers
    assert (layer.item_count, layer.from_time) == (1, None)
    assert "making a full export: there has been none" in caplog.text


def test_the_next_one_adds_what_has_changed_since(world, caplog):
    caplog.set_level(logging.INFO)
    world.put(1)
    monday = world.snapshot("monday")
    world.pass_time(7200)
    world.put(2)

    tuesday = world.snapshot("tuesday")

    assert tuesday.layers[0] == monday.layers[0]
    assert [layer.item_count for layer in tuesday.layers] == [1, 1]
    assert tuesday.export_id == tuesday.layers[1].export_id
    assert tuesday.time > monday.time
    assert "waiting until the table can be restored to" in caplog.text


def test_a_retry_exports_nothing_again_whenever_the_first_try_died(world):
    world.snapshot("monday")
    world.pass_time(7200)
    world.put(2)
    first = world.snapshot("tuesday")
    exports = world.exports()

    again = world.snapshot("tuesday")
    world.ledger("tuesday").record(snapshot={})
    world.dynamodb.delete_item(
        TableName=CONTROL_TABLE, Key={"pk": {"S": f"watermark#{DATABASE}"}, "sk": {"S": "watermark"}}
    )
    before = Watermark(world.exporter("monday").incremental(DATABASE, "v1"), *_facts(world), 1)
    world.ledger("any").move_watermark(DATABASE, before)
    after_a_crash = world.snapshot("tuesday")

    assert first == again == after_a_crash
    assert world.exports() == exports


def _facts(world):
    from chatcensus.aws.export import read_recovery

    return read_recovery(world.dynamodb, TABLE)[0].table, "v1"


def test_a_long_pause_is_covered_by_several_windows_that_touch(world):
    world.snapshot("monday")
    for number in range(5):
        world.pass_time(13 * 3600)
        world.put(number)

    snapshot = world.snapshot("thursday")

    times = [(layer.from_time, layer.export_time) for layer in snapshot.layers[1:]]
    assert len(times) == 3
    assert all(before[1] == after[0] for before, after in pairwise(times))


def test_nothing_new_adds_no_layer(world):
    world.put(1)
    world.snapshot("monday")
    world.pass_time(7200)

    snapshot = world.snapshot("tuesday")

    assert len(snapshot.layers) == 1
    assert snapshot.export_id != snapshot.layers[0].export_id


def _forced(_world):
    return {"full_because": "somebody asked for it"}, "somebody asked for it"


def _other_mapping(_world):
    return {"columns": "v2"}, "include/table.yaml says something else"


def _recreated(world):
    description = world.dynamodb.describe_table(TableName=TABLE)["Table"]
    world.dynamodb.delete_table(TableName=TABLE)
    world.pass_time(60)
    world.dynamodb.create_table(
        TableName=TABLE,
        KeySchema=description["KeySchema"],
        AttributeDefinitions=description["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )
    world.dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    world.pass_time(3600)
    return {}, "the table was created anew|the earliest time that can be restored"


def _past_the_horizon(world):
    world.pass_time(40 * 86_400)
    return {}, "the earliest time that can be restored"


def _many_layers(world):
    world.pass_time((MOST_LAYERS + 1) * 86_400)
    return {}, f"there would be 3[0-9] layers, the most is {MOST_LAYERS}"


@pytest.mark.parametrize("event", [_forced, _other_mapping, _recreated, _past_the_horizon, _many_layers])
def test_whatever_does_not_fit_is_repaired_by_a_full_export_and_said(world, caplog, event):
    caplog.set_level(logging.INFO)
    world.put(1)
    world.snapshot("monday")
    world.pass_time(3600)
    asked, reason = event(world)

    snapshot = world.snapshot("tuesday", **asked)

    assert [layer.from_time for layer in snapshot.layers] == [None]
    assert re.search(reason, caplog.text)
    assert world.ledger("any").watermark(DATABASE).snapshot == snapshot


def test_an_increment_that_is_damaged_is_repaired_by_the_next_try(world):
    world.snapshot("monday")
    world.pass_time(7200)
    world.put(1)
    taken = world.snapshot("tuesday")
    s3, damaged = world.aws.client("s3"), taken.layers[1]
    for entry in s3.list_objects_v2(Bucket=SNAPSHOT_BUCKET, Prefix=damaged.data_prefix)["Contents"]:
        s3.put_object(Bucket=SNAPSHOT_BUCKET, Key=entry["Key"], Body=b"other")
    exporter = world.exporter("tuesday")

    with pytest.raises(SnapshotIncomplete, match="md5 differs"):
        exporter._finished_increment(damaged.export_arn)
    world.ledger("tuesday").record(snapshot={}, generation=2)
    repaired = world.snapshot("tuesday")

    assert [(layer.from_time, layer.item_count) for layer in repaired.layers] == [(None, 1)]


def test_the_slower_of_two_runs_goes_on_from_what_the_other_has_exported(world):
    world.snapshot("monday")
    world.pass_time(7200)
    world.put(1)
    slow = world.exporter("slow")
    read = slow.ledger.watermark
    others = []

    def overtaken(database):
        found = read(database)
        if not others:
            others.append(world.snapshot("quick"))
        return found

    slow.ledger.watermark = overtaken
    snapshot = slow.incremental(DATABASE, "v1")

    watermark = world.ledger("any").watermark(DATABASE)
    assert watermark.snapshot.time >= others[0].time
    assert snapshot == watermark.snapshot
    assert world.rows(snapshot) == world.rows(world.exporter("check").full())


def test_a_watermark_is_never_moved_by_a_run_that_has_read_an_older_one(world):
    snapshot = world.snapshot("monday")
    ledger = world.ledger("any")
    first = ledger.watermark(DATABASE)

    moved = [
        ledger.move_watermark(DATABASE, Watermark(snapshot, first.table, columns, first.version + 1))
        for columns in ("v2", "v3")
    ]

    assert moved == [True, False]
    assert ledger.watermark(DATABASE).columns == "v2"


def test_increments_and_a_full_export_of_the_same_moment_show_the_same_rows(world):
    random = Random(4)  # noqa: S311 - reproducible, not secret
    alive, deleted = set(range(2000)), set()
    world.put(*alive)
    world.snapshot("day 0")
    for day in (1, 2, 3):
        world.pass_time(20 * 3600)
        world.put(*random.sample(sorted(alive), 30))  # they say the same again
        world.put(*random.sample(sorted(alive), 30), category="writing")
        gone = set(random.sample(sorted(alive), 10))
        for number in gone:
            world.delete(number)
        back = set(sorted(deleted)[:5])
        new = set(range(10_000 * day, 10_000 * day + 20))
        world.put(*back, *new, category="other")
        alive, deleted = (alive - gone) | back | new, (deleted | gone) - back
        layered = world.snapshot(f"day {day}")

    full = world.exporter("full").full()

    assert [layer.from_time is None for layer in layered.layers] == [True, False, False, False]
    assert sum(layer.item_count for layer in layered.layers[1:]) < 300
    assert len(world.rows(full)) == len(alive)
    assert world.rows(layered) == world.rows(full)
