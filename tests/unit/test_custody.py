"""The chain of custody: which link breaks is named, with both numbers; what follows from it is never published."""

import json
from dataclasses import replace

import pytest

from chatcensus.custody import Counted, Custody, LayerCount, Writes, written_on_items
from chatcensus.errors import SnapshotIncomplete
from chatcensus.snapshot import Export, Snapshot
from chatcensus.tally import Tally

TABLE = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/chats"
BASE = LayerCount(
    "000000", "01-a", TABLE, 13, "s3://results/curated/01-a/try=1/",
    rows={"conversation": 10, "other_item": 2, "later_message": 1},
    newest={"conversation": 8, "other_item": 2, "later_message": 1},
)  # fmt: skip
INCREMENT = LayerCount(
    "000001", "02-b", TABLE, 4, "s3://results/curated/02-b/try=2/",
    rows={"conversation": 3, "deleted": 1}, newest={"conversation": 3, "deleted": 1},
)  # fmt: skip
COUNTED = Counted({"evaluated": 7, "quarantined": 3, "pending": 1})
WHOLE = Custody(12, (BASE, INCREMENT), (), COUNTED, Writes(5, 5))


def test_judged_quarantined_pending_and_skipped_are_all_items():
    WHOLE.check()

    assert WHOLE.totals == {"conversations": 11, "evaluated": 7, "quarantined": 3, "pending": 1}
    assert WHOLE.skipped == {"other_item": 2, "later_message": 1, "deleted": 1, "replaced": 2}
    assert WHOLE.items == 17 == 11 + sum(WHOLE.skipped.values())


def test_a_table_of_nothing_is_whole():
    nothing = Custody(0, (replace(BASE, manifest_items=0, rows={}, newest={}),), (), Counted({}))

    nothing.check()

    assert nothing.totals == {"conversations": 0, "evaluated": 0, "quarantined": 0, "pending": 0}


def test_the_items_of_the_live_table_are_shown_and_compared_with_nothing():
    replace(WHOLE, live_items=4711).check()

    assert replace(WHOLE, live_items=4711).as_dict()["live_items"] == 4711


def test_the_chain_travels_as_plain_values():
    plain = WHOLE.as_dict()

    assert json.loads(json.dumps(plain)) == plain
    assert plain["layers"][1] == {
        "export_id": "02-b", "manifest_items": 4, "rows": {"conversation": 3, "deleted": 1},
    }  # fmt: skip
    assert plain["writes"] == {"written": 5, "in_snapshot": 5, "in_table": None}
    assert (plain["items"], plain["conversations"], plain["pending"]) == (17, 11, 1)


def _with(layer=None, **changes):
    layers = tuple(replace(each, **(layer or {})) if each is INCREMENT else each for each in WHOLE.layers)
    return replace(WHOLE, layers=layers, **changes)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        pytest.param(
            _with({"manifest_items": 5}), "manifest of layer 000001 .export 02-b. says 5 items, Athena counts 4",
            id="too few rows",
        ),
        pytest.param(_with({"manifest_items": 3}), "says 3 items, Athena counts 4", id="too many rows"),
        pytest.param(_with({"rows": {}, "newest": {}}), "000001.* says 4 items, Athena counts 0", id="no rows"),
        pytest.param(_with({"location": ""}), "layer 000001 .* lies at nowhere", id="a layer without a partition"),
        pytest.param(
            _with({"location": BASE.location}), "layer 000001 .* lies at s3://results/curated/01-a", id="a wrong layer"
        ),
        pytest.param(
            replace(WHOLE, layers=(replace(BASE, table=TABLE + "-old"), INCREMENT)),
            "layer 000000 .* is of .*table/chats-old, the snapshot is of .*table/chats:",
            id="an export of another table",
        ),
        pytest.param(
            _with({"rows": {"conversation": 3, "ghost": 1}}), "000001 .* kinds that nobody knows, ..ghost", id="a kind"
        ),
        pytest.param(_with(unknown_layers=("000007",)), "should not have, ..000007", id="a layer too many"),
        pytest.param(
            _with(counted=Counted({"evaluated": 7, "quarantined": 3})), "hold 11 conversations, the view .* counts 10",
            id="a view that loses conversations",
        ),
        pytest.param(
            _with(counted=Counted({"evaluated": 9, "quarantined": 3})), "hold 11 conversations, the view .* counts 12",
            id="a view that doubles conversations",
        ),
        pytest.param(
            _with(counted=Counted({"evaluated": 10, "vanished": 1})), "outcomes that nobody knows, ..vanished",
            id="an outcome that nobody knows",
        ),
        pytest.param(
            _with({"newest": {"conversation": 3, "ghost": 1}}), "hold 17 items, 16 of them are accounted for",
            id="a row that is nothing",
        ),
        pytest.param(
            _with(writes=Writes(5, 3, 5)), "lacks what the run wrote, .*'in_snapshot': 3", id="missing writes"
        ),
    ],
)  # fmt: skip
def test_the_place_where_the_chain_breaks_is_named(broken: Custody, told: str):
    with pytest.raises(SnapshotIncomplete, match=told):
        broken.check()


@pytest.mark.parametrize(
    ("writes", "are_whole"),
    [
        pytest.param(Writes(5, 5), True, id="all"),
        pytest.param(Writes(2, 5), True, id="an earlier try of the run wrote the others"),
        pytest.param(Writes(5, 3), False, id="fewer, and nobody has asked the table"),
        pytest.param(Writes(5, 3, 5), False, id="fewer than the table has"),
        pytest.param(Writes(5, 3, 3), True, id="the others were deleted or judged again"),
        pytest.param(Writes(5, 4, 3), True, id="one was deleted after the export"),
        pytest.param(Writes(0, 0), True, id="nothing was written"),
    ],
)
def test_what_a_run_has_written_is_in_the_snapshot_unless_the_table_has_more_of_it(writes: Writes, are_whole: bool):
    assert writes.are_whole is are_whole


def test_missing_writes_are_told_with_all_three_numbers():
    export = Export("e", f"{TABLE}/export/e", "2026-10-01T18:00:00+00:00", "b", "exports/AWSDynamoDB/e/data/", 503)
    snapshot = Snapshot("e", export.export_time, {}, (export,))

    assert Writes(505, 503, 505).told(snapshot) == (
        "the run wrote 505, the snapshot of 2026-10-01T18:00:00+00:00 holds 503, the live table 505"
    )


def test_what_only_the_ledger_remembers_is_not_sought_on_items():
    tally = Tally(read=9)
    tally.outcomes.update(evaluated=5, quarantined=3, already_evaluated=1)
    tally.reasons.update(too_large=2, not_json=1)

    assert written_on_items(tally.as_dict()) == 6
