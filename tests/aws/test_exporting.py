"""A run's snapshot: increments from one watermark to the next without a gap, and a full export for whatever else."""

import gzip
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Condition

import pytest

from chatcensus.aws import exporting
from chatcensus.aws.athena import Athena
from chatcensus.aws.export import read_recovery
from chatcensus.aws.exporting import Exporter
from chatcensus.aws.layers import Layers
from chatcensus.aws.ledger import Ledger
from chatcensus.crosswalk import Crosswalk
from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.layer_sql import LayerSql, read_attributes
from chatcensus.mapping import Only, TableMapping
from chatcensus.snapshot import MOST_LAYERS, OLDEST_BASE, Snapshot, Watermark
from local_aws.server import LocalAws
from local_aws.settings import Settings
from local_aws.stack import create_stack
from tests.aws.filtering_client import filtering_client
from tests.conftest import RESULT_BUCKET, SNAPSHOT_BUCKET
from tests.sql.warehouse import DATABASE, SUBKEY, WORKGROUP, keyed, render

TABLE, CONTROL_TABLE = "chat-conversations", "chatcensus-control"
START = datetime(2026, 11, 1, 9, tzinfo=UTC)
DAY = "2026-10-01T15:00:00Z"
MAPPING = read_yaml(Path(__file__).parents[2] / "include/table.yaml", TableMapping)


class World:
    """A table whose clock moves only when somebody waits, and the runs that export it."""

    def __init__(self):
        self.time, self.mapping = START, MAPPING
        self.aws = LocalAws(Settings(export_delay_s=0), now=lambda: self.time).start()

    def begin(self):
        self.time, self.mapping = START, MAPPING
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
            read_attributes(self.mapping), sleep=self._sleep, now=lambda: self.time,
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
            render("layers/layer.sql", layer=LayerSql(self.mapping, snapshot.key_types, is_increment=increment))
            for increment in (False, True)
        ]
        athena = Athena(self.aws.client("athena"), DATABASE, WORKGROUP, sleep=lambda _: time.sleep(0.01))
        glue = self.aws.client("glue")
        s3, ledger = self.aws.client("s3"), self.ledger("any")
        Layers(glue, s3, athena, ledger, self.mapping, SUBKEY, RESULT_BUCKET, *texts).register(snapshot)
        athena.rows(render("views/evaluations.sql", timezone="Asia/Tokyo", crosswalk=Crosswalk()))
        found = athena.rows(f"select * from evaluations where export_id = '{snapshot.export_id}'")
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
    _forget_the_snapshot(world, "tuesday")
    after_a_crash = world.snapshot("tuesday")

    assert first == again == after_a_crash
    assert world.exports() == exports


def _forget_the_snapshot(world, run_id):
    """Leave the ledger as it is when a run dies after its exports and before it moves the watermark from monday's."""
    world.ledger(run_id).record(snapshot={})
    key = {"pk": {"S": f"watermark#{DATABASE}"}, "sk": {"S": "watermark"}}
    world.dynamodb.delete_item(TableName=CONTROL_TABLE, Key=key)
    table = read_recovery(world.dynamodb, TABLE)[0].table
    monday = Snapshot.from_dict(world.ledger("monday").run()["snapshot"])
    world.ledger("any").move_watermark(DATABASE, Watermark(monday, table, "v1", 1))


def test_a_retry_after_the_token_was_forgotten_attaches_to_the_increment_that_was_begun(world):
    world.snapshot("monday")
    world.pass_time(7200)
    world.put(2)
    first = world.snapshot("tuesday")
    _forget_the_snapshot(world, "tuesday")
    exports = world.exports()
    world.pass_time(9 * 3600)

    assert world.snapshot("tuesday") == first
    assert world.exports() == exports


def test_an_increment_that_nobody_wrote_down_never_shares_its_folder_with_a_later_try(world):
    world.snapshot("monday")
    world.pass_time(7200)
    world.put(2)
    lost = world.snapshot("tuesday")
    _forget_the_snapshot(world, "tuesday")
    world.ledger("tuesday").record(increments={**world.ledger("tuesday").run()["increments"], "arns": []})
    world.pass_time(9 * 3600)

    again = world.snapshot("tuesday")

    assert again.layers[1].data_prefix != lost.layers[1].data_prefix
    assert world.rows(again) == world.rows(world.exporter("check").full())


def test_a_snapshot_holds_what_the_run_wrote_in_the_second_of_its_export(world, monkeypatch):
    world.snapshot("monday")
    world.pass_time(7200)
    world.time = world.time.replace(microsecond=300_000)
    world.put(2)
    world.time = world.time.replace(microsecond=500_000)
    exporter = world.exporter("tuesday")
    written = world.time
    told = exporting.read_recovery(world.dynamodb, TABLE)[0]
    latest = [written + timedelta(microseconds=1), written + timedelta(seconds=1)]
    monkeypatch.setattr(exporting, "read_recovery", lambda *_: (told, latest[min(len(waits), 1)]))
    waits = []
    exporter.sleep = lambda seconds: (waits.append(seconds), world._sleep(seconds))

    snapshot = exporter.incremental(DATABASE, "v1")

    assert snapshot.time > written
    assert [layer.item_count for layer in snapshot.layers] == [0, 1]


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


def _recovery_off_and_on(world):
    for is_on in (False, True):
        world.dynamodb.update_continuous_backups(
            TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": is_on}
        )
        world.pass_time(3600)
    return {}, "the earliest time that can be restored"


def _many_layers(world):
    world.pass_time((MOST_LAYERS + 1) * 86_400)
    return {}, f"there would be 3[0-9] layers, the most is {MOST_LAYERS}"


@pytest.mark.parametrize(
    "event", [_forced, _other_mapping, _recreated, _past_the_horizon, _recovery_off_and_on, _many_layers]
)
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
    _forget_the_snapshot(world, "tuesday")

    with pytest.raises(SnapshotIncomplete, match=r"\(md5 differs\); the next try makes a full export"):
        world.snapshot("tuesday")
    repaired = world.snapshot("tuesday")

    assert [(layer.from_time, layer.item_count) for layer in repaired.layers] == [(None, 1)]


@pytest.mark.parametrize("is_increment", [False, True], ids=["full", "increment"])
def test_a_failed_export_is_told_and_the_next_try_makes_a_full_one(world, is_increment):
    world.put(1)
    if is_increment:
        world.snapshot("monday")
        world.pass_time(7200)
    exporter = world.exporter("tuesday")
    exporter.bucket = "no-such-bucket"

    with pytest.raises(
        SnapshotIncomplete, match=r"S3 refused: NoSuchBucket; the next try makes (a full|another) export"
    ):
        exporter.incremental(DATABASE, "v1")

    assert [layer.from_time for layer in world.snapshot("tuesday").layers] == [None]


def test_a_damaged_full_export_is_not_attached_to_for_ever(world):
    world.put(1)
    damaged = world.exporter("monday").full()
    for entry in world.aws.client("s3").list_objects_v2(Bucket=SNAPSHOT_BUCKET, Prefix=damaged.layers[0].data_prefix)[
        "Contents"
    ]:
        world.aws.client("s3").delete_object(Bucket=SNAPSHOT_BUCKET, Key=entry["Key"])

    with pytest.raises(SnapshotIncomplete, match="is not there; the next try makes another export"):
        world.exporter("monday").full()

    assert world.exporter("monday").full().export_id != damaged.export_id


def test_an_export_that_takes_too_long_is_waited_for_by_the_next_try(world, monkeypatch):
    world.snapshot("monday")
    world.pass_time(7200)
    exporter = world.exporter("tuesday")
    exporter.timeout_s = -1
    monkeypatch.setattr(
        exporter.dynamodb, "describe_export", lambda **_: {"ExportDescription": {"ExportStatus": "IN_PROGRESS"}}
    )
    with pytest.raises(SnapshotIncomplete, match=r"export arn\S+ takes more than -1 s; a retry waits on"):
        exporter.incremental(DATABASE, "v1")
    monkeypatch.undo()
    exports = world.exports()

    snapshot = world.snapshot("tuesday")

    assert world.exports() == exports
    assert snapshot == world.ledger("any").watermark(DATABASE).snapshot


def test_a_run_waits_for_recovery_for_half_an_hour_and_exports_nothing_before(world):
    before = world.snapshot("monday")
    world.pass_time(7200)
    exporter, exports = world.exporter("tuesday"), world.exports()
    exporter.sleep = lambda _: None  # and so it does not come

    with pytest.raises(SnapshotIncomplete, match=r"can be restored to 2026-11-01T\S+ only, 1800 s after"):
        exporter.incremental(DATABASE, "v1")

    assert world.exports() == exports
    assert world.ledger("any").watermark(DATABASE).snapshot == before


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


class Turns:
    """Lets one of several threads go on at a time; which one, chance decides at each look at the ledger."""

    def __init__(self, seed, names):
        self.random, self.alive, self.changed = Random(seed), list(names), Condition()
        self.turn = self.random.choice(self.alive)

    def wait(self, name):
        with self.changed:
            assert self.changed.wait_for(lambda: self.turn == name, timeout=60)

    def pass_on(self, name, *, has_ended=False):
        with self.changed:
            if has_ended:
                self.alive.remove(name)
            self.turn = self.random.choice(self.alive or [None])
            self.changed.notify_all()

    def ledger(self, world, name):
        turns = self

        class TakingTurns(Ledger):
            def _get(self, key):
                turns.pass_on(name)
                turns.wait(name)
                return super()._get(key)

            def _update(self, request):
                turns.pass_on(name)
                turns.wait(name)
                return super()._update(request)

        return TakingTurns(world.dynamodb, CONTROL_TABLE, name)


@pytest.mark.parametrize("seed", range(6))
def test_however_runs_interleave_each_snapshot_is_the_table_of_its_moment_and_the_newest_stays(world, seed):
    names = {f"run {number}": number for number in range(3)}
    turns, written, snapshots = Turns(seed, names), {}, {}
    if seed % 2:
        world.snapshot("before")

    def run(name):
        turns.wait(name)
        try:
            world.pass_time(turns.random.choice((60, 1200, 30 * 3600)))
            world.put(names[name])
            written[names[name]] = world.time
            world.pass_time(1)
            exporter = world.exporter(name)
            exporter.ledger = turns.ledger(world, name)
            snapshots[name] = exporter.incremental(DATABASE, "v1")
        finally:
            turns.pass_on(name, has_ended=True)

    with ThreadPoolExecutor() as threads:
        list(threads.map(run, names))

    for name, snapshot in snapshots.items():
        ids = [dict(row)["conversation_id"] for row in world.rows(snapshot)]
        assert ids == sorted(keyed(f"c{number}") for number, time in written.items() if time < snapshot.time)
        assert keyed(f"c{names[name]}") in ids
    newest = max(snapshot.time for snapshot in snapshots.values())
    assert world.ledger("any").watermark(DATABASE).snapshot.time == newest


def test_what_leaves_the_condition_by_a_change_is_gone_and_comes_back_by_another(world):
    world.mapping = MAPPING.model_copy(update={"only": (Only(attribute="kind", equals="chat"),)})
    shown = []
    for day, kind in enumerate(("chat", "note", "chat", None)):
        item = {"conversation_id": {"S": "c1"}} | ({"kind": {"S": kind}} if kind else {})
        world.dynamodb.put_item(TableName=TABLE, Item=item)
        shown.append(len(world.rows(world.snapshot(f"day {day}"))))
        world.pass_time(7200)

    assert shown == [1, 0, 1, 0]


def test_a_conversation_that_was_deleted_and_written_again_is_shown_as_it_is_now(world):
    world.put(1)
    world.snapshot("monday")
    world.pass_time(7200)
    world.delete(1)
    world.put(1, category="writing")
    world.put(2)
    world.delete(2)
    tuesday = world.snapshot("tuesday")
    world.pass_time(7200)
    world.delete(1)
    wednesday = world.snapshot("wednesday")

    assert [[dict(row)["category"] for row in world.rows(taken)] for taken in (tuesday, wednesday)] == [["writing"], []]


def test_registering_a_snapshot_again_changes_nothing(world):
    world.put(1)
    world.snapshot("monday")
    world.pass_time(7200)
    world.put(2)
    snapshot = world.snapshot("tuesday")

    first, again = world.rows(snapshot), world.rows(snapshot)

    assert first == again
    assert len(again) == 2


def test_a_snapshot_keeps_its_rows_as_long_again_as_its_base_may_be_old(world):
    found = world.aws.client("s3").get_bucket_lifecycle_configuration(Bucket=RESULT_BUCKET)["Rules"]

    [days] = [rule["Expiration"]["Days"] for rule in found if rule["Filter"].get("Prefix") == "curated/"]
    assert timedelta(days=days) >= 2 * OLDEST_BASE


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
    random = Random(4)
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


CANARY = "CANARY 口外"


def _put_with_text(world, number):
    text = {"L": [{"M": {"role": {"S": "user"}, "content": {"S": CANARY}}}]}
    item = {"conversation_id": {"S": f"c{number}"}, "created_at": {"S": DAY}, "turns": text, "user_id": {"S": CANARY}}
    other = {"title": {"S": CANARY}, "evaluation": {"M": {"outcome": {"S": "evaluated"}, "category": {"S": "coding"}}}}
    world.dynamodb.put_item(TableName=TABLE, Item={**item, **other, "language": {"S": "ja"}})


def _exported(world):
    s3 = world.aws.client("s3")
    listed = s3.list_objects_v2(Bucket=SNAPSHOT_BUCKET, Prefix="exports/").get("Contents", [])
    bodies = [s3.get_object(Bucket=SNAPSHOT_BUCKET, Key=found["Key"])["Body"].read() for found in listed]
    return [gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body for body in bodies]


def _monday_and_tuesday(world):
    """A full export and an increment after it."""
    _put_with_text(world, 1)
    _put_with_text(world, 2)
    world.snapshot("monday")
    world.pass_time(7200)
    _put_with_text(world, 2)
    _put_with_text(world, 3)
    world.delete(1)
    return world.snapshot("tuesday")


def test_no_text_is_exported_where_boto3_can_leave_it_out_and_the_tables_are_the_same(world, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    world.dynamodb = filtering_client(world.aws.endpoint_url, tmp_path)
    filtered = _monday_and_tuesday(world)
    left_out = _exported(world)
    world.dynamodb = world.aws.client("dynamodb")

    whole = world.exporter("check").full()

    assert any(b'conversation_id:"c1"' in body for body in left_out)
    assert any(b'"conversation_id":{"S":"c3"}' in body for body in left_out)
    assert not any(word in body for body in left_out for word in (b"turns", b"title", b"user_id", CANARY.encode()))
    assert any(CANARY.encode() in body for body in _exported(world))
    assert [layer.from_time is None for layer in filtered.layers] == [True, False]
    assert world.rows(filtered) == world.rows(whole)
    assert len(world.rows(whole)) == 2
    assert "the export holds only conversation_id, created_at, evaluation, language" in caplog.text


def test_an_export_is_whole_where_boto3_cannot_leave_text_out_and_the_log_says_so(world, caplog):
    caplog.set_level(logging.INFO)

    snapshot = _monday_and_tuesday(world)

    assert any(CANARY.encode() in body for body in _exported(world))
    assert len(snapshot.layers) == 2
    assert "the export holds whole items, text included" in caplog.text


def test_a_retry_under_another_filter_is_another_export_in_a_folder_of_its_own(world, tmp_path):
    world.snapshot("monday")
    world.pass_time(7200)
    world.put(2)
    lost = world.snapshot("tuesday")
    _forget_the_snapshot(world, "tuesday")
    world.ledger("tuesday").record(increments={**world.ledger("tuesday").run()["increments"], "arns": []})
    world.dynamodb = filtering_client(world.aws.endpoint_url, tmp_path)

    again = world.snapshot("tuesday")

    assert again.layers[1].data_prefix != lost.layers[1].data_prefix
    assert world.rows(again) == world.rows(world.exporter("check").full())


@pytest.mark.parametrize("columns", [None, "v1"], ids=["full", "incremental"])
def test_one_more_export_is_a_full_one_of_a_later_moment_and_made_once(world, caplog, columns):
    caplog.set_level(logging.INFO)
    world.put(1)
    world.snapshot("sunday")
    world.pass_time(7200)
    world.put(2)
    first = world.exporter("monday").incremental(DATABASE, "v1") if columns else world.exporter("monday").full()
    world.pass_time(60)
    begun = world.time

    again = world.exporter("monday").again(DATABASE, columns)
    exports = world.exports()

    assert again.export_id != first.export_id
    assert [layer.from_time for layer in again.layers] == [None]
    assert again.time > begun > first.time
    assert "waiting until the table can be restored to" in caplog.text
    assert [world.exporter("monday").again(DATABASE, columns) for _ in range(2)] == [again, again]
    assert world.exports() == exports
    assert world.exporter("monday").has_repeated
    if columns:
        assert world.ledger("any").watermark(DATABASE).snapshot == again


def test_clearing_export_after_one_more_gives_that_one(world):
    world.put(1)
    world.exporter("monday").full()
    again = world.exporter("monday").again(DATABASE, None)

    assert world.exporter("monday").full() == again


def test_one_more_export_that_failed_is_made_anew_and_stays_the_one_more(world):
    world.put(1)
    world.exporter("monday").full()
    exporter = world.exporter("monday")
    exporter.bucket = "no-such-bucket"
    with pytest.raises(SnapshotIncomplete, match="the next try makes another export"):
        exporter.again(DATABASE, None)
    exports = world.exports()
    assert exporter.has_repeated

    again = world.exporter("monday").again(DATABASE, None)

    assert world.exports() == exports + 1
    assert world.exporter("monday").again(DATABASE, None) == again


def test_what_is_written_later_gives_the_run_a_first_export_again(world):
    world.put(1)
    world.exporter("monday").full()
    world.exporter("monday").again(DATABASE, None)
    ledger = world.ledger("monday")
    ledger.record(generation=int(ledger.run()["generation"]) + 1)

    assert not world.exporter("monday").has_repeated
