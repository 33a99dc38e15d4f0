"""A kill at any moment loses no acknowledged write."""

import json
import os
import resource
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.journal import Journal, Record
from local_aws.stack import create_stack

ROOT = Path(__file__).parents[2]
TABLE = "chat-conversations"
TABLE_ARN = f"arn:aws:dynamodb:ap-northeast-1:123456789012:table/{TABLE}"
BUCKET = "chatcensus-snapshots-123456789012-ap-northeast-1"


class Server:
    """A local AWS in a process of its own; its first line of log says that it is ready, so nobody polls."""

    def __init__(self, directory):
        self.data = directory / "data"
        self.ready_file = directory / "ready"
        self._program = [sys.executable, "-m", "local_aws", "--port", "0", "--latency", "0", "--data", str(self.data)]
        self._process = None
        self._clients = []

    def start(self):
        program = [*self._program, "--ready-file", str(self.ready_file)]
        self._process = subprocess.Popen(program, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        first_line = self._process.stderr.readline()
        assert "local AWS at http://127.0.0.1:" in first_line
        self.url = self.ready_file.read_text()

    def kill(self):
        os.kill(self._process.pid, signal.SIGKILL)

    def client(self, service):
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=20, s3={"addressing_style": "path"})
        session = boto3.session.Session("testing", "testing", region_name="ap-northeast-1")
        client = session.client(service, endpoint_url=self.url, config=config)
        self._clients.append(client)
        return client

    def end(self, sign=signal.SIGKILL):
        """End the process; return its exit code and what else it said."""
        self._process.send_signal(sign)
        said = self._process.stderr.read()
        self._process.stderr.close()
        for client in self._clients:
            client.close()
        self._clients.clear()
        return self._process.wait(), said

    def stats(self):
        with urllib.request.urlopen(f"{self.url}/_local/stats") as reply:
            return json.load(reply)


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    server.start()
    yield server
    server.end()


def _scan(server):
    pages = server.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    return {item["conversation_id"]["S"]: item for page in pages for item in page["Items"]}


def test_no_acknowledged_write_is_lost_when_the_server_is_killed_under_load(server):
    create_stack(server.client("cloudformation"), {"CreateConversationTable": "true"})
    dynamodb = server.client("dynamodb")
    acknowledged = []

    def write(number):
        try:
            dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": f"c{number}"}, "n": {"N": str(number)}})
        except (BotoCoreError, ClientError):
            return
        acknowledged.append(f"c{number}")
        if len(acknowledged) == 100:
            server.kill()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(400)))
    server.end()
    server.start()

    found = _scan(server)
    assert 100 <= len(acknowledged) < 400
    assert set(acknowledged) <= set(found)
    assert all(item["n"]["N"] == key[1:] for key, item in found.items())
    assert server.stats()["dynamodb_writes"] == {}


def test_a_transaction_that_is_asked_for_again_after_a_restart_is_done_once(server):
    create_stack(server.client("cloudformation"), {"CreateConversationTable": "true"})
    update = {
        "TableName": TABLE,
        "Key": {"conversation_id": {"S": "c1"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    for _ in range(2):
        server.client("dynamodb").transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken="token")
        server.end()
        server.start()

    assert _scan(server)["c1"]["n"] == {"N": "1"}


def test_a_closed_journal_takes_no_record_for_another_file(tmp_path):
    journal = Journal(tmp_path)
    journal.close()

    with (tmp_path / "other").open("wb") as other:  # it may get the number that the journal had
        with pytest.raises(OSError, match="Bad file descriptor"):
            journal.append(Record({"kind": "request"}))
        assert other.tell() == 0


def test_everything_the_pipeline_keeps_comes_back(server):
    outputs = create_stack(server.client("cloudformation"), {"CreateConversationTable": "true"})
    dynamodb, s3, glue = server.client("dynamodb"), server.client("s3"), server.client("glue")
    dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": "kept"}, "turns": {"L": [{"S": "改行\n"}]}})
    dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": "gone"}})
    dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": "gone"}})
    dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": {"conversation_id": {"S": "batch"}}}}]})
    dynamodb.transact_write_items(
        TransactItems=[
            {
                "Update": {
                    "TableName": TABLE,
                    "Key": {"conversation_id": {"S": "kept"}},
                    "UpdateExpression": "SET evaluation = :e",
                    "ExpressionAttributeValues": {":e": {"M": {"score": {"N": "4"}}}},
                }
            },
            {"Put": {"TableName": "chatcensus-control", "Item": {"pk": {"S": "run"}, "sk": {"S": "1"}}}},
        ]
    )
    s3.put_object(Bucket=BUCKET, Key="a/日本語 b.bin", Body=b"\0\n\xff", Metadata={"m": "1"})
    s3.put_object(Bucket=BUCKET, Key="deleted", Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="deleted")
    glue.create_table(DatabaseName="chatcensus", TableInput={"Name": "t", "Parameters": {"n": "0"}})
    glue.update_table(DatabaseName="chatcensus", TableInput={"Name": "t", "Parameters": {"n": "1"}})
    version = glue.get_table(DatabaseName="chatcensus", Name="t")["Table"]["VersionId"]
    items, etag = _scan(server), s3.head_object(Bucket=BUCKET, Key="a/日本語 b.bin")["ETag"]

    server.end()
    server.start()

    assert create_stack(server.client("cloudformation")) == outputs
    assert _scan(server) == items
    assert set(items) == {"kept", "batch"}
    assert server.client("dynamodb").scan(TableName="chatcensus-control")["Count"] == 1
    s3 = server.client("s3")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["a/日本語 b.bin"]
    kept = s3.get_object(Bucket=BUCKET, Key="a/日本語 b.bin")
    assert (kept["Body"].read(), kept["ETag"], kept["Metadata"]) == (b"\0\n\xff", etag, {"m": "1"})
    restored = server.client("glue").get_table(DatabaseName="chatcensus", Name="t")["Table"]
    assert (restored["Parameters"], restored["VersionId"]) == ({"n": "1"}, version)


def test_an_upload_in_parts_goes_on_after_a_kill(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="parts", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    upload = s3.create_multipart_upload(Bucket="parts", Key="k")["UploadId"]
    first = s3.upload_part(Bucket="parts", Key="k", UploadId=upload, PartNumber=1, Body=b"a" * 5_242_880)

    server.end()
    server.start()

    s3 = server.client("s3")
    second = s3.upload_part(Bucket="parts", Key="k", UploadId=upload, PartNumber=2, Body=b"b")
    parts = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": second["ETag"]}]
    s3.complete_multipart_upload(Bucket="parts", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket="parts", Key="k")["ContentLength"] == 5_242_881


def test_an_export_and_its_token_survive_a_kill_in_its_middle(server):
    create_stack(server.client("cloudformation"), {"CreateConversationTable": "true"})
    dynamodb = server.client("dynamodb")
    dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": "before"}})
    request = {"TableArn": TABLE_ARN, "S3Bucket": BUCKET, "ExportFormat": "ION", "ClientToken": "t"}
    arn = dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"]
    dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": "after"}})

    server.end()
    server.start()

    dynamodb = server.client("dynamodb")
    assert dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"] == arn
    done = _when_ended(dynamodb, arn)
    assert (done["ExportStatus"], done["ItemCount"]) == ("COMPLETED", 1)
    assert len(_scan(server)) == 2

    server.end()
    server.start()

    again = server.client("dynamodb").export_table_to_point_in_time(**request)["ExportDescription"]
    assert again == done


def _when_ended(dynamodb, arn):
    while True:
        export = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
        if export["ExportStatus"] != "IN_PROGRESS":
            return export


def test_sigterm_ends_the_server_cleanly_and_quietly(server):
    server.client("dynamodb").list_tables()

    code, said = server.end(signal.SIGTERM)

    assert code == 0
    assert [line for line in said.splitlines() if " INFO " not in line] == []
    server.start()


def test_the_server_ends_with_the_process_that_started_it(tmp_path):
    ready = tmp_path / "ready"
    program = [sys.executable, "-m", "local_aws", "--port", "0", "--ready-file", ready, "--until-stdin-closes"]

    done = subprocess.run(program, cwd=ROOT, input="", capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (0, "")
    assert ready.read_text().startswith("http://127.0.0.1:")


def test_two_servers_never_share_a_directory(server):
    program = [sys.executable, "-m", "local_aws", "--port", "0", "--data", str(server.data)]

    second = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)

    assert second.returncode == 1
    assert "is in use by another local AWS" in second.stderr


def test_records_come_back_in_order(tmp_path):
    records = [Record({"kind": "request", "n": n}, bytes([n, 10, 0])) for n in range(3)]
    journal = Journal(tmp_path)
    for record in records:
        journal.append(record)
    journal.close()

    again = Journal(tmp_path)
    assert list(again.records()) == records
    again.close()


@pytest.mark.parametrize("torn", range(1, 40))
def test_a_torn_last_record_is_dropped_and_writing_goes_on(tmp_path, torn):
    journal = Journal(tmp_path)
    whole, last, next_one = (Record({"n": n}, b"body of a request, torn") for n in range(3))
    journal.append(whole)
    size = journal.path.stat().st_size
    journal.append(last)
    journal.close()
    assert size + torn < journal.path.stat().st_size
    os.truncate(journal.path, size + torn)

    again = Journal(tmp_path)
    found = list(again.records())
    again.append(next_one)

    assert found == [whole]
    assert list(again.records()) == [whole, next_one]
    again.close()


@pytest.mark.parametrize("place", [0, 3, 5, 12, 40])
@pytest.mark.parametrize("spoilt", [0, 1, 2])
def test_a_damaged_byte_is_named_and_nothing_is_cut_off(tmp_path, spoilt, place):
    journal = Journal(tmp_path)
    begins = []
    for number in range(3):
        begins.append(journal.path.stat().st_size)
        journal.append(Record({"n": number}, b"body of a request that is long enough"))
    journal.close()
    data = bytearray(journal.path.read_bytes())
    data[begins[spoilt] + place] ^= 0x40
    journal.path.write_bytes(data)

    again = Journal(tmp_path)
    with pytest.raises(RuntimeError, match=rf"journal is damaged at byte {begins[spoilt]}: restore .* or remove"):
        list(again.records())
    again.close()

    assert journal.path.read_bytes() == data


def test_a_write_that_fails_leaves_no_half_record(tmp_path):
    journal = Journal(tmp_path)
    first, second = Record({"n": 1}, b"first"), Record({"n": 2}, b"second")
    journal.append(first)
    size = journal.path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            journal.append(Record({"n": 0}, b"x" * 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert journal.path.stat().st_size == size
    journal.append(second)
    assert list(journal.records()) == [first, second]
    journal.close()


def test_binary_values_survive_a_kill_at_any_depth(server):
    dynamodb = server.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "conversation_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "conversation_id", "AttributeType": "B"}],
        BillingMode="PAY_PER_REQUEST",
    )
    kept, gone = {"conversation_id": {"B": b"\xff1"}}, {"conversation_id": {"B": b"\xff2"}}
    binary = {"b": {"B": b"\0\xff"}, "bs": {"BS": [b"1", b"\xfe"]}, "m": {"M": {"l": {"L": [{"B": b"deep"}]}}}}
    dynamodb.put_item(TableName=TABLE, Item={**kept, **binary})
    dynamodb.put_item(TableName=TABLE, Item={**gone, **binary})
    dynamodb.delete_item(TableName=TABLE, Key=gone)

    server.end()
    server.start()

    dynamodb = server.client("dynamodb")
    assert dynamodb.scan(TableName=TABLE)["Items"] == [{**kept, **binary}]
    is_same = {"ConditionExpression": "b = :b", "ExpressionAttributeValues": {":b": binary["b"]}}
    dynamodb.put_item(TableName=TABLE, Item=kept, **is_same)
    assert dynamodb.describe_table(TableName=TABLE)["Table"]["TableSizeBytes"] > 0


def test_a_file_that_is_no_journal_is_named_and_left_alone(tmp_path):
    (tmp_path / "journal").write_text("something else that a person keeps here, longer than our first line")
    journal = Journal(tmp_path)

    with pytest.raises(RuntimeError, match="no journal of this version"):
        list(journal.records())
    journal.close()
    assert (tmp_path / "journal").read_text().startswith("something else")


def test_a_reset_forgets_everything_on_disk_too(server):
    server.client("s3").create_bucket(
        Bucket="forgotten", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
    )

    request = urllib.request.Request(f"{server.url}/_local/reset", method="POST")
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 200
    assert server.client("s3").list_buckets()["Buckets"] == []
    server.client("s3").create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    server.end()
    server.start()

    assert [bucket["Name"] for bucket in server.client("s3").list_buckets()["Buckets"]] == ["kept"]
