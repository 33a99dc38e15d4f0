"""Exports of the past, and of what changed in a window of it, are what the writes made of the table."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.dynamodb.exports import DynamoDBExports
from local_aws.dynamodb.item_image import Image
from local_aws.dynamodb.table_history import TableHistory
from local_aws.journal import Journal, Record
from local_aws.server import LocalAws
from local_aws.settings import Settings

TABLE = "chat"
TABLE_ARN = f"arn:aws:dynamodb:ap-northeast-1:123456789012:table/{TABLE}"
START = datetime(2026, 11, 1, 9, tzinfo=UTC)
REQUEST = {"TableArn": TABLE_ARN, "S3Bucket": "snapshots", "S3Prefix": "raw"}


class Clock:
    """Stands still until it is set on."""

    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time

    def to(self, minutes):
        self.time = START + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def clock():
    return Clock()


@pytest.fixture(scope="module")
def server(local_aws_server, clock):  # noqa: ARG001  its environment keeps out what a developer has configured
    server = LocalAws(Settings(export_delay_s=0), now=clock).start()
    yield server
    server.stop()


@pytest.fixture
def aws(server, clock):
    clock.to(minutes=0)
    server.reset()
    _create(server)
    return server


def _create(aws, table=TABLE):
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    if table == TABLE:
        aws.client("s3").create_bucket(
            Bucket="snapshots", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
        )
        _recover(aws, is_on=True)


def _recover(aws, *, is_on):
    aws.client("dynamodb").update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": is_on}
    )


def _key(key):
    return {"id": {"S": key}, "n": {"N": "1"}}


def _item(key, text):
    return {**_key(key), "text": {"S": text}}


def _put(aws, key, text, table=TABLE):
    aws.client("dynamodb").put_item(TableName=table, Item=_item(key, text))


def _delete(aws, key):
    aws.client("dynamodb").delete_item(TableName=TABLE, Key=_key(key))


def _insert(aws, key, text):
    statement = f"INSERT INTO \"{TABLE}\" value {{'id': '{key}', 'n': 1, 'text': '{text}'}}"
    aws.client("dynamodb").execute_statement(Statement=statement)


def _export(aws, **request):
    """Return the description of a finished export and its lines, parsed."""
    dynamodb, s3 = aws.client("dynamodb"), aws.client("s3")
    arn = dynamodb.export_table_to_point_in_time(**{**REQUEST, **request})["ExportDescription"]["ExportArn"]
    aws.wait_for_exports()
    done = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
    assert done["ExportStatus"] == "COMPLETED", done.get("FailureMessage")
    lines = []
    for file in _files(s3, _summary(s3, done)):
        body = s3.get_object(Bucket="snapshots", Key=file["dataFileS3Key"])["Body"].read()
        lines += [json.loads(line) for line in gzip.decompress(body).splitlines()] if body else []
    return done, lines


def _summary(s3, done):
    return json.loads(s3.get_object(Bucket="snapshots", Key=done["ExportManifest"])["Body"].read())


def _files(s3, summary):
    body = s3.get_object(Bucket="snapshots", Key=summary["manifestFilesS3Key"])["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def _texts(aws, minutes):
    """Return the texts of a full export of the table as it was *minutes* after the start."""
    _, lines = _export(aws, ExportTime=START + timedelta(minutes=minutes))
    return {line["Item"]["id"]["S"]: line["Item"]["text"]["S"] for line in lines}


def _window(start, end, **more):
    times = {"ExportFromTime": START + timedelta(minutes=start), "ExportToTime": START + timedelta(minutes=end)}
    return {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": {**times, **more}}


def _records(aws, start, end, **more):
    """Return the records of an incremental export by the id of their item."""
    _, lines = _export(aws, **_window(start, end, **more))
    return {line["Keys"]["id"]["S"]: line for line in lines}


def test_an_export_of_the_past_holds_the_table_as_it_was_then(aws, clock):
    dynamodb = aws.client("dynamodb")
    _put(aws, "a", "first")
    clock.to(minutes=10)
    dynamodb.update_item(
        TableName=TABLE,
        Key=_key("a"),
        UpdateExpression="SET #t = :t",
        ExpressionAttributeNames={"#t": "text"},
        ExpressionAttributeValues={":t": {"S": "second"}},
    )
    dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": _item("b", "batch")}}]})
    clock.to(minutes=20)
    dynamodb.transact_write_items(
        TransactItems=[
            {"Delete": {"TableName": TABLE, "Key": _key("a")}},
            {"Put": {"TableName": TABLE, "Item": _item("c", "transaction")}},
        ]
    )
    _insert(aws, "d", "statement")
    clock.to(minutes=60)

    assert _texts(aws, 5) == {"a": "first"}
    assert _texts(aws, 15) == {"a": "second", "b": "batch"}
    assert _texts(aws, 25) == {"b": "batch", "c": "transaction", "d": "statement"}


def test_an_export_of_a_moment_holds_what_was_written_before_it(aws, clock):
    clock.to(minutes=10)
    _put(aws, "a", "at ten")
    clock.to(minutes=60)

    assert _texts(aws, 10) == {}
    assert set(_records(aws, 10, 30)) == {"a"}


def test_what_was_refused_is_in_no_history(aws, clock):
    dynamodb = aws.client("dynamodb")
    _put(aws, "a", "kept")
    clock.to(minutes=10)
    never = {"TableName": TABLE, "Item": _item("a", "never"), "ConditionExpression": "attribute_not_exists(id)"}
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(**never)
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": TABLE, "Item": _item("b", "never")}}, {"Put": never}]
        )
    clock.to(minutes=60)

    assert _texts(aws, 30) == {"a": "kept"}
    assert _records(aws, 5, 30) == {}


@pytest.mark.parametrize(
    ("minutes", "reason"),
    [
        pytest.param(-1, "Export Time is invalid", id="before recovery was turned on"),
        pytest.param(61, "Export Time is invalid", id="in the future"),
        pytest.param(58, "not available for specified export time", id="too near to now"),
    ],
)
def test_a_time_that_cannot_be_recovered_is_refused(aws, clock, minutes, reason):
    clock.to(minutes=60)

    with pytest.raises(aws.client("dynamodb").exceptions.InvalidExportTimeException, match=reason):
        _export(aws, ExportTime=START + timedelta(minutes=minutes))


def test_the_window_of_recovery_moves_with_the_clock(aws, clock):
    def window():
        backups = aws.client("dynamodb").describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]
        return [recovery[f"{name}RestorableDateTime"].astimezone(UTC) for name in ("Earliest", "Latest")]

    assert window() == [START, START]
    clock.to(minutes=60)
    assert window() == [START, START + timedelta(minutes=55)]
    clock.to(minutes=40 * 24 * 60)
    assert window() == [clock() - timedelta(days=35), clock() - timedelta(minutes=5)]


def test_turning_recovery_off_forgets_the_history(aws, clock):
    _put(aws, "a", "before")
    clock.to(minutes=10)
    _recover(aws, is_on=False)
    _put(aws, "a", "unseen")
    clock.to(minutes=20)
    _recover(aws, is_on=True)
    clock.to(minutes=90)

    assert _texts(aws, 30) == {"a": "unseen"}
    with pytest.raises(aws.client("dynamodb").exceptions.InvalidExportTimeException, match="invalid"):
        _export(aws, ExportTime=START + timedelta(minutes=5))


def test_the_history_of_a_table_holds_no_other_table(aws, clock):
    _create(aws, "other")
    _put(aws, "a", "mine")
    _put(aws, "b", "theirs", table="other")
    clock.to(minutes=60)

    assert set(_records(aws, 0, 30)) == {"a"}


@pytest.fixture
def changed(aws, clock):
    """A table with one item of each fate between the 10th and the 40th minute."""
    for key in ("updated", "deleted", "untouched"):
        _put(aws, key, "old")
    clock.to(minutes=10)
    _put(aws, "inserted", "draft")
    _put(aws, "updated", "draft")
    _put(aws, "brief", "new")
    clock.to(minutes=20)
    _put(aws, "inserted", "new")
    _put(aws, "updated", "new")
    _delete(aws, "deleted")
    _delete(aws, "brief")
    clock.to(minutes=40)
    _put(aws, "inserted", "late")
    clock.to(minutes=90)
    return aws


def _written(minutes):
    return {"WriteTimestampMicros": {"N": str(int((START + timedelta(minutes=minutes)).timestamp()) * 1_000_000)}}


def test_an_incremental_export_has_the_final_state_of_each_changed_item(changed):
    assert _records(changed, 10, 40) == {
        "inserted": {"Metadata": _written(20), "Keys": _key("inserted"), "NewImage": _item("inserted", "new")},
        "updated": {
            "Metadata": _written(20),
            "Keys": _key("updated"),
            "OldImage": _item("updated", "old"),
            "NewImage": _item("updated", "new"),
        },
        "deleted": {"Metadata": _written(20), "Keys": _key("deleted"), "OldImage": _item("deleted", "old")},
    }


def test_with_new_images_only_no_record_has_an_old_one(changed):
    assert _records(changed, 10, 40, ExportViewType="NEW_IMAGE") == {
        "inserted": {"Metadata": _written(20), "Keys": _key("inserted"), "NewImage": _item("inserted", "new")},
        "updated": {"Metadata": _written(20), "Keys": _key("updated"), "NewImage": _item("updated", "new")},
        "deleted": {"Metadata": _written(20), "Keys": _key("deleted")},
    }


def test_a_write_that_says_the_same_again_is_no_change(aws, clock):
    _put(aws, "a", "same")
    clock.to(minutes=20)
    aws.client("dynamodb").put_item(TableName=TABLE, Item=dict(reversed(_item("a", "same").items())))
    clock.to(minutes=60)

    assert _records(aws, 10, 40) == {}


def test_incremental_exports_share_a_folder_of_data_and_describe_it_one_by_one(changed):
    s3 = changed.client("s3")

    done, _ = _export(changed, **_window(10, 40))
    other, _ = _export(changed, **_window(40, 60, ExportViewType="NEW_IMAGE"))

    export_id = done["ExportArn"].rpartition("/")[2]
    assert done["ExportManifest"] == f"raw/AWSDynamoDB/{export_id}/manifest-summary.json"
    assert done["ExportType"] == "INCREMENTAL_EXPORT"
    assert done["IncrementalExportSpecification"]["ExportViewType"] == "NEW_AND_OLD_IMAGES"
    assert (done["ItemCount"], done["BilledSizeBytes"]) == (3, 10_000_000)
    assert "ExportTime" not in done
    summary = _summary(s3, done)
    assert summary["version"] == "2023-08-01"
    assert (summary["exportFromTime"], summary["exportToTime"]) == (
        "2026-11-01T09:10:00.000Z",
        "2026-11-01T09:40:00.000Z",
    )
    assert (summary["outputView"], summary["exportType"]) == ("NEW_AND_OLD_IMAGES", "INCREMENTAL_EXPORT")
    assert "exportTime" not in summary
    keys = [[file["dataFileS3Key"] for file in _files(s3, _summary(s3, each))] for each in (done, other)]
    assert all(key.startswith("raw/AWSDynamoDB/data/") and key.endswith(".json.gz") for key in keys[0] + keys[1])
    assert not set(keys[0]) & set(keys[1])


def test_an_increment_without_an_end_goes_on_until_now(changed):
    specification = {"ExportFromTime": START + timedelta(minutes=40)}

    done, lines = _export(changed, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=specification)

    assert [line["NewImage"]["text"]["S"] for line in lines] == ["late"]
    end = done["IncrementalExportSpecification"]["ExportToTime"]
    assert end.astimezone(UTC) == START + timedelta(minutes=90)


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        pytest.param(-1, 30, "less than the earliest restorable time", id="begins before recovery was turned on"),
        pytest.param(3000, 3061, "greater than the current time", id="ends in the future"),
        pytest.param(30, 30, "greater or equal", id="is empty"),
        pytest.param(10, 24, "less than 15 minutes: 840 s", id="is too short"),
        pytest.param(10, 10 + 24 * 60 + 1, "more than 24 hours: 86460 s", id="is too long"),
    ],
)
def test_a_window_that_dynamodb_refuses_is_refused(aws, clock, start, end, reason):
    clock.to(minutes=3060)

    with pytest.raises(aws.client("dynamodb").exceptions.InvalidExportTimeException, match=reason):
        _export(aws, **_window(start, end))


@pytest.mark.parametrize(("start", "end"), [(10, 25), (10, 10 + 24 * 60)])
def test_the_shortest_and_the_longest_window_are_exported(aws, clock, start, end):
    clock.to(minutes=3060)

    assert _records(aws, start, end) == {}


WINDOW = _window(10, 40)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param({"ExportType": "INCREMENTAL_EXPORT"}, "Specification expected", id="no window"),
        pytest.param(
            {**WINDOW, "ExportType": "FULL_EXPORT"}, "expected to be Incremental", id="window of a full export"
        ),
        pytest.param(
            {"IncrementalExportSpecification": WINDOW["IncrementalExportSpecification"]},
            "expected to be Incremental",
            id="window without the type",
        ),
        pytest.param(
            {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": {}},
            "ExportFromTime must be provided",
            id="window without a beginning",
        ),
        pytest.param({**WINDOW, "ExportTime": START}, "without ExportTime", id="two kinds of time"),
        pytest.param({**WINDOW, "ExportFormat": "ION"}, "increments as DYNAMODB_JSON only", id="Ion of increments"),
        pytest.param(_window(10, 40, ExportViewType="NEW_IMAGES"), "enum value set", id="unknown view"),
        pytest.param({"ExportFormat": "CSV"}, "enum value set", id="unknown format"),
        pytest.param({"S3Bucket": "arn:aws:s3:::b"}, "regular expression", id="bucket that is none"),
        pytest.param({"S3BucketOwner": "me"}, "regular expression", id="owner that is no account"),
        pytest.param({"S3Prefix": "x" * 1025}, "length less than or equal to 1024", id="long prefix"),
        pytest.param({"TableArn": TABLE}, "not a valid ARN", id="name instead of the ARN"),
        pytest.param({"S3SseKmsKeyId": "k"}, "KMS Key Id is not supported", id="key without KMS"),
    ],
)
def test_a_request_that_dynamodb_refuses_is_refused(aws, clock, request_, reason):
    clock.to(minutes=60)

    with pytest.raises(ClientError, match=reason) as refused:
        _export(aws, **request_)

    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert aws.client("dynamodb").list_exports()["ExportSummaries"] == []


def test_a_filter_is_refused_and_not_ignored(aws):
    dynamodb = aws.client("dynamodb")

    def add_filter(params, **_event):
        body = {**json.loads(params["body"]), "FilterSpecification": {"FilterExpression": "attribute_exists(id)"}}
        params["body"] = json.dumps(body).encode()

    place = "before-call.dynamodb.ExportTableToPointInTime"
    dynamodb.meta.events.register(place, add_filter)
    try:
        with pytest.raises(ClientError, match="leave out FilterExpression") as refused:
            _export(aws)
    finally:
        dynamodb.meta.events.unregister(place, add_filter)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    "other",
    [
        {"ExportTime": START + timedelta(minutes=20)},
        {},
        _window(10, 41),
        _window(10, 40, ExportViewType="NEW_IMAGE"),
    ],
)
def test_a_token_belongs_to_its_times_too(aws, clock, other):
    clock.to(minutes=60)
    first, _ = _export(aws, **WINDOW, ClientToken="t")
    clock.to(minutes=70)

    again, _ = _export(aws, **WINDOW, ClientToken="t")
    with pytest.raises(aws.client("dynamodb").exceptions.ExportConflictException):
        _export(aws, **other, ClientToken="t")

    assert again["ExportArn"] == first["ExportArn"]


def test_a_token_of_an_increment_without_an_end_is_good_later_too(aws, clock):
    clock.to(minutes=60)
    request = {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": {"ExportFromTime": START}}
    first, _ = _export(aws, **request, ClientToken="t")
    clock.to(minutes=70)

    assert _export(aws, **request, ClientToken="t")[0]["ExportArn"] == first["ExportArn"]


def test_a_bucket_of_another_owner_fails_the_export(aws):
    dynamodb = aws.client("dynamodb")
    request = {**REQUEST, "S3BucketOwner": "210987654321"}
    arn = dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"]
    aws.wait_for_exports()

    done = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]

    assert (done["ExportStatus"], done["FailureCode"]) == ("FAILED", "S3AccessDenied")


def test_the_history_survives_a_restart(clock, tmp_path):
    def start():
        return LocalAws(Settings(export_delay_s=0, data=tmp_path), now=clock).start()

    clock.to(minutes=0)
    aws = start()
    _create(aws)
    _put(aws, "a", "old")
    clock.to(minutes=10)
    _put(aws, "a", "new")
    _insert(aws, "b", "p")
    clock.to(minutes=20)
    _delete(aws, "a")
    clock.to(minutes=60)
    before = _texts(aws, 5), _texts(aws, 15), _records(aws, 5, 40)
    aws.stop()

    clock.to(minutes=70)
    aws = start()

    assert before[0] == {"a": "old"}
    assert before[1] == {"a": "new", "b": "p"}
    assert (_texts(aws, 5), _texts(aws, 15), _records(aws, 5, 40)) == before
    aws.stop()


def test_a_journal_without_times_is_replayed_and_its_history_begins_at_the_restart(clock, tmp_path):
    clock.to(minutes=0)
    aws = LocalAws(Settings(export_delay_s=0, data=tmp_path / "new"), now=clock).start()
    _create(aws)
    _put(aws, "a", "old")
    aws.stop()
    journals = Journal(tmp_path / "new"), Journal(tmp_path / "old")
    for record in journals[0].records():
        journals[1].append(Record({name: value for name, value in record.head.items() if name != "at"}, record.body))
    for journal in journals:
        journal.close()

    clock.to(minutes=60)
    aws = LocalAws(Settings(export_delay_s=0, data=tmp_path / "old"), now=clock).start()
    _put(aws, "b", "new")
    clock.to(minutes=90)

    assert _texts(aws, 70) == {"a": "old", "b": "new"}
    with pytest.raises(aws.client("dynamodb").exceptions.InvalidExportTimeException, match="invalid"):
        _export(aws, ExportTime=START + timedelta(minutes=30))
    aws.stop()


def test_exports_are_listed_newest_first_in_their_region_for_ninety_days(aws, clock):
    dynamodb = aws.client("dynamodb")
    arns = []
    for number in range(3):
        clock.to(minutes=number)
        arns.append(_export(aws)[0]["ExportArn"])

    first = dynamodb.list_exports(MaxResults=2)
    second = dynamodb.list_exports(MaxResults=2, NextToken=first["NextToken"])

    listed = [found["ExportArn"] for page in (first, second) for found in page["ExportSummaries"]]
    assert listed == arns[::-1]
    assert "NextToken" not in second
    elsewhere = aws.client("dynamodb", "us-east-1")
    assert elsewhere.list_exports()["ExportSummaries"] == []
    with pytest.raises(elsewhere.exceptions.ExportNotFoundException):
        elsewhere.describe_export(ExportArn=arns[0])
    clock.to(minutes=90 * 24 * 60 + 1)
    assert [found["ExportArn"] for found in dynamodb.list_exports()["ExportSummaries"]] == [arns[2], arns[1]]


@pytest.mark.parametrize("arguments", [{"MaxResults": 26}, {"NextToken": "made up"}])
def test_a_page_that_cannot_be_is_refused(aws, arguments):
    with pytest.raises(ClientError) as refused:
        aws.client("dynamodb").list_exports(**arguments)

    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_three_hundred_exports_of_a_kind_are_in_progress_at_most(aws, clock):
    exports = DynamoDBExports(aws._moto, aws.client, delay_s=60, now=clock)
    for _ in range(300):
        exports.handle("ExportTableToPointInTime", REQUEST, "ap-northeast-1")

    with pytest.raises(Exception, match="LimitExceededException: 300 exports of type FULL_EXPORT are in progress"):
        exports.handle("ExportTableToPointInTime", REQUEST, "ap-northeast-1")
    clock.to(minutes=60)
    times = {name: moment.timestamp() for name, moment in WINDOW["IncrementalExportSpecification"].items()}
    other_kind = {**REQUEST, "ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": times}
    exports.handle("ExportTableToPointInTime", other_kind, "ap-northeast-1")
    exports.close()


# Seconds since the write before, the item, and its new value; None deletes it.
WRITE = st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.none() | st.integers(0, 2))


@settings(deadline=None)
@given(st.lists(WRITE, max_size=12), st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted))
def test_the_states_and_the_changes_between_them_agree_with_the_writes(writes, window):
    log, at = [], 0
    for pause, key, value in writes:
        at += pause
        image = None if value is None else Image.of({"id": {"S": key}, "v": {"N": str(value)}})
        log.append((at, (key, None), image))

    def state(before):
        written = {key: image for at, key, image in log if at < before}
        return {key: image for key, image in written.items() if image}

    history, present = TableHistory(0), {}
    for at, key, image in log:
        history.add(at, key, present.get(key), image)
        present[key] = image
    now = state(before=1_000)

    changes = history.changes_between(*window)

    for moment in window:
        assert set(history.images_before(moment, dict(now))) == set(state(moment).values())
    start, end = map(state, window)
    assert all(change.old == start.get(change.key) for change in changes)
    patched = {**start, **{change.key: change.new for change in changes}}
    assert {key: image for key, image in patched.items() if image} == end
