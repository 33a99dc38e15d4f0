"""What the census relies on in Athena: the Ion table, views, UNLOAD, states, tokens, errors, pages."""

import uuid
from typing import Any

import pytest

from tests.contract.conftest import Account, refusal

ION = """\
$ion_1_0 {Item:{pk:"1",evaluation:{category:"coding",score:4.},day:"2026-10-01",tags:$dynamodb_SS::["a","b"]}}
$ion_1_0 {Item:{pk:"2",evaluation:{category:"writing",score:6d0},day:"2026-10-02"}}
$ion_1_0 {Item:{pk:"3",day:"2026-10-02"}}
"""
PATHS = {
    "id": ("string", "(Item pk)"),
    "category": ("string", "(Item evaluation category)"),
    "score": ("decimal(38,0)", "(Item evaluation score)"),
    "day": ("string", "(Item day)"),
    "tags": ("array<string>", "(Item tags)"),
}


class Athena:
    """A workgroup with its own output location, a database, and a table over one snapshot in Ion."""

    def __init__(self, account: Account) -> None:
        self.account, self.client = account, account.client("athena")
        self.bucket, self.database = account.bucket(), account.database()
        output = {"OutputLocation": f"s3://{self.bucket}/results/"}
        settings = {"ResultConfiguration": output, "EnforceWorkGroupConfiguration": True}
        self.client.create_work_group(Name=account.name, Configuration=settings)
        account.remove_later(self.client.delete_work_group, WorkGroup=account.name, RecursiveDeleteOption=True)
        self._put_snapshot()

    def _put_snapshot(self) -> None:
        place = f"s3://{self.bucket}/snapshots/e1/data/"
        self.account.client("s3").put_object(Bucket=self.bucket, Key="snapshots/e1/data/1.ion", Body=ION.encode())
        storage = {
            "Columns": [{"Name": name, "Type": kind} for name, (kind, _) in PATHS.items()],
            "Location": f"s3://{self.bucket}/snapshots/",
            "InputFormat": "com.amazon.ionhiveserde.formats.IonInputFormat",
            "OutputFormat": "com.amazon.ionhiveserde.formats.IonOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "com.amazon.ionhiveserde.IonHiveSerDe",
                "Parameters": {f"ion.{name}.path_extractor": path for name, (_, path) in PATHS.items()},
            },
        }
        table = {
            "Name": "raw",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "ion"},
            "PartitionKeys": [{"Name": "export_id", "Type": "string"}],
            "StorageDescriptor": storage,
        }
        glue = self.account.client("glue")
        glue.create_table(DatabaseName=self.database, TableInput=table)
        self.account.remove_later(glue.delete_table, DatabaseName=self.database, Name="raw")
        partition = {"Values": ["e1"], "StorageDescriptor": {**storage, "Location": place}}
        glue.create_partition(DatabaseName=self.database, TableName="raw", PartitionInput=partition)

    def start(self, sql: str, **more: Any) -> str:
        """Start a statement in the workgroup, and return its execution's id."""
        context = {"Database": self.database}
        more = {"WorkGroup": self.account.name, "QueryExecutionContext": context, **more}
        return str(self.client.start_query_execution(QueryString=sql, **more)["QueryExecutionId"])

    def end(self, execution_id: str) -> dict[str, Any]:
        """Return the execution once it has ended."""

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            return None if found["Status"]["State"] in {"QUEUED", "RUNNING"} else found

        execution: dict[str, Any] = self.account.wait(ended)
        return execution

    def rows(self, sql: str, **more: Any) -> list[list[str | None]]:
        """Return the rows of a statement that must succeed, its header first."""
        execution = self.end(self.start(sql, **more))
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"].get("StateChangeReason")
        result = self.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in result["Rows"]]


@pytest.fixture(scope="module")
def athena(account: Account) -> Athena:
    return Athena(account)


def test_an_ion_snapshot_is_read_through_its_path_extractors(athena: Athena) -> None:
    rows = athena.rows("SELECT id, category, cast(score AS bigint) AS score, tags FROM raw ORDER BY id")

    assert rows == [
        ["id", "category", "score", "tags"],
        ["1", "coding", "4", "[a, b]"],
        ["2", "writing", "6", None],
        ["3", None, None, None],
    ]


def test_a_partition_that_glue_does_not_know_has_no_rows(athena: Athena) -> None:
    assert athena.rows("SELECT count(*) AS n FROM raw WHERE export_id = 'e2'") == [["n"], ["0"]]


def test_the_result_says_its_types(athena: Athena) -> None:
    execution = athena.end(
        athena.start(
            "SELECT 1 AS i, 1.50 AS d, 'x' AS t, date '2026-10-01' AS day, 1e0 AS f, true AS b, count(*) FROM raw"
        )
    )
    result = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]

    info = [(column["Name"], column["Type"]) for column in result["ResultSetMetadata"]["ColumnInfo"]]
    assert info == [
        ("i", "integer"),
        ("d", "decimal"),
        ("t", "varchar"),
        ("day", "date"),
        ("f", "double"),
        ("b", "boolean"),
        ("_col6", "bigint"),
    ]
    values = [cell["VarCharValue"] for cell in result["Rows"][1]["Data"]]
    assert values == ["1", "1.50", "x", "2026-10-01", "1.0", "true", "3"]


def test_an_enforced_output_location_wins_and_holds_the_csv(athena: Athena) -> None:
    elsewhere = {"OutputLocation": f"s3://{athena.bucket}/elsewhere/"}
    execution = athena.end(
        athena.start("SELECT 'a \"b\"' AS x, CAST(NULL AS varchar) AS y", ResultConfiguration=elsewhere)
    )

    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{athena.bucket}/results/{execution['QueryExecutionId']}.csv"
    key = location.removeprefix(f"s3://{athena.bucket}/")
    written = athena.account.client("s3").get_object(Bucket=athena.bucket, Key=key)["Body"].read().decode()
    assert written == '"x","y"\n"a ""b""",\n'


def test_statistics_and_times_are_there_when_a_query_has_ended(athena: Athena) -> None:
    execution = athena.end(athena.start("SELECT count(*) FROM raw"))

    assert execution["StatementType"] == "DML"
    assert execution["Statistics"]["DataScannedInBytes"] == len(ION.encode())
    assert execution["Statistics"]["TotalExecutionTimeInMillis"] >= 0
    assert execution["Status"]["SubmissionDateTime"] <= execution["Status"]["CompletionDateTime"]
    assert execution["WorkGroup"] == athena.account.name


def test_the_same_token_is_the_same_execution_and_another_text_is_refused(athena: Athena) -> None:
    token = uuid.uuid4().hex
    first = athena.start("SELECT 1", ClientRequestToken=token)

    assert athena.start("SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(athena.client.exceptions.InvalidRequestException):
        athena.start("SELECT 2", ClientRequestToken=token)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM raw",
        "SELECT * FROM nowhere",
        "SELECT 1/0 FROM raw",
        "SELECT cast('x' AS integer) FROM raw",
        "SELECT category FROM raw GROUP BY score",
    ],
)
def test_a_query_that_is_wrong_fails_by_the_users_fault(athena: Athena, sql: str) -> None:
    status = athena.end(athena.start(sql))["Status"]

    assert status["State"] == "FAILED"
    assert status["AthenaError"]["ErrorCategory"] == 2
    assert status["AthenaError"]["Retryable"] is False
    assert status["StateChangeReason"]


def test_a_failed_query_has_no_results(athena: Athena) -> None:
    execution = athena.end(athena.start("SELECT * FROM nowhere"))

    code = refusal(athena.client.get_query_results, QueryExecutionId=execution["QueryExecutionId"])

    assert code == "InvalidRequestException"


def _object(athena: Athena, location: str) -> str:
    key = location.removeprefix(f"s3://{athena.bucket}/")
    return str(athena.account.client("s3").get_object(Bucket=athena.bucket, Key=key)["Body"].read().decode())


def test_what_is_shown_is_text_in_lines_without_a_header(athena: Athena) -> None:
    execution = athena.end(athena.start("SHOW COLUMNS IN raw"))
    answer = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])

    lines = [row["Data"][0]["VarCharValue"] for row in answer["ResultSet"]["Rows"]]
    (column,) = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert lines == [name.ljust(20) for name in [*PATHS, "export_id"]]
    assert (column["Name"], column["Type"], answer["UpdateCount"]) == ("field", "string", 0)
    assert (execution["StatementType"], execution["SubstatementType"]) == ("UTILITY", "SHOW_COLUMNS")
    assert _object(athena, execution["ResultConfiguration"]["OutputLocation"]) == "\n".join(lines)


def test_what_hive_fails_leaves_its_words_and_an_empty_answer(athena: Athena) -> None:
    execution = athena.end(athena.start("-- gone already\nDROP TABLE nowhere"))
    answer = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])

    reason = execution["Status"]["StateChangeReason"]
    assert reason == f"FAILED: SemanticException [Error 10001]: Table not found {athena.database}.nowhere"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "DROP_TABLE")
    assert answer["ResultSet"]["Rows"] == []
    assert _object(athena, execution["ResultConfiguration"]["OutputLocation"]) == reason


def test_a_table_that_is_not_there_is_not_described(athena: Athena) -> None:
    with pytest.raises(athena.client.exceptions.InvalidRequestException, match="Entity Not Found"):
        athena.start("DESCRIBE nowhere")


@pytest.mark.parametrize("sql", ["garbage !! not sql", "SELECT 1; SELECT 2", "SELEC 1"])
def test_what_is_no_statement_does_not_start(athena: Athena, sql: str) -> None:
    with pytest.raises(athena.client.exceptions.InvalidRequestException):
        athena.start(sql)


def test_a_number_that_does_not_fit_its_column_fails_the_query_and_is_not_rounded(athena: Athena) -> None:
    glue = athena.account.client("glue")
    table = glue.get_table(DatabaseName=athena.database, Name="raw")["Table"]
    storage = {**table["StorageDescriptor"], "Location": f"s3://{athena.bucket}/odd/"}
    athena.account.client("s3").put_object(
        Bucket=athena.bucket, Key="odd/1.ion", Body=b'$ion_1_0 {Item:{pk:"1",evaluation:{score:4.5}}}\n'
    )
    odd = {
        "Name": "odd",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE"},
        "StorageDescriptor": storage,
    }
    glue.create_table(DatabaseName=athena.database, TableInput=odd)
    athena.account.remove_later(glue.delete_table, DatabaseName=athena.database, Name="odd")

    assert athena.end(athena.start("SELECT score FROM odd"))["Status"]["State"] == "FAILED"
    assert athena.rows("SELECT id FROM odd") == [["id"], ["1"]]


def test_parameters_are_bound_in_order(athena: Athena) -> None:
    rows = athena.rows("SELECT id FROM raw WHERE category = ? AND score > ?", ExecutionParameters=["'coding'", "3"])

    assert rows == [["id"], ["1"]]


def test_unload_writes_parquet_once_and_never_over_anything(athena: Athena) -> None:
    target = f"s3://{athena.bucket}/unloaded/{uuid.uuid4().hex}/"
    query = "SELECT category, count(*) AS n FROM raw GROUP BY category"
    sql = f"UNLOAD ({query}) TO '{target}' WITH (format = 'PARQUET')"

    assert athena.end(athena.start(sql))["Status"]["State"] == "SUCCEEDED"
    glue = athena.account.client("glue")
    package = "org.apache.hadoop.hive.ql.io.parquet"
    storage = {
        "Columns": [{"Name": "category", "Type": "string"}, {"Name": "n", "Type": "bigint"}],
        "Location": target,
        "InputFormat": f"{package}.MapredParquetInputFormat",
        "OutputFormat": f"{package}.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": f"{package}.serde.ParquetHiveSerDe"},
    }
    table = {"Name": "unloaded", "TableType": "EXTERNAL_TABLE", "Parameters": {}, "StorageDescriptor": storage}
    glue.create_table(DatabaseName=athena.database, TableInput=table)
    athena.account.remove_later(glue.delete_table, DatabaseName=athena.database, Name="unloaded")

    assert athena.rows("SELECT * FROM unloaded ORDER BY category") == [
        ["category", "n"],
        ["coding", "1"],
        ["writing", "1"],
        [None, "1"],
    ]
    assert athena.end(athena.start(sql))["Status"]["State"] == "FAILED"


def test_a_view_is_kept_in_glue_and_reads_its_table(athena: Athena) -> None:
    athena.end(athena.start("CREATE OR REPLACE VIEW scores AS SELECT id, cast(score AS bigint) AS score FROM raw"))
    athena.account.remove_later(athena.account.client("glue").delete_table, DatabaseName=athena.database, Name="scores")

    assert athena.rows("SELECT sum(score) AS s FROM scores") == [["s"], ["10"]]
    kept = athena.account.client("glue").get_table(DatabaseName=athena.database, Name="scores")["Table"]
    assert kept["TableType"] == "VIRTUAL_VIEW"
    assert kept["ViewOriginalText"].startswith("/* Presto View: ")


def test_results_come_in_pages(athena: Athena) -> None:
    execution = athena.end(athena.start("SELECT n FROM unnest(sequence(1, 25)) AS t(n) ORDER BY n"))

    pages = athena.client.get_paginator("get_query_results").paginate(
        QueryExecutionId=execution["QueryExecutionId"], PaginationConfig={"PageSize": 10}
    )
    values = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]

    assert values == ["n", *map(str, range(1, 26))]


def test_executions_are_described_in_batches(athena: Athena) -> None:
    known, unknown = athena.start("SELECT 1"), str(uuid.uuid4())
    athena.end(known)

    answer = athena.client.batch_get_query_execution(QueryExecutionIds=[known, unknown])

    assert [execution["QueryExecutionId"] for execution in answer["QueryExecutions"]] == [known]
    assert [missing["QueryExecutionId"] for missing in answer["UnprocessedQueryExecutionIds"]] == [unknown]


def test_a_query_that_has_ended_may_be_stopped_to_no_effect(athena: Athena) -> None:
    execution_id = athena.start("SELECT 1")
    athena.end(execution_id)

    athena.client.stop_query_execution(QueryExecutionId=execution_id)

    assert athena.end(execution_id)["Status"]["State"] == "SUCCEEDED"


def test_a_table_is_described_from_glue(athena: Athena) -> None:
    metadata = athena.client.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName=athena.database, TableName="raw"
    )["TableMetadata"]

    assert [column["Name"] for column in metadata["Columns"]] == list(PATHS)
    assert [column["Name"] for column in metadata["PartitionKeys"]] == ["export_id"]


def test_a_workgroup_that_is_not_there_starts_nothing(athena: Athena) -> None:
    with pytest.raises(athena.client.exceptions.InvalidRequestException):
        athena.start("SELECT 1", WorkGroup=f"{athena.account.name}-none")
