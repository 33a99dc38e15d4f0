"""Executions over time: states, quotas, what is kept of them, and results read back from S3."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.athena.api import executions, stored_results
from local_aws.athena.api.executions import Execution, History, described
from local_aws.athena.execution import Job
from local_aws.athena.failures import (
    ScanLimitExceeded,
    StatementError,
    Unsupported,
    athena_error,
    ddl_task_failure,
    iceberg_refusal,
    table_not_found,
)
from local_aws.aws_error import AwsError
from local_aws.server import LocalAws
from local_aws.settings import Settings
from tests.sql.athena_harness import BUCKET, OUTPUT, Athena, client, running_athena

NUMBERS = "unnest(sequence(1, 10000))"
ENDLESS = f"select x from {NUMBERS} as a(x), {NUMBERS} as b(y), {NUMBERS} as c(z) where x + y + z = 0"


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def execution(number: int = 1, **more: Any) -> Execution:
    job = Job("select 1", None, OUTPUT, is_output_enforced=False, execution_id=str(number))
    return Execution(str(number), "select 1", "primary", {}, job, {"OutputLocation": OUTPUT}, **more)


def stop(athena: Athena, execution_id: str) -> dict[str, Any]:
    athena.service.handle("StopQueryExecution", {"QueryExecutionId": execution_id})
    return athena.wait(execution_id)


def test_more_than_four_queries_wait_in_the_queue_and_can_be_stopped_there(athena: Athena) -> None:
    running = [athena.start(ENDLESS) for _ in range(4)]
    waiting = athena.start("select 1")

    queued = athena.service.handle("GetQueryExecution", {"QueryExecutionId": waiting})["QueryExecution"]
    stopped = stop(athena, waiting)

    assert queued["Status"]["State"] == "QUEUED"
    assert "CompletionDateTime" not in queued["Status"]
    assert stopped["Status"]["State"] == "CANCELLED"
    assert stopped["Statistics"]["EngineExecutionTimeInMillis"] == 0
    assert {stop(athena, key)["Status"]["State"] for key in running} == {"CANCELLED"}
    with pytest.raises(AwsError, match="Could not find results"):
        athena.service.handle("GetQueryResults", {"QueryExecutionId": waiting})


def test_what_has_ended_cannot_be_stopped(athena: Athena) -> None:
    execution_id = athena.start("select 1")
    before = athena.wait(execution_id)

    assert stop(athena, execution_id) == before


def test_the_times_of_an_execution_add_up(athena: Athena) -> None:
    statistics = athena.wait(athena.start("select 1"))["Statistics"]

    parts = ("QueryQueueTimeInMillis", "EngineExecutionTimeInMillis", "ServiceProcessingTimeInMillis")
    total = statistics["TotalExecutionTimeInMillis"]
    assert total - 3 <= sum(statistics[part] for part in parts) <= total
    assert statistics["QueryPlanningTimeInMillis"] <= statistics["EngineExecutionTimeInMillis"]
    assert statistics["ResultReuseInformation"] == {"ReusedPreviousResult": False}
    assert "DataManifestLocation" not in statistics


def test_a_clock_that_goes_back_never_completes_before_the_submission() -> None:
    entry = execution()
    entry.submitted = entry.submitted.replace(year=9999)

    entry.end("FAILED", "no")

    assert described(entry)["Status"]["CompletionDateTime"] >= described(entry)["Status"]["SubmissionDateTime"]


def test_a_query_above_the_quota_of_active_queries_is_refused(athena: Athena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(executions.ACTIVE_QUOTAS, "DML", 2)
    active = [athena.start(ENDLESS) for _ in range(2)]

    with pytest.raises(AwsError, match="exceeded the limit for the number of queries") as caught:
        athena.start("select 1")
    assert caught.value.code == "TooManyRequestsException"
    assert caught.value.members == {"Reason": "CONCURRENT_QUERY_LIMIT_EXCEEDED"}
    athena.wait(athena.start("create database other"))  # DDL has a quota of its own
    stop(athena, active[0])
    assert athena.wait(athena.start("select 1"))["Status"]["State"] == "SUCCEEDED"
    stop(athena, active[1])


def test_the_reason_of_a_refusal_reaches_the_client(local_aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(executions.ACTIVE_QUOTAS, "DML", 0)
    athena = local_aws.client("athena")
    local_aws.client("s3").create_bucket(
        Bucket="results", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
    )

    with pytest.raises(athena.exceptions.TooManyRequestsException) as caught:
        athena.start_query_execution(QueryString="select 1", ResultConfiguration={"OutputLocation": "s3://results/"})
    assert caught.value.response["Reason"] == "CONCURRENT_QUERY_LIMIT_EXCEEDED"


def test_only_the_newest_executions_are_kept_and_none_that_is_active() -> None:
    history = History(most_kept=3)
    active = execution(0, token="t" * 32)
    history.add(active)
    for number in range(1, 6):
        ended = execution(number, token=f"{number}" * 32)
        history.add(ended)
        ended.end("SUCCEEDED")

    assert [entry.id for entry in history.of_workgroup("primary")] == ["5", "4", "0"]
    assert history.get("1") is None
    assert history.of_token("1" * 32) is None
    assert history.of_token("t" * 32) is active


def test_a_token_stands_for_text_context_and_location_but_not_for_parameters_or_workgroup(athena: Athena) -> None:
    client("athena").create_work_group(Name="other")
    client("athena").update_work_group(WorkGroup="other", ConfigurationUpdates={"EnforceWorkGroupConfiguration": False})
    sql, token = "select 1 where 1 = ?", {"ClientRequestToken": "t" * 32, "ExecutionParameters": ["1"]}
    first = athena.start(sql, **token)

    assert athena.start(sql, **{**token, "ExecutionParameters": ["2"]}) == first
    assert athena.start(sql, **token, WorkGroup="other") == first
    for changed in (
        {"QueryString": f"{sql};"},
        {"QueryExecutionContext": {"Database": "d", "Catalog": "AwsDataCatalog"}},
        {"ResultConfiguration": {"OutputLocation": f"{OUTPUT}other/"}},
    ):
        assert refusal(athena, **{"sql": sql, **token, **changed}) == (
            "IDEMPOTENT_PARAMETER_MISMATCH",
            "Idempotent parameters do not match",
        )


def refusal(athena: Athena, sql: str, **more: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        athena.start(sql, **more)
    assert caught.value.code == "InvalidRequestException"
    return caught.value.members["AthenaErrorCode"], caught.value.message


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "clientRequestToken is null or empty"),
        ("t" * 31, ("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member "
         "must have length greater than or equal to 32")),
        ("t" * 129, ("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member "
         "must have length less than or equal to 128")),
        ("あ" * 50, "clientRequestToken exceeds maximum allowed length 128"),
    ],
)  # fmt: skip
def test_a_token_of_the_wrong_length_is_refused_before_place_and_text(
    athena: Athena, token: str | None, message: str
) -> None:
    more = {"ClientRequestToken": token, "ResultConfiguration": {"OutputLocation": "nowhere"}}

    assert refusal(athena, "selec 1", **more) == ("INVALID_INPUT", message)


def test_a_place_that_is_none_is_refused_before_the_text(athena: Athena) -> None:
    nowhere = {"ResultConfiguration": {"OutputLocation": "nowhere"}}

    assert refusal(athena, "selec 1", **nowhere) == ("INVALID_INPUT", "outputLocation is not a valid S3 path.")
    assert refusal(athena, "selec 1")[0] == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ResultConfiguration": {"OutputLocation": "s3://no-such-bucket/x/"}}, "create output bucket no-such-bucket"),
        ({"QueryExecutionContext": {"Catalog": "other"}}, "LOCAL_AWS_UNSUPPORTED: catalog 'other'"),
        ({"EngineConfiguration": {"MaxConcurrentDpus": 4}}, "LOCAL_AWS_UNSUPPORTED: EngineConfiguration"),
        (
            {
                "ResultReuseConfiguration": {
                    "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 10081}
                }
            },
            "between 0 and 10080, is 10081",
        ),
    ],
)
def test_a_request_that_cannot_run_starts_nothing(athena: Athena, more: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError, match=message):
        athena.start("select 1", **more)
    assert athena.service.handle("ListQueryExecutions", {}) == {"QueryExecutionIds": []}


def test_a_query_that_may_reuse_a_result_runs_anew_and_says_so(athena: Athena) -> None:
    reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}}
    for _ in range(2):
        found = athena.wait(athena.start("select 1", ResultReuseConfiguration=reuse))

    assert found["ResultReuseConfiguration"] == reuse
    assert found["Statistics"]["ResultReuseInformation"] == {"ReusedPreviousResult": False}


@pytest.mark.parametrize(
    ("problem", "category", "kind", "is_retryable"),
    [
        (StatementError("SYNTAX_ERROR", "x"), 2, 1006, False),
        (StatementError("TABLE_NOT_FOUND", "x"), 2, 1301, False),
        (StatementError("TABLE_ALREADY_EXISTS", "x"), 2, 1110, False),
        (StatementError("INVALID_CAST_ARGUMENT", "x"), 2, 1100, False),
        (iceberg_refusal(), 2, 1200, False),
        (table_not_found("d.t"), 2, 1301, False),
        (ddl_task_failure("x"), 2, 1006, False),
        (StatementError("HIVE_BAD_DATA", "x"), 2, 1001, False),
        (StatementError("FAILED", "Execution Error"), 2, 1003, False),
        (StatementError("DIVISION_BY_ZERO", "x"), 2, 1000, False),
        (Unsupported("x"), 3, 1200, False),
        (RuntimeError("x"), 1, 200, True),
    ],
)
def test_a_failure_has_its_place_in_the_error_catalog(
    problem: Exception, category: int, kind: int, is_retryable: bool
) -> None:
    assert athena_error(problem) == {
        "ErrorCategory": category,
        "ErrorType": kind,
        "Retryable": is_retryable,
        "ErrorMessage": str(problem),
    }


def test_a_scan_above_the_limit_is_worded_as_athena_words_it() -> None:
    assert str(ScanLimitExceeded()) == "Bytes scanned limit was exceeded"


def test_list_executions_takes_a_page_of_none(athena: Athena) -> None:
    athena.wait(athena.start("select 1"))

    assert athena.service.handle("ListQueryExecutions", {"MaxResults": 0})["QueryExecutionIds"] == []
    for size, limit in ((-1, "greater than or equal to 0"), (51, "less than or equal to 50")):
        with pytest.raises(AwsError, match=f"'maxResults' failed .* {limit}"):
            athena.service.handle("ListQueryExecutions", {"MaxResults": size})


def test_executions_of_a_workgroup_that_is_not_there_are_not_listed(athena: Athena) -> None:
    with pytest.raises(AwsError, match="WorkGroup is not found"):
        athena.service.handle("ListQueryExecutions", {"WorkGroup": "none"})


@pytest.mark.parametrize(("count", "limit"), [(0, "greater than or equal to 1"), (51, "less than or equal to 50")])
def test_a_batch_of_the_wrong_size_is_refused(athena: Athena, count: int, limit: str) -> None:
    with pytest.raises(AwsError, match=f"'queryExecutionIds' failed .* {limit}"):
        athena.service.handle("BatchGetQueryExecution", {"QueryExecutionIds": ["x"] * count})


def results(athena: Athena, sql: str, **request: Any) -> dict[str, Any]:
    execution_id = athena.start(sql)
    assert athena.wait(execution_id)["Status"]["State"] == "SUCCEEDED"
    return athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id, **request})


def cells(page: dict[str, Any]) -> list[list[str | None]]:
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]


def test_null_and_empty_text_quotes_and_line_breaks_come_back_from_the_csv(
    athena: Athena, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = """
        select * from (values
            (1, cast(null as varchar), ''), (2, 'a "b", c', 'x
y'), (3, '"', null), (4, 'é' || '日本', ','), (5, null, null)
        ) as t(n, a, b) order by n
    """
    expected = [
        ["n", "a", "b"],
        ["1", None, ""],
        ["2", 'a "b", c', "x\ny"],
        ["3", '"', None],
        ["4", "é日本", ","],
        ["5", None, None],
    ]
    assert cells(results(athena, sql)) == expected

    monkeypatch.setattr(stored_results, "_WINDOW_BYTES", 1)  # so that every row is cut somewhere
    assert cells(results(athena, sql)) == expected
    assert cells(results(athena, "select cast(null as varchar) as x union all select ''")) in (
        [["x"], [None], [""]],
        [["x"], [""], [None]],
    )


def test_pages_of_any_size_give_every_row_once(athena: Athena) -> None:
    page = results(athena, "select n, 'x' || cast(n as varchar) from unnest(sequence(1, 2500)) as t(n)", MaxResults=7)
    execution_id = page["NextToken"].partition(":")[0]
    rows = cells(page)
    size = 7

    while "NextToken" in page:
        size = size * 5 % 991 + 1
        request = {"QueryExecutionId": execution_id, "MaxResults": size, "NextToken": page["NextToken"]}
        page = athena.service.handle("GetQueryResults", request)
        rows += cells(page)

    assert rows[0] == ["n", "_col1"]
    assert sorted(rows[1:], key=lambda row: int(row[0] or 0)) == [[str(n), f"x{n}"] for n in range(1, 2501)]


def test_a_page_that_is_full_has_a_next_one_which_may_be_empty(athena: Athena) -> None:
    page = results(athena, "select 1 as x where false", MaxResults=1)
    request = {"QueryExecutionId": page["NextToken"].partition(":")[0], "NextToken": page["NextToken"]}
    following = athena.service.handle("GetQueryResults", request)

    assert cells(page) == [["x"]]
    assert cells(following) == []
    assert "NextToken" not in following


@pytest.mark.parametrize("place", ["²", "١", "-1", ""])
def test_a_token_whose_place_is_no_number_is_malformed(athena: Athena, place: str) -> None:
    execution_id = athena.start("select 1 as x")
    athena.wait(execution_id)

    with pytest.raises(AwsError, match="Malformed nextPageToken"):
        athena.service.handle(
            "GetQueryResults", {"QueryExecutionId": execution_id, "NextToken": f"{execution_id}:{place}"}
        )


def test_a_result_without_any_row_looks_at_no_token(athena: Athena) -> None:
    page = results(athena, "show tables", NextToken="made-up")

    assert (cells(page), page["UpdateCount"]) == ([], 0)


def test_ddl_has_no_rows_and_written_rows_are_counted(athena: Athena) -> None:
    made = results(athena, "create view v as select 1 as x")
    assert (cells(made), made["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]) == ([], [])
    assert "UpdateCount" not in made
    written = results(athena, f"create table t with (external_location = 's3://{BUCKET}/t/') as select 1 as x")

    assert cells(written) == []
    assert written["UpdateCount"] == 1
    assert [column["Name"] for column in written["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]] == ["rows"]


def test_results_that_were_removed_or_changed_in_s3_are_gone(athena: Athena) -> None:
    execution_id = athena.start("select 1 as x")
    key = athena.wait(execution_id)["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{BUCKET}/")

    for change in (
        lambda: athena.s3.put_object(Bucket=BUCKET, Key=key, Body=b'"x"'),
        lambda: athena.s3.put_object(Bucket=BUCKET, Key=key, Body=b"as long!"),
        lambda: athena.s3.delete_object(Bucket=BUCKET, Key=key),
    ):
        change()
        with pytest.raises(AwsError, match="Could not find results"):
            athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id})


def test_a_manifest_cannot_be_asked_for_as_rows(athena: Athena) -> None:
    with pytest.raises(AwsError, match="LOCAL_AWS_UNSUPPORTED: QueryResultType DATA_MANIFEST"):
        results(athena, "select 1", QueryResultType="DATA_MANIFEST")


def test_no_row_of_a_result_stays_in_memory(athena: Athena) -> None:
    execution_id = athena.start("select 'kept only in S3'")
    athena.wait(execution_id)

    entry = athena.service._history.get(execution_id)  # what is not kept cannot be seen from outside

    assert entry is not None
    assert entry.outcome is not None
    assert entry.outcome.result.rows == ()
    assert cells(athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id}))[1] == ["kept only in S3"]


def test_what_a_failed_query_had_read_is_counted(athena: Athena) -> None:
    athena.put_parquet_table("t", {"n": "int"}, [[0]])

    failed = athena.wait(athena.start("select 1 / n from t"))

    assert failed["Status"]["State"] == "FAILED"
    assert failed["Statistics"]["DataScannedInBytes"] > 0


def test_closing_ends_what_runs_and_what_waits() -> None:
    with running_athena() as athena:
        ids = [athena.start(ENDLESS) for _ in range(6)]
        closing = threading.Thread(target=athena.service.close)
        closing.start()
        states = {athena.wait(key)["Status"]["State"] for key in ids}
        closing.join(30)

        assert states == {"CANCELLED"}
        assert not closing.is_alive()


def test_a_server_stops_although_a_query_runs() -> None:
    before = set(threading.enumerate())
    aws = LocalAws(Settings()).start()
    aws.client("s3").create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    aws.client("athena").start_query_execution(
        QueryString=ENDLESS, ResultConfiguration={"OutputLocation": "s3://results/"}
    )

    aws.stop()

    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("athena-query")]


def test_a_query_in_another_state_has_no_results_yet(athena: Athena) -> None:
    running = athena.start(ENDLESS)

    with pytest.raises(AwsError, match="has not yet finished"):
        athena.service.handle("GetQueryResults", {"QueryExecutionId": running})
    stop(athena, running)


def test_a_result_bucket_that_is_gone_fails_the_query(athena: Athena) -> None:
    athena.s3.create_bucket(Bucket="brief", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    blockers = [athena.start(ENDLESS) for _ in range(4)]
    waiting = athena.start("select 1", ResultConfiguration={"OutputLocation": "s3://brief/"})
    athena.s3.delete_bucket(Bucket="brief")

    for blocker in blockers:
        stop(athena, blocker)
    status = athena.wait(waiting)["Status"]

    assert status["State"] == "FAILED"
    assert "NoSuchBucket" in status["StateChangeReason"]
    with pytest.raises(ClientError):
        athena.s3.head_bucket(Bucket="brief")
