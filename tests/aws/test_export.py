"""A snapshot is taken as good only when every file of its manifest is there, whole, and the counts agree."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber

from chatcensus.aws.export import client_token, read_export
from chatcensus.errors import SnapshotIncomplete
from chatcensus.snapshot import Export as FinishedExport
from chatcensus.snapshot import Snapshot

TABLE = "chat-conversations"
TABLE_ARN = f"arn:aws:dynamodb:ap-northeast-1:123456789012:table/{TABLE}"
BUCKET = "chatcensus-snapshots-123456789012-ap-northeast-1"
CANARY = "canary-4711-の会話"


class Export:
    """One finished export of seven conversations, and what can be done to its files."""

    def __init__(self, local_aws, bucket=BUCKET, prefix="exports", items=7):
        self.dynamodb, self.s3, self.bucket = local_aws.client("dynamodb"), local_aws.client("s3"), bucket
        for number in range(items):
            item = {"conversation_id": {"S": f"c{number}"}, "turns": {"L": [{"S": CANARY}]}}
            self.dynamodb.put_item(TableName=TABLE, Item=item)
        started = self.dynamodb.export_table_to_point_in_time(
            TableArn=TABLE_ARN, S3Bucket=bucket, S3Prefix=prefix, ExportFormat="ION", ClientToken=client_token("r", 1)
        )
        self.arn = started["ExportDescription"]["ExportArn"]
        self.id = self.arn.rsplit("/", 1)[-1]
        self.folder = f"{prefix}/AWSDynamoDB/{self.id}"

    def read(self):
        return read_export(self.dynamodb, self.s3, self.arn)

    def object(self, name):
        return self.s3.get_object(Bucket=self.bucket, Key=f"{self.folder}/{name}")["Body"].read()

    def put(self, name, body):
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.folder}/{name}", Body=body)

    def delete(self, name):
        self.s3.delete_object(Bucket=self.bucket, Key=f"{self.folder}/{name}")

    def files(self):
        return [json.loads(line) for line in self.object("manifest-files.json").splitlines()]

    def name_of(self, file):
        return file["dataFileS3Key"].removeprefix(f"{self.folder}/")


@pytest.fixture
def export(local_aws):
    local_aws.create_stack()
    export = Export(local_aws)
    local_aws.wait_for_exports()
    return export


# The token


def test_the_token_of_a_run_is_always_the_same():
    assert client_token("chat_census/manual__1", 2) == client_token("chat_census/manual__1", 2)


def test_another_run_or_generation_has_another_token():
    tokens = {client_token(run, generation) for run in ("a", "b", "a1") for generation in (1, 2, 11)}

    assert len(tokens) == 9


def test_a_token_is_one_that_dynamodb_takes(local_aws):
    local_aws.create_stack()

    first, second = Export(local_aws), Export(local_aws)

    assert first.arn == second.arn
    assert local_aws.stats()["exports"] == 1
    local_aws.wait_for_exports()


# Good snapshots


def test_a_good_export_is_a_snapshot(export):
    snapshot = export.read()

    description = export.dynamodb.describe_export(ExportArn=export.arn)["ExportDescription"]
    assert snapshot == FinishedExport(
        export_id=export.id,
        export_arn=export.arn,
        export_time=snapshot.export_time,
        bucket=BUCKET,
        data_prefix=f"{export.folder}/data/",
        item_count=7,
    )
    assert datetime.fromisoformat(snapshot.export_time) == description["ExportTime"]


def test_empty_files_are_normal(export):
    empty = [file for file in export.files() if file["itemCount"] == 0]

    assert len(empty) >= 2
    assert export.read().item_count == 7


def test_an_empty_table_is_a_snapshot_of_nothing(local_aws):
    local_aws.create_stack()
    export = Export(local_aws, items=0)
    local_aws.wait_for_exports()

    assert export.read().item_count == 0


def test_what_lies_beside_the_files_of_the_manifest_is_no_trouble(export):
    export.put("data/left-over.ion.gz", b"of another try")

    assert export.read().item_count == 7


def test_a_snapshot_travels_as_plain_values(export):
    made = export.read()
    snapshot = Snapshot(made.export_id, made.export_time, {"conversation_id": "S"}, (made, made))

    assert Snapshot.from_dict(json.loads(json.dumps(snapshot.as_dict()))) == snapshot


def test_the_time_of_a_snapshot_is_told_in_utc(export):
    time = datetime.fromisoformat(export.read().export_time)

    assert time.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)


@pytest.fixture
def in_tokyo(monkeypatch):
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_the_time_of_a_snapshot_is_told_in_utc_on_a_machine_in_tokyo(export):
    assert datetime.fromisoformat(export.read().export_time).utcoffset() == timedelta(0)


# Bad snapshots: each says which file, or which counts


def _without_a_file(export):
    name = export.name_of(export.files()[0])
    export.delete(name)
    return f"{name} of the export is not there"


def _with_a_file_cut_short(export):
    name = export.name_of(export.files()[0])
    export.put(name, export.object(name)[:-1])
    return rf"{name} is not the file that the manifest describes \(md5 differs\)"


def _with_another_file_of_the_same_size(export):
    name = export.name_of(export.files()[0])
    body = bytearray(export.object(name))
    body[-1] ^= 1
    export.put(name, bytes(body))
    return rf"{name} is not the file that the manifest describes \(md5 differs\)"


def _with_something_in_the_empty_file(export):
    [name] = [export.name_of(file) for file in export.files() if not export.object(export.name_of(file))]
    export.put(name, gzip.compress(b"$ion_1_0 {Item:{}}\n"))
    return rf"{name} is not the file that the manifest describes"


def _with_a_line_missing_in_the_manifest(export):
    first, *others = export.files()
    export.put("manifest-files.json", "\n".join(json.dumps(file) for file in others).encode())
    return f"its files hold {7 - first['itemCount']} items, its manifest says 7, DynamoDB says 7"


def _with_a_line_twice_in_the_manifest(export):
    files = export.files()
    export.put("manifest-files.json", "\n".join(json.dumps(file) for file in [*files, files[0]]).encode())
    return f"its files hold {7 + files[0]['itemCount']} items, its manifest says 7, DynamoDB says 7"


def _with_another_count_in_the_summary(export):
    summary = json.loads(export.object("manifest-summary.json"))
    export.put("manifest-summary.json", json.dumps(summary | {"itemCount": 8}).encode())
    return "its files hold 7 items, its manifest says 8, DynamoDB says 7"


def _without_the_summary(export):
    export.delete("manifest-summary.json")
    return "manifest-summary.json of the export is not there"


def _without_the_list_of_files(export):
    export.delete("manifest-files.json")
    return "manifest-files.json of the export is not there"


@pytest.mark.parametrize(
    "damage",
    [
        _without_a_file,
        _with_a_file_cut_short,
        _with_another_file_of_the_same_size,
        _with_something_in_the_empty_file,
        _with_a_line_missing_in_the_manifest,
        _with_a_line_twice_in_the_manifest,
        _with_another_count_in_the_summary,
        _without_the_summary,
        _without_the_list_of_files,
    ],
    ids=lambda damage: damage.__name__.strip("_").replace("_", " "),
)
def test_a_damaged_export_is_refused_by_name(export, damage):
    complaint = damage(export)

    with pytest.raises(SnapshotIncomplete, match=complaint) as caught:
        export.read()

    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("manifest", ["manifest-summary.json", "manifest-files.json"])
def test_a_manifest_cut_short_is_refused_by_name(export, manifest):
    export.put(manifest, export.object(manifest)[:-20])

    with pytest.raises(SnapshotIncomplete, match=manifest):
        export.read()


def test_an_export_that_has_not_ended_is_refused(export):
    description = export.dynamodb.describe_export(ExportArn=export.arn)["ExportDescription"]

    with Stubber(export.dynamodb) as stubber:
        stubber.add_response("describe_export", {"ExportDescription": description | {"ExportStatus": "IN_PROGRESS"}})
        with pytest.raises(SnapshotIncomplete, match=f"export {export.arn} is IN_PROGRESS: it has not ended"):
            export.read()


def test_a_failed_export_is_refused_with_its_reason(local_aws):
    local_aws.create_stack()
    export = Export(local_aws, bucket="no-such-bucket")
    local_aws.wait_for_exports()

    with pytest.raises(SnapshotIncomplete, match=f"export {export.arn} is FAILED: S3 refused: NoSuchBucket"):
        export.read()
