"""The Athena API: states, tokens, output locations, pages, statistics."""

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.athena.api.service import AthenaService
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


@pytest.mark.parametrize(
    ("sql", "limit"),
    [
        ("", "greater than or equal to 1"),
        ("select '" + "x" * 262_144 + "'", "less than or equal to 262144"),
        ("select '" + "é" * 131_072 + "'", "1 to 262144 bytes, has 262153"),
    ],
    ids=["empty", "too long", "too many bytes"],
)
def test_a_text_of_the_wrong_size_is_refused(athena: Athena, sql: str, limit: str) -> None:
    assert limit in refusal(athena, sql).message


@pytest.mark.parametrize("sql", ["select 1;", "\n select 1 ;; ", ";select 1"])
def test_semicolons_and_spaces_around_a_statement_are_no_part_of_it(athena: Athena, sql: str) -> None:
    execution = athena.wait(athena.start(sql))

    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Query"] == "select 1"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (" select 1; -- c \n", "Only one sql statement is allowed. Got:  select 1; -- c"),
        ("selec 1; select ';'", "Only one sql statement is allowed. Got: selec 1; select ';'"),
        ("; ", "Empty sql statement: ;"),
        ("create or replace table t as select 1 as x", ("mismatched input 'TABLE'. Expecting: 'MATERIALIZED', "
         "'MULTI', 'PROTECTED', 'VIEW'")),
    ],
)  # fmt: skip
def test_what_is_not_one_statement_of_athenas_is_malformed(athena: Athena, sql: str, message: str) -> None:
    problem = refusal(athena, sql)

    assert problem.message == message
    assert problem.members == {"AthenaErrorCode": "MALFORMED_QUERY", "ErrorCode": "MALFORMED_QUERY"}


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


_CONSTRAINT = "failed to satisfy constraint: Member must have"


@pytest.mark.parametrize(
    ("sql", "more", "code", "message"),
    [
        (
            "select 1",
            {"MaxResults": 0, "NextToken": "", "QueryExecutionId": "nobody"},
            "INVALID_INPUT",
            (
                f"2 validation errors detected: Value at 'nextToken' {_CONSTRAINT} length greater than or equal to 1; "
                f"Value at 'maxResults' {_CONSTRAINT} value greater than or equal to 1"
            ),
        ),
        (
            "select 1",
            {"QueryExecutionId": None},
            "INVALID_INPUT",
            (
                "1 validation error detected: Value null at 'queryExecutionId' failed to satisfy constraint: "
                "Member must not be null"
            ),
        ),
        (
            "select 1",
            {"MaxResults": 1001, "QueryExecutionId": "nobody"},
            "QUERY_EXECUTION_NOT_FOUND",
            "QueryExecution nobody was not found",
        ),
        ("select 1/0", {"MaxResults": 1001}, "INVALID_INPUT", "MaxResults is more than maximum allowed length 1000"),
        (
            "select 1/0",
            {"NextToken": "made-up"},
            "INVALID_QUERY_EXECUTION_STATE",
            "Query did not finish successfully. Final query state: FAILED",
        ),
        ("select 1", {"NextToken": "made-up"}, "INVALID_INPUT", "Malformed nextPageToken made-up"),
    ],
)
def test_a_page_that_cannot_be_is_refused_in_athenas_order(
    athena: Athena, sql: str, more: dict[str, Any], code: str, message: str
) -> None:
    execution_id = athena.start(sql)
    athena.wait(execution_id)

    with pytest.raises(AwsError) as caught:
        athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id, **more})
    assert (caught.value.message, caught.value.members["AthenaErrorCode"]) == (message, code)


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("MaxResults", "1", "STRING_VALUE can not be converted to an Integer"),
        ("MaxResults", True, "TRUE_VALUE can not be converted to an Integer"),
        ("MaxResults", [], "Start of list found where not expected"),
        ("MaxResults", {}, "Start of structure or map found where not expected."),
        ("QueryExecutionId", 1, "NUMBER_VALUE can not be converted to a String"),
        ("QueryExecutionId", False, "FALSE_VALUE can not be converted to a String"),
    ],
)
def test_a_value_of_another_type_cannot_be_read(athena: Athena, member: str, value: object, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        athena.service.handle("GetQueryResults", {"QueryExecutionId": "", member: value})
    assert (caught.value.code, caught.value.message) == ("SerializationException", message)


def test_a_text_where_a_list_or_a_structure_stands_cannot_be_read(athena: Athena) -> None:
    for member, message in (
        ("ExecutionParameters", "Expected list or null"),
        ("ResultConfiguration", "Expected null"),
    ):
        assert refusal(athena, "select 1", **{member: "x"}).message == message


def test_null_is_absent_unknown_members_are_ignored_and_numbers_are_cut_to_whole_ones(athena: Athena) -> None:
    execution_id = athena.start("select 1", WorkGroup=None, Unknown=1, ExecutionParameters=None)
    athena.wait(execution_id)

    page = athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id, "MaxResults": 1.5})
    assert len(page["ResultSet"]["Rows"]) == 1


def test_a_running_query_can_be_stopped(athena: Athena) -> None:
    numbers = "unnest(sequence(1, 10000))"
    never_true = f"select count(*) from {numbers} as a(x), {numbers} as b(y), {numbers} as c(z) where x + y + z = 0"
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
