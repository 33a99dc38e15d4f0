"""What the layers of a snapshot hold: no text, no id of anybody, and ids under one key alone."""

import gzip
import io
import json
import time

import pyarrow.parquet
import pytest
from boto3.dynamodb.types import TypeSerializer

from chatcensus.aws.athena import Athena
from chatcensus.aws.layers import Layers
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SnapshotIncomplete
from chatcensus.evaluation import conversation_subkey
from chatcensus.include import read_yaml
from chatcensus.layer_sql import LayerSql, read_attributes
from chatcensus.mapping import CreatedAt, Only, TableMapping
from chatcensus.snapshot import Export, Snapshot
from local_aws.dynamodb.ion import ion_line
from tests.conftest import RESULT_BUCKET, SNAPSHOT_BUCKET
from tests.sql.warehouse import DATABASE, SQL, WORKGROUP, keyed, render

SECRET = "the secret of the first year"
CANARY = "CANARY-7f3a 口外しない"
MAPPING = TableMapping(
    partition_key="PK", sort_key="SK", turns="turns", role="role", text="text", user="PK", department="team",
    user_group="group", created_at=CreatedAt(attribute="at"), language="lang", only=(Only(attribute="SK"),),
    exports="incremental",
)  # fmt: skip
KEY_TYPES = {"PK": "S", "SK": "S"}


@pytest.fixture
def census(local_aws):
    local_aws.create_stack()
    return Census(local_aws)


class Census:
    """Exports of a table, written as DynamoDB writes them, and the layers that `register` makes of them."""

    def __init__(self, aws):
        self.s3, self.glue, self.athena = (aws.client(name) for name in ("s3", "glue", "athena"))
        self.ledger = Ledger(aws.client("dynamodb"), "chatcensus-control", "run")

    def export(self, export_id, items, *, is_increment=False):
        plain = [TypeSerializer().serialize(item)["M"] for item in items]
        if is_increment:
            folder = f"exports/increments/{export_id}/AWSDynamoDB/data/"
            lines = [json.dumps({"Keys": {n: i[n] for n in KEY_TYPES}, "NewImage": i}) for i in plain]
        else:
            folder, lines = f"exports/AWSDynamoDB/{export_id}/data/", [ion_line(item) for item in plain]
        body = gzip.compress("".join(f"{line}\n" for line in lines).encode())
        self.s3.put_object(Bucket=SNAPSHOT_BUCKET, Key=f"{folder}0.gz", Body=body)
        begin = "2026-11-01T00:00:00+00:00" if is_increment else None
        return Export(export_id, export_id, "2026-11-02T00:00:00+00:00", SNAPSHOT_BUCKET, folder, len(plain), begin)

    def register(self, *layers, secret=SECRET):
        snapshot = Snapshot(layers[-1].export_id, layers[-1].export_time, KEY_TYPES, layers)
        texts = [
            render("layers/layer.sql", layer=LayerSql(MAPPING, KEY_TYPES, is_increment=increment))
            for increment in (False, True)
        ]
        athena = Athena(self.athena, DATABASE, WORKGROUP, sleep=lambda _: time.sleep(0.02))
        Layers(
            self.glue, self.s3, athena, self.ledger, MAPPING, conversation_subkey(secret), RESULT_BUCKET, *texts
        ).register(snapshot)
        return athena.rows(
            f"select * from conversations_curated where export_id = '{snapshot.export_id}' order by layer"
        )

    def forget_exports(self):
        for key in self._keys(SNAPSHOT_BUCKET):
            self.s3.delete_object(Bucket=SNAPSHOT_BUCKET, Key=key)

    def files(self):
        """Everything in the result bucket, and what its Parquet says when it is decoded."""
        for key in self._keys(RESULT_BUCKET):
            body = self.s3.get_object(Bucket=RESULT_BUCKET, Key=key)["Body"].read()
            yield body
            if body.startswith(b"PAR1"):
                yield repr(pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()).encode()

    def statements(self):
        """All that Athena keeps of every statement."""
        ids = self.athena.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"]
        found = self.athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]
        return [json.dumps(execution, default=str, ensure_ascii=False) for execution in found]

    def _keys(self, bucket):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def conversation(user, **more):
    return {"PK": user, "SK": "s1", "at": "2026-10-01", "lang": "ja", "team": "sales", "group": "admins", **more}


def evaluated(**more):
    return {
        "outcome": "evaluated",
        "category": "coding",
        "inquiry_score": 4,
        "user_pseudonym": "0123456789abcdef",
        **more,
    }


JUDGED = evaluated(input_tokens=100, output_tokens=5, cost_micro_usd=7, prompt_version="p1", model="m1", run_id="r1")
LOOK_ALIKE = evaluated(category=CANARY, reason=CANARY, previous={"category": CANARY})
ODD = {
    "turns": [{"role": "user", "text": CANARY}],
    "title": CANARY,
    "memo": {"evaluation": LOOK_ALIKE, CANARY: [CANARY, {CANARY}]},
    "item": LOOK_ALIKE,
    "conversation_id": CANARY,
    "evaluation_category": CANARY,
    CANARY: CANARY,
}


def test_no_text_and_no_id_reaches_the_results_or_what_athena_keeps_of_a_statement(census):
    own = {**JUDGED, "text": CANARY, "memo": LOOK_ALIKE, "previous": evaluated(previous=LOOK_ALIKE, text=CANARY)}
    items = [
        conversation(f"tanaka {CANARY}", evaluation=own, **ODD),
        conversation(f"suzuki {CANARY}", **ODD),
        conversation("sato", evaluation={"outcome": CANARY, "category": CANARY, "reason": CANARY, "model": CANARY}),
        conversation("ito", Evaluation={"Category": CANARY, "Reason": CANARY, "Run_id": CANARY}),
    ]

    rows = census.register(census.export("e1", items), census.export("e2", items, is_increment=True))

    expected = {keyed(MAPPING.conversation_id(item), conversation_subkey(SECRET)) for item in items}
    for layer in ("000000", "000001"):
        assert {row["conversation_id"] for row in rows if row["layer"] == layer} == expected
    private = (CANARY, "CANARY", "tanaka", "suzuki", "sato", "ito", SECRET, conversation_subkey(SECRET))
    for place in (*census.files(), *(text.encode() for text in census.statements())):
        assert not [word for word in private if word.encode() in place]
    assert len(census.statements()) >= 3


def test_a_conversation_is_one_row_with_its_score_cost_and_provenance(census):
    [row] = census.register(census.export("e1", [conversation("tanaka", evaluation=JUDGED)]))

    assert {name: value for name, value in row.items() if value is not None} == {
        "conversation_id": keyed("tanaka/s1", conversation_subkey(SECRET)),
        "item_kind": "conversation",
        "created_at": "2026-10-01T00:00:00Z",
        "language": "ja",
        "department": "sales",
        "user_group": "admins",
        "outcome": "evaluated",
        "category": "coding",
        "inquiry_score": "4",
        "user_pseudonym": "0123456789abcdef",
        "input_tokens": "100",
        "output_tokens": "5",
        "cost_micro_usd": "7",
        "prompt_version": "p1",
        "model": "m1",
        "run_id": "r1",
        "export_id": "e1",
        "layer": "000000",
    }


def test_under_another_secret_every_layer_is_written_again_so_that_one_id_stays_one(census):
    base = census.export("e1", [conversation("tanaka")])
    change = census.export("e2", [conversation("tanaka", evaluation=JUDGED)], is_increment=True)
    census.register(base)

    rows = census.register(base, change, secret="the secret of another year")

    subkey = conversation_subkey("the secret of another year")
    assert [row["conversation_id"] for row in rows] == [keyed("tanaka/s1", subkey)] * 2
    assert {row["conversation_id"] for row in census.register(base)} == {
        keyed("tanaka/s1", conversation_subkey(SECRET))
    }


def test_under_another_secret_a_layer_without_its_export_is_refused_and_nothing_is_mixed(census):
    base = census.export("e1", [conversation("tanaka")])
    census.register(base)
    census.forget_exports()
    change = census.export("e2", [conversation("suzuki")], is_increment=True)

    with pytest.raises(
        SnapshotIncomplete, match=r"the secret has changed since export e1 .*: start a run with full_export"
    ):
        census.register(base, change, secret="the secret of another year")

    assert len(census.register(base, change)) == 2  # the old secret still fits


def test_the_key_is_written_again_after_the_lifecycle_has_removed_it(census):
    base = census.export("e1", [conversation("tanaka")])
    census.register(base)
    census.forget_exports()

    rows = census.register(base, census.export("e2", [conversation("tanaka")], is_increment=True))

    assert [row["conversation_id"] for row in rows] == [keyed("tanaka/s1", conversation_subkey(SECRET))] * 2


@pytest.mark.parametrize("preset", ["simple", "bedrock-chat", "generative-ai-use-cases"])
def test_no_preset_asks_an_export_for_an_attribute_with_text(preset):
    mapping = read_yaml(SQL.parent / f"presets/{preset}.yaml", TableMapping)

    wanted = set(read_attributes(mapping))

    assert {*mapping.key_names, "evaluation"} <= wanted
    assert not wanted & {mapping.turns, mapping.text, mapping.body and mapping.body.key}
