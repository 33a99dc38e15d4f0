"""The Athena API: states, tokens, output locations, pages, statistics."""

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.athena.service import AthenaService
from local_aws.aws_error import AwsError
from tests.sql.athena_harness import BUCKET, OUTPUT, Athena, client, running_athena

TOKEN = "t" * 32


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def refusal(athena: Athena, sql: str, **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        athena.start(sql, **more)
    return caught.value


def test_a_query_that_succeeds_tells_all_that_athena_tells(athena: Athena) -> None:
    execution = athena.wait(athena.start("select 1 as x"))

    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]
    assert execution["StatementType"] == "DML"
    assert execution["QueryExecutionContext"] == {"Database": "d"}
    assert execution["WorkGroup"] == "primary"
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}{execution['QueryExecutionId']}.csv"
    assert set(execution["Statistics"]) >= {"EngineExecutionTimeInMillis", "DataScannedInBytes"}


def test_the_result_object_is_quoted_csv_with_nothing_for_null(athena: Athena) -> None:
    execution = athena.wait(athena.start("""select 1 as x, 'a "b"' as y, cast(null as varchar) as z, '' as e"""))

    body = athena.s3.get_object(Bucket=BUCKET, Key=f"results/{execution['QueryExecutionId']}.csv")["Body"].read()

    assert body.decode() == '"x","y","z","e"\n"1","a ""b""",,""\n'


@pytest.mark.parametrize(
    ("sql", "category", "code"),
    [
        ("select 1/0", 2, "DIVISION_BY_ZERO"),
        ("select nothing from (values 1) as t(x)", 2, "COLUMN_NOT_FOUND"),
        ("select * from nowhere", 2, "TABLE_NOT_FOUND"),
        ("select cast('secret words' as integer)", 2, "INVALID_CAST_ARGUMENT"),
        ("select soundex('x')", 3, "LOCAL_AWS_UNSUPPORTED: function soundex()"),
    ],
)
def test_a_query_that_fails_says_why_without_quoting_data(athena: Athena, sql: str, category: int, code: str) -> None:
    status = athena.wait(athena.start(sql))["Status"]

    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith(code)
    assert status["AthenaError"]["ErrorCategory"] == category
    assert status["AthenaError"]["Retryable"] is False
    assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]
    assert "secret" not in status["StateChangeReason"]


@pytest.mark.parametrize(
    "sql",
    [
        "garbage !! not sql", "selec 1", "select 1; select 2", "select 1,", "select (1", "select 'open", "select",
        "select 1 from", "unload (select 1) with (format = 'PARQUET')", "-- nothing", ";", "select a from t where",
        "select 1::bigint", "select * from t limit 1, 2", "select 'a' ilike 'b'", "select 1 == 1", "drop",
        "create view",
        "select `a` from t", "select a, from t", "select 'a' 'b'", "\x00",
        "select [1,2]", "select array[[1]]", "select 1 where 1 in [1]",
    ],
)  # fmt: skip
def test_a_text_that_is_no_statement_is_refused_at_once(athena: Athena, sql: str) -> None:
    assert refusal(athena, sql).code == "InvalidRequestException"


@pytest.mark.parametrize("sql", ["", "select '" + "x" * 262_144 + "'"], ids=["empty", "too long"])
def test_a_text_of_the_wrong_size_is_refused(athena: Athena, sql: str) -> None:
    assert "262144" in refusal(athena, sql).message


def test_a_statement_may_end_with_a_semicolon(athena: Athena) -> None:
    assert athena.rows("select 1;") == [("1",)]


def test_a_deeply_nested_statement_ends_in_a_state(athena: Athena) -> None:
    assert athena.ask("select " + "(" * 3000 + "1" + ")" * 3000).kind in ("user", "unsupported")
    assert athena.ask("select " + " + ".join(["1"] * 1500)).kind in ("ok", "unsupported")
    assert athena.rows("select " + " and ".join(["true"] * 1500)) == [("true",)]


def test_the_same_token_and_text_are_one_execution(athena: Athena) -> None:
    first = athena.start("select 1", ClientRequestToken=TOKEN)

    assert athena.start("select 1", ClientRequestToken=TOKEN) == first
    assert athena.start("select 1", ClientRequestToken="u" * 32) != first


def test_the_same_token_with_another_text_is_refused(athena: Athena) -> None:
    athena.start("select 1", ClientRequestToken=TOKEN)

    assert refusal(athena, "select 2", ClientRequestToken=TOKEN).code == "InvalidRequestException"
    assert refusal(athena, "select 1", ClientRequestToken="short").code == "InvalidRequestException"


def test_without_an_output_location_nothing_starts(athena: Athena) -> None:
    assert "No output location provided" in refusal(athena, "select 1", ResultConfiguration={}).message
    assert (
        refusal(athena, "select 1", ResultConfiguration={"OutputLocation": "/tmp/x"}).code == "InvalidRequestException"
    )
    assert refusal(athena, "select 1", WorkGroup="nobody").code == "InvalidRequestException"


def test_an_enforced_workgroup_decides_where_results_go(athena: Athena) -> None:
    settings = {
        "EnforceWorkGroupConfiguration": True,
        "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/enforced"},
    }
    client("athena").create_work_group(Name="strict", Configuration=settings)

    execution = athena.wait(athena.start("select 1", WorkGroup="strict"))
    refused = athena.wait(
        athena.start(
            f"create table t with (external_location = 's3://{BUCKET}/x/') as select 1 as x", WorkGroup="strict"
        )
    )

    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/enforced/")
    assert refused["Status"]["AthenaError"]["ErrorCategory"] == 2
    assert athena.keys("x/") == []


def test_results_come_in_pages_and_the_header_is_the_first_row(athena: Athena) -> None:
    execution_id = athena.start("select x from unnest(sequence(1, 2500)) as t(x) order by x")
    athena.wait(execution_id)
    values: list[str] = []
    sizes: list[int] = []
    token: dict[str, str] = {}

    while True:
        page = athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id, **token})
        sizes.append(len(page["ResultSet"]["Rows"]))
        values += [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert sizes == [1000, 1000, 501]
    assert values == ["x", *(str(number) for number in range(1, 2501))]


@pytest.mark.parametrize("more", [{"MaxResults": 1001}, {"NextToken": "made-up"}, {"QueryExecutionId": "nobody"}])
def test_a_page_that_cannot_be_is_refused(athena: Athena, more: dict[str, Any]) -> None:
    execution_id = athena.start("select 1")
    athena.wait(execution_id)

    with pytest.raises(AwsError, match="InvalidRequestException"):
        athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id, **more})


def test_a_failed_query_has_no_results(athena: Athena) -> None:
    execution_id = athena.start("select 1/0")
    athena.wait(execution_id)

    with pytest.raises(AwsError, match="Final query state: FAILED"):
        athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id})


def test_a_running_query_can_be_stopped(athena: Athena) -> None:
    numbers = "unnest(sequence(1, 20000))"
    never_true = f"select count(*) from {numbers} as a(x), {numbers} as b(y), {numbers} as c(z) where x + y + z = 0"  # noqa: S608
    execution_id = athena.start(never_true)

    athena.service.handle("StopQueryExecution", {"QueryExecutionId": execution_id})

    assert athena.wait(execution_id)["Status"]["State"] == "CANCELLED"
    assert athena.rows("select 1") == [("1",)]


def test_statistics_count_rows_read_and_written(athena: Athena) -> None:
    selected = athena.start("select x from (values 1, 2, 3) as t(x)")
    unloaded = athena.start(f"unload (select 1 as x) to 's3://{BUCKET}/u/' with (format = 'PARQUET')")

    manifest = athena.wait(unloaded)["Statistics"]["DataManifestLocation"]
    athena.wait(selected)

    assert [_rows_out(athena, key) for key in (selected, unloaded)] == [3, 1]
    assert manifest == f"{OUTPUT}{unloaded}-manifest.csv"


def _rows_out(athena: Athena, execution_id: str) -> int:
    answer = athena.service.handle("GetQueryRuntimeStatistics", {"QueryExecutionId": execution_id})
    return answer["QueryRuntimeStatistics"]["Rows"]["OutputRows"]


def test_executions_are_listed_newest_first_and_got_in_batches(athena: Athena) -> None:
    ids = [athena.start(f"select {number}") for number in range(3)]
    for execution_id in ids:
        athena.wait(execution_id)

    first = athena.service.handle("ListQueryExecutions", {"MaxResults": 2})
    rest = athena.service.handle("ListQueryExecutions", {"MaxResults": 2, "NextToken": first["NextToken"]})
    batch = athena.service.handle("BatchGetQueryExecution", {"QueryExecutionIds": [ids[0], "nobody"]})

    assert first["QueryExecutionIds"] + rest["QueryExecutionIds"] == ids[::-1]
    assert [found["Query"] for found in batch["QueryExecutions"]] == ["select 0"]
    assert [missing["QueryExecutionId"] for missing in batch["UnprocessedQueryExecutionIds"]] == ["nobody"]


def test_table_metadata_comes_from_glue(athena: Athena) -> None:
    athena.put_parquet_table("t", {"x": "int", "y": "array<string>"}, [])

    request = {"CatalogName": "AwsDataCatalog", "DatabaseName": "d", "TableName": "t"}
    metadata = athena.service.handle("GetTableMetadata", request)["TableMetadata"]

    assert [(column["Name"], column["Type"]) for column in metadata["Columns"]] == [
        ("x", "int"),
        ("y", "array<string>"),
    ]
    with pytest.raises(AwsError, match="MetadataException"):
        athena.service.handle("GetTableMetadata", {**request, "TableName": "nothing"})


def test_an_action_of_another_api_is_refused(athena: Athena) -> None:
    assert "GetQueryResults" in athena.service.actions
    with pytest.raises(AwsError, match="ListWorkGroups"):
        athena.service.handle("ListWorkGroups", {})


@pytest.mark.usefixtures("athena")
def test_a_service_is_made_from_a_client_factory() -> None:
    other = AthenaService(client)

    assert other.handle("ListQueryExecutions", {}) == {"QueryExecutionIds": []}
    other.close()
