"""The export of a table looks, and answers, as DynamoDB's does."""

import base64
import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from local_aws.dynamodb.export_contents import Contents
from local_aws.dynamodb.export_files import write_export
from local_aws.dynamodb.exports import DynamoDBExports
from local_aws.dynamodb.item_image import Image
from tests.aws.filtering_client import filtering_client

TABLE = "chat-conversations"
TABLE_ARN = f"arn:aws:dynamodb:ap-northeast-1:123456789012:table/{TABLE}"
BUCKET = "chatcensus-snapshots-123456789012-ap-northeast-1"
REQUEST = {"TableArn": TABLE_ARN, "S3Bucket": BUCKET, "S3Prefix": "raw", "ExportFormat": "ION"}


@pytest.fixture
def dynamodb(local_aws):
    local_aws.create_stack()
    client = local_aws.client("dynamodb")
    for number in range(7):
        client.put_item(TableName=TABLE, Item={"conversation_id": {"S": f"c{number}"}, "n": {"N": str(number * 100)}})
    return client


def _finished(local_aws, arn):
    local_aws.wait_for_exports()
    return local_aws.client("dynamodb").describe_export(ExportArn=arn)["ExportDescription"]


def _objects(local_aws):
    s3 = local_aws.client("s3")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def _etags(local_aws):
    listed = local_aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    return {found["Key"]: found["ETag"].strip('"') for found in listed}


def test_an_export_is_in_progress_before_it_is_complete(local_aws, dynamodb):
    started = dynamodb.export_table_to_point_in_time(**REQUEST)["ExportDescription"]
    assert started["ExportStatus"] == "IN_PROGRESS"
    assert "ExportManifest" not in started

    done = _finished(local_aws, started["ExportArn"])

    export_id = started["ExportArn"].rpartition("/")[2]
    assert done["ExportStatus"] == "COMPLETED"
    assert done["ExportManifest"] == f"raw/AWSDynamoDB/{export_id}/manifest-summary.json"
    assert done["ItemCount"] == 7
    assert done["BilledSizeBytes"] > 7 * len("conversation_idc0n")
    assert done["EndTime"] >= done["StartTime"]


def test_all_items_are_in_the_listed_files_and_some_files_are_empty(local_aws, dynamodb):
    started = dynamodb.export_table_to_point_in_time(**REQUEST)["ExportDescription"]

    done = _finished(local_aws, started["ExportArn"])

    objects, etags = _objects(local_aws), _etags(local_aws)
    folder = done["ExportManifest"].removesuffix("manifest-summary.json")
    assert objects[f"{folder}_started"] == b""
    summary = json.loads(objects[f"{folder}manifest-summary.json"])
    files = [json.loads(line) for line in objects[summary["manifestFilesS3Key"]].splitlines()]
    assert summary["itemCount"] == 7 == sum(file["itemCount"] for file in files)
    assert summary["outputFormat"] == "ION"
    assert summary["exportArn"] == done["ExportArn"]
    lines = []
    for file in files:
        body = objects[file["dataFileS3Key"]]
        assert file["md5Checksum"] == base64.b64encode(hashlib.md5(body).digest()).decode()  # noqa: S324  the format's
        assert file["etag"] == etags[file["dataFileS3Key"]]
        assert file["etag"].endswith("-1")
        assert file["dataFileS3Key"].startswith(f"{folder}data/")
        assert file["dataFileS3Key"].endswith(".ion.gz")
        found = gzip.decompress(body).decode().splitlines()
        assert len(found) == file["itemCount"]
        lines += found
    assert '$ion_1_0 {Item:{conversation_id:"c3",n:3d2}}' in lines
    assert {b"", gzip.compress(b"", mtime=0)} <= {objects[file["dataFileS3Key"]] for file in files}


@pytest.mark.parametrize("manifest", ["manifest-summary", "manifest-files"])
def test_a_manifest_has_its_checksum_beside_it(local_aws, dynamodb, manifest):
    dynamodb.export_table_to_point_in_time(**REQUEST)

    local_aws.wait_for_exports()

    objects = _objects(local_aws)
    (key,) = [key for key in objects if key.endswith(f"{manifest}.checksum")]
    body = objects[key.replace(".checksum", ".json")]
    assert objects[key] == base64.b64encode(hashlib.md5(body).digest())  # noqa: S324  the format's own


def test_a_snapshot_does_not_see_what_is_written_after_it(local_aws, dynamodb):
    started = dynamodb.export_table_to_point_in_time(**REQUEST)["ExportDescription"]
    dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": "late"}})

    assert _finished(local_aws, started["ExportArn"])["ItemCount"] == 7


def test_the_same_token_is_the_same_export(local_aws, dynamodb):
    first = dynamodb.export_table_to_point_in_time(**REQUEST, ClientToken="t1")["ExportDescription"]
    second = dynamodb.export_table_to_point_in_time(**REQUEST, ClientToken="t1")["ExportDescription"]
    local_aws.wait_for_exports()
    third = dynamodb.export_table_to_point_in_time(**REQUEST, ClientToken="t1")["ExportDescription"]

    assert first["ExportArn"] == second["ExportArn"] == third["ExportArn"]
    assert third["ExportStatus"] == "COMPLETED"
    assert local_aws.stats()["exports"] == 1


def test_the_same_token_with_other_parameters_is_a_conflict(local_aws, dynamodb):
    dynamodb.export_table_to_point_in_time(**REQUEST, ClientToken="t1")

    with pytest.raises(dynamodb.exceptions.ExportConflictException):
        dynamodb.export_table_to_point_in_time(**{**REQUEST, "S3Prefix": "elsewhere"}, ClientToken="t1")
    assert local_aws.stats()["exports"] == 1


def test_a_token_is_forgotten_eight_hours_after_the_export_ended():
    now = datetime(2026, 11, 1, tzinfo=UTC)
    exports = DynamoDBExports(OneTable(), lambda *_: NoStore(), now=lambda: now, delay_s=0)
    first = exports.handle("ExportTableToPointInTime", {**REQUEST, "ClientToken": "t"}, "ap-northeast-1")
    exports.wait()

    now += timedelta(hours=7, minutes=59)
    early = exports.handle("ExportTableToPointInTime", {**REQUEST, "ClientToken": "t"}, "ap-northeast-1")
    now += timedelta(minutes=2)
    late = exports.handle("ExportTableToPointInTime", {**REQUEST, "ClientToken": "t"}, "ap-northeast-1")
    exports.wait()

    arns = [answer["ExportDescription"]["ExportArn"] for answer in (first, early, late)]
    assert arns[0] == arns[1] != arns[2]


def test_without_point_in_time_recovery_there_is_no_export(dynamodb):
    dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )

    with pytest.raises(dynamodb.exceptions.PointInTimeRecoveryUnavailableException):
        dynamodb.export_table_to_point_in_time(**REQUEST)


def test_an_unknown_table_is_not_found(dynamodb):
    with pytest.raises(dynamodb.exceptions.TableNotFoundException):
        dynamodb.export_table_to_point_in_time(**{**REQUEST, "TableArn": TABLE_ARN + "x"})


def test_an_unknown_export_is_not_found(dynamodb):
    with pytest.raises(dynamodb.exceptions.ExportNotFoundException):
        dynamodb.describe_export(ExportArn=f"{TABLE_ARN}/export/01604474914028-a1b2c3d4")


def test_an_export_into_no_bucket_fails_with_a_reason(local_aws, dynamodb):
    started = dynamodb.export_table_to_point_in_time(**{**REQUEST, "S3Bucket": "no-such-bucket"})["ExportDescription"]

    done = _finished(local_aws, started["ExportArn"])

    assert done["ExportStatus"] == "FAILED"
    assert done["FailureCode"] == "S3NoSuchBucket"


def test_dynamodb_json_is_the_default_format(local_aws, dynamodb):
    dynamodb.export_table_to_point_in_time(TableArn=TABLE_ARN, S3Bucket=BUCKET)

    local_aws.wait_for_exports()

    data = {key: body for key, body in _objects(local_aws).items() if "/data/" in key}
    assert all(key.startswith("AWSDynamoDB/") and key.endswith(".json.gz") for key in data)
    lines = b"".join(gzip.decompress(body) for body in data.values()).splitlines()
    assert {"Item": {"conversation_id": {"S": "c2"}, "n": {"N": "200"}}} in [json.loads(line) for line in lines]


def test_exports_are_listed_page_by_page(local_aws, dynamodb):
    arns = [dynamodb.export_table_to_point_in_time(**REQUEST)["ExportDescription"]["ExportArn"] for _ in range(3)]
    local_aws.wait_for_exports()

    first = dynamodb.list_exports(TableArn=TABLE_ARN, MaxResults=2)
    second = dynamodb.list_exports(TableArn=TABLE_ARN, MaxResults=2, NextToken=first["NextToken"])

    listed = first["ExportSummaries"] + second["ExportSummaries"]
    assert sorted(found["ExportArn"] for found in listed) == sorted(arns)
    assert {found["ExportStatus"] for found in listed} == {"COMPLETED"}
    assert "NextToken" not in second
    assert dynamodb.list_exports(TableArn=TABLE_ARN + "x")["ExportSummaries"] == []


class OneTable:
    """A table that can be recovered and is empty."""

    def __init__(self):
        self.lock = _NoLock()

    def call(self, target, _body, *, service, region):  # noqa: ARG002
        if target.endswith("DescribeTable"):
            return {"Table": {"TableName": TABLE, "TableArn": TABLE_ARN}}
        window = {"EarliestRestorableDateTime": 0, "LatestRestorableDateTime": 0}
        recovery = {"PointInTimeRecoveryStatus": "ENABLED", **window}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

    def images(self, _region, _table, before=None):  # noqa: ARG002
        return []


class NoStore:
    """Takes every object and keeps none."""

    def put_object(self, **_):
        return {}

    def create_multipart_upload(self, **_):
        return {"UploadId": "u"}

    def upload_part(self, **_):
        return {"ETag": '"e"'}

    def complete_multipart_upload(self, **_):
        return {"ETag": '"e-1"'}


class _NoLock:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(("export_format", "written"), [("ION", "b:{{AP8=}}"), ("DYNAMODB_JSON", '"b":{"B":"AP8="}')])
def test_binary_values_are_exported_as_base64(local_aws, dynamodb, export_format, written):
    binary = {"b": {"B": b"\0\xff"}, "m": {"M": {"bs": {"BS": [b"\0\xff"]}}}}
    dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": "binary"}, **binary})

    request = {**REQUEST, "ExportFormat": export_format}
    arn = dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"]

    assert _finished(local_aws, arn)["ExportStatus"] == "COMPLETED"
    data = [body for key, body in _objects(local_aws).items() if "/data/" in key and body]
    lines = "".join(gzip.decompress(body).decode() for body in data).splitlines()
    (line,) = [line for line in lines if "binary" in line]
    assert written in line
    assert line.count("AP8=") == 2
    assert dynamodb.describe_table(TableName=TABLE)["Table"]["TableSizeBytes"] > 0


def test_an_export_that_breaks_ends_and_never_quotes_an_item():
    class BrokenTables(OneTable):
        def images(self, _region, _table, before=None):  # noqa: ARG002
            return [Image(b'{"conversation_id": {"SECRET": "words"}}', 0)]

    class AnyBucket:
        def put_object(self, **_request):
            return {}

    exports = DynamoDBExports(BrokenTables(), lambda _service, _region: AnyBucket(), delay_s=0)
    arn = exports.handle("ExportTableToPointInTime", REQUEST, "ap-northeast-1")["ExportDescription"]["ExportArn"]
    exports.wait()

    ended = exports.handle("DescribeExport", {"ExportArn": arn}, "ap-northeast-1")["ExportDescription"]
    assert (ended["ExportStatus"], ended["FailureCode"], ended["FailureMessage"]) == ("FAILED", "UNKNOWN", "ValueError")


def test_a_large_export_is_spread_over_more_files():
    class Bucket(NoStore):
        def __init__(self):
            self.bodies = []

        def upload_part(self, **request):
            self.bodies.append(request["Body"])
            return {"ETag": '"e"'}

    bucket = Bucket()
    contents = Contents(range(10), lambda row: b"%d" % row, billed_bytes=300 * 1024 * 1024)
    description = {
        **REQUEST,
        "ExportArn": f"{TABLE_ARN}/export/1-a",
        "ExportType": "FULL_EXPORT",
        "TableId": "t",
        "S3SseAlgorithm": "AES256",
        "StartTime": 0,
        "ExportTime": 0,
    }

    outcome = write_export(bucket, description, contents, lambda: datetime(2026, 11, 1, tzinfo=UTC))

    lines = [gzip.decompress(body).split() if body else [] for body in bucket.bodies]
    assert [len(found) for found in lines] == [2, 2, 2, 2, 2, 0, 0]
    assert sorted(int(line) for found in lines for line in found) == list(range(10))
    assert (outcome["ItemCount"], outcome["ExportStatus"]) == (10, "COMPLETED")


@pytest.mark.parametrize("prefix", ["raw", "raw/"])
def test_a_prefix_is_joined_with_one_slash(local_aws, dynamodb, prefix):
    started = dynamodb.export_table_to_point_in_time(**{**REQUEST, "S3Prefix": prefix})["ExportDescription"]

    done = _finished(local_aws, started["ExportArn"])

    assert done["S3Prefix"] == prefix
    assert done["ExportManifest"].startswith("raw/AWSDynamoDB/")


@pytest.fixture
def filtering(local_aws, dynamodb, tmp_path):
    dynamodb.put_item(
        TableName=TABLE,
        Item={
            "conversation_id": {"S": "text"},
            "a.b": {"S": "kept"},
            "turns": {"L": [{"S": "CANARY"}]},
            "m": {"M": {"in": {"N": "1"}, "out": {"S": "CANARY"}}},
        },
    )
    return filtering_client(local_aws.endpoint_url, tmp_path)


WANTED = {
    "ProjectionExpression": "conversation_id, #n, m.#i",
    "ExpressionAttributeNames": {"#n": "a.b", "#i": "in"},
}


@pytest.mark.parametrize(
    ("export_format", "written", "other"),
    [
        (
            "ION",
            '$ion_1_0 {Item:{conversation_id:"text",\'a.b\':"kept",m:{in:1.}}}',
            '$ion_1_0 {Item:{conversation_id:"c%d"}}',
        ),
        (
            "DYNAMODB_JSON",
            '{"Item":{"conversation_id":{"S":"text"},"a.b":{"S":"kept"},"m":{"M":{"in":{"N":"1"}}}}}',
            '{"Item":{"conversation_id":{"S":"c%d"}}}',
        ),
    ],
    ids=["Ion", "JSON"],
)
def test_an_export_holds_only_what_a_projection_asks_for(local_aws, filtering, export_format, written, other):
    request = {**REQUEST, "ExportFormat": export_format, "FilterSpecification": WANTED}
    arn = filtering.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"]

    assert _finished(local_aws, arn)["ItemCount"] == 8
    bodies = [gzip.decompress(body) for key, body in _objects(local_aws).items() if "/data/" in key and body]
    lines = b"".join(bodies).decode().splitlines()
    expected = [written, *(other % number for number in range(7))]
    assert sorted(lines) == sorted(expected)


def test_the_same_token_with_another_filter_is_a_conflict(filtering):
    request = {**REQUEST, "ClientToken": "t1"}
    filtering.export_table_to_point_in_time(**request, FilterSpecification=WANTED)

    with pytest.raises(filtering.exceptions.ExportConflictException):
        filtering.export_table_to_point_in_time(**request)
    again = filtering.export_table_to_point_in_time(**request, FilterSpecification=WANTED)
    assert again["ExportDescription"]["ExportStatus"] in ("IN_PROGRESS", "COMPLETED")


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        pytest.param({"FilterExpression": "n = :n"}, "leave out FilterExpression", id="a filter"),
        pytest.param(
            {"ExpressionAttributeValues": {":n": {"S": "x"}}, "KeyConditionExpression": "conversation_id = :n"},
            "leave out ExpressionAttributeValues, KeyConditionExpression",
            id="a key condition",
        ),
        pytest.param({}, "ProjectionExpression must be a text", id="nothing"),
        pytest.param(
            {"ProjectionExpression": "conversation_id, #n"}, "is not defined; attribute name: #n", id="no name"
        ),
        pytest.param(
            {"ProjectionExpression": "conversation_id", "ExpressionAttributeNames": {"#n": "n"}},
            "unused in expressions: keys: {#n}",
            id="a name too many",
        ),
        pytest.param({"ProjectionExpression": "n, n"}, "overlap with each other", id="twice the same"),
        pytest.param({"ProjectionExpression": "a" * 4097}, "expression size: 4097", id="too long"),
    ],
)
def test_a_filter_that_the_local_aws_cannot_do_starts_no_export(local_aws, filtering, asked, refused):
    with pytest.raises(ClientError, match=refused):
        filtering.export_table_to_point_in_time(**REQUEST, FilterSpecification=asked)

    assert local_aws.stats()["exports"] == 0
