"""Athena: a value cannot leave its quotes, rows come back whole, and a failed query tells Athena's reason."""

import time

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.catalog import exported_table, upsert_partition, upsert_table
from chatcensus.errors import SetupError, SnapshotIncomplete
from chatcensus.mapping import TableMapping

DATABASE, WORKGROUP = "chatcensus", "chatcensus"
BUCKET = "chatcensus-snapshots-123456789012-ap-northeast-1"


@pytest.fixture
def athena(local_aws):
    local_aws.create_stack()
    return Athena(local_aws.client("athena"), DATABASE, WORKGROUP, sleep=Pauses())


class Pauses:
    """A sleep that keeps how long it was asked for, and waits long enough for a thread of this process."""

    def __init__(self):
        self.asked = []

    def __call__(self, seconds):
        self.asked.append(seconds)
        time.sleep(0.01)


# Values in SQL


@pytest.mark.parametrize(
    "value",
    [
        "01604474914028-a1b2c3d4",
        "Asia/Tokyo",
        "Etc/GMT+9",
        "2026-11-22T03:04:05+09:00",
        "s3://chatcensus-results-123456789012-ap-northeast-1/summaries/t/export_id=01-a/try=0123456789ab/",
        "x" * 300,
    ],
)
def test_ids_zones_times_and_prefixes_are_quoted(value):
    assert sql_string(value) == f"'{value}'"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("'", id="a quote"),
        pytest.param("' or 1=1 --", id="an injection"),
        pytest.param("a''b", id="two quotes"),
        pytest.param('a"b', id="a double quote"),
        pytest.param("a`b", id="a back quote"),
        pytest.param("a\\b", id="a backslash"),
        pytest.param("a;b", id="a semicolon"),
        pytest.param("a b", id="a space"),
        pytest.param("a\n", id="a newline at the end"),
        pytest.param("\na", id="a newline at the start"),
        pytest.param("a\nb", id="a newline"),
        pytest.param("a\rb", id="a carriage return"),
        pytest.param("a\x00b", id="a null byte"),
        pytest.param("a/*b*/", id="a comment"),
        pytest.param("a%", id="a percent sign"),
        pytest.param("{{ x }}", id="a template"),
        pytest.param("a?b", id="a question mark"),
        pytest.param("日本", id="Japanese"),
        pytest.param("１２", id="wide digits"),
        pytest.param("\u02bca", id="a letter that looks like a quote"),
        pytest.param("e\u0301", id="a combining mark"),
        pytest.param("x" * 301, id="too long"),
        pytest.param(None, id="nothing"),
        pytest.param(7, id="a number"),
        pytest.param(b"abc", id="bytes"),
        pytest.param(["abc"], id="a list"),
    ],
)
def test_everything_else_is_refused(value):
    with pytest.raises(SetupError, match="a value for SQL is 1 to 300 letters"):
        sql_string(value)


# Rows


def test_rows_are_texts_by_column_name(athena):
    rows = athena.rows(
        "select 1 as n, 'a' as word, true as yes, cast(null as varchar) as nothing, date '2026-11-22' as day,"
        " cast(0.5 as double) as half, '' as empty"
    )

    assert rows == [
        {"n": "1", "word": "a", "yes": "true", "nothing": None, "day": "2026-11-22", "half": "0.5", "empty": ""}
    ]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_rows_of_all_pages_come_back_once_and_in_order(athena, count):
    rows = athena.rows(
        "select a * 100 + b as n from unnest(sequence(0, 24)) as t (a) cross join unnest(sequence(0, 99)) as u (b)"
        f" where a * 100 + b < {count} order by 1"
    )

    assert [row["n"] for row in rows] == [str(number) for number in range(count)]


def test_a_value_that_looks_like_the_header_stays_a_row(athena):
    assert athena.rows("select 'word' as word") == [{"word": "word"}]


def test_a_statement_without_rows_gives_none(athena):
    assert athena.rows("create or replace view one as select 1 as n") == []
    assert athena.rows("select n from one") == [{"n": "1"}]


def test_what_a_snapshot_holds_can_be_asked_for(local_aws, athena):
    dynamodb, glue = local_aws.client("dynamodb"), local_aws.client("glue")
    mapping = TableMapping(
        partition_key="conversation_id",
        turns="turns",
        role="role",
        text="content",
        created_at={"attribute": "created-at.utc"},
    )
    for number in range(3):
        dynamodb.put_item(
            TableName="chat-conversations",
            Item={
                "conversation_id": {"S": f"c{number}"},
                "created-at.utc": {"S": f"2026-11-0{number + 1}T00:00:00Z"},
                "evaluation": {"M": {"inquiry_score": {"N": str(number + 1)}, "outcome": {"S": "evaluated"}}},
            },
        )
    arn = dynamodb.describe_table(TableName="chat-conversations")["Table"]["TableArn"]
    export = dynamodb.export_table_to_point_in_time(
        TableArn=arn, S3Bucket=BUCKET, S3Prefix="exports", ExportFormat="ION"
    )["ExportDescription"]
    local_aws.wait_for_exports()
    table, export_id = exported_table(mapping, BUCKET, "exports"), export["ExportArn"].rsplit("/", 1)[-1]
    upsert_table(glue, DATABASE, table)
    upsert_partition(glue, DATABASE, table, (export_id,), f"s3://{BUCKET}/exports/AWSDynamoDB/{export_id}/data/")

    rows = athena.rows(
        "select partition_key as conversation_id, created_at, evaluation_inquiry_score as score from conversations_ion"
        f" where export_id = {sql_string(export_id)} order by partition_key"
    )

    assert rows == [
        {"conversation_id": f"c{n}", "created_at": f"2026-11-0{n + 1}T00:00:00Z", "score": str(n + 1)} for n in range(3)
    ]


# Failures


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select x from no_such_table", "TABLE_NOT_FOUND.*no_such_table"),
        ("select no_such_column from (select 1 as n)", "COLUMN_NOT_FOUND.*no_such_column"),
        ("select 1 / 0", "(?:DIVISION_BY_ZERO|Division by zero)"),
        ("select cast('x' as integer)", "INVALID_CAST_ARGUMENT"),
    ],
)
def test_a_failing_query_raises_with_athenas_reason(athena, sql, reason):
    with pytest.raises(SnapshotIncomplete, match=f"Athena query [0-9a-f-]+ ended FAILED: .*{reason}"):
        athena.rows(sql)


def test_a_reason_that_quotes_the_data_is_told_by_its_code_alone(athena):
    with pytest.raises(SnapshotIncomplete) as caught:
        athena.rows("select cast(word as integer) from (values 'told in confidence') as t (word)")

    assert "INVALID_CAST_ARGUMENT, see the query in Athena" in str(caught.value)
    assert "confidence" not in str(caught.value)


def test_what_is_no_sql_is_refused_at_once(athena):
    with pytest.raises(ClientError, match="InvalidRequestException"):
        athena.rows("garbage !! not sql")


def test_a_workgroup_that_is_not_there_is_an_error(athena):
    other = Athena(athena.client, DATABASE, "no-such-workgroup")

    with pytest.raises(ClientError, match="InvalidRequestException"):
        other.rows("select 1")


def _stubbed(local_aws, *states):
    """Return a client of which a query is in each of *states* in turn, and the stubber that plays it."""
    client = local_aws.client("athena")
    stubber = Stubber(client)
    stubber.add_response("start_query_execution", {"QueryExecutionId": "q1"})
    for state in states:
        stubber.add_response("get_query_execution", {"QueryExecution": {"Status": state}})
    return client, stubber


def test_a_cancelled_query_raises_even_without_a_reason(local_aws):
    client, stubber = _stubbed(local_aws, {"State": "RUNNING"}, {"State": "CANCELLED"})

    with stubber, pytest.raises(SnapshotIncomplete, match="q1 ended CANCELLED: no reason given"):
        Athena(client, DATABASE, WORKGROUP, sleep=Pauses()).rows("select 1")


def test_the_pauses_grow_to_two_seconds(local_aws):
    pauses = Pauses()
    client, stubber = _stubbed(local_aws, *[{"State": "QUEUED"}] * 6, *[{"State": "RUNNING"}] * 6, {"State": "FAILED"})

    with stubber, pytest.raises(SnapshotIncomplete):
        Athena(client, DATABASE, WORKGROUP, sleep=pauses).rows("select 1")

    assert pauses.asked == sorted(pauses.asked)
    assert pauses.asked[0] == pytest.approx(0.1)
    assert pauses.asked[-1] == 2.0


def test_a_query_that_takes_too_long_is_stopped(local_aws):
    client, stubber = _stubbed(local_aws, *[{"State": "RUNNING"}] * 6)
    stubber.add_response("stop_query_execution", {}, {"QueryExecutionId": "q1"})

    with stubber, pytest.raises(SnapshotIncomplete, match="q1 took more than 1 s and was stopped"):
        Athena(client, DATABASE, WORKGROUP, sleep=Pauses()).rows("select 1", timeout_s=1)

    stubber.assert_no_pending_responses()
