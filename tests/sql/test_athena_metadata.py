"""Data catalogs, databases and tables through Athena's own actions, out of Glue."""

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.aws_error import AwsError
from tests.sql.athena_harness import BUCKET, Athena, running_athena

CATALOG = {"CatalogName": "AwsDataCatalog"}


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        for name in ("days", "day_names", "nights"):
            running.put_parquet_table(name, {"n": "int", "names": "array<string>"}, [])
        yield running


def ask(athena: Athena, action: str, **request: Any) -> dict[str, Any]:
    return athena.service.handle(action, request)


def names(athena: Athena, **request: Any) -> list[str]:
    answer = ask(athena, "ListTableMetadata", **CATALOG, DatabaseName="d", **request)
    return [table["Name"] for table in answer["TableMetadataList"]]


def test_there_is_one_data_catalog(athena: Athena) -> None:
    (summary,) = ask(athena, "ListDataCatalogs")["DataCatalogsSummary"]

    assert (summary["CatalogName"], summary["Type"]) == ("AwsDataCatalog", "GLUE")
    assert ask(athena, "GetDataCatalog", Name="awsdatacatalog")["DataCatalog"]["Name"] == "AwsDataCatalog"
    with pytest.raises(AwsError, match="Data catalog other is not found"):
        ask(athena, "GetDataCatalog", Name="other")


def test_databases_are_told_with_what_they_have(athena: Athena) -> None:
    athena.rows("select 1")
    athena.glue.create_database(DatabaseInput={"Name": "c", "Description": "counts", "Parameters": {"a": "b"}})

    first = ask(athena, "ListDatabases", **CATALOG, MaxResults=1)
    rest = ask(athena, "ListDatabases", **CATALOG, MaxResults=1, NextToken=first["NextToken"])

    assert first["DatabaseList"] == [{"Name": "c", "Description": "counts", "Parameters": {"a": "b"}}]
    assert rest == {"DatabaseList": [{"Name": "d"}]}
    assert ask(athena, "GetDatabase", **CATALOG, DatabaseName="d") == {"Database": {"Name": "d"}}


def test_a_table_is_told_in_athenas_form(athena: Athena) -> None:
    metadata = ask(athena, "GetTableMetadata", **CATALOG, DatabaseName="d", TableName="days")["TableMetadata"]

    package = "org.apache.hadoop.hive.ql.io.parquet"
    assert metadata["TableType"] == "EXTERNAL_TABLE"
    assert [(column["Name"], column["Type"]) for column in metadata["Columns"]] == [
        ("n", "int"),
        ("names", "array<string>"),
    ]
    assert metadata["PartitionKeys"] == []
    assert metadata["Parameters"] == {
        "EXTERNAL": "TRUE",
        "classification": "parquet",
        "inputformat": f"{package}.MapredParquetInputFormat",
        "location": f"s3://{BUCKET}/tables/days/",
        "outputformat": f"{package}.MapredParquetOutputFormat",
        "serde.param.serialization.format": "1",
        "serde.serialization.lib": f"{package}.serde.ParquetHiveSerDe",
    }


def test_tables_are_listed_in_pages_and_by_a_pattern(athena: Athena) -> None:
    first = ask(athena, "ListTableMetadata", **CATALOG, DatabaseName="d", MaxResults=2)

    assert [table["Name"] for table in first["TableMetadataList"]] == ["day_names", "days"]
    assert names(athena, NextToken=first["NextToken"]) == ["nights"]
    assert names(athena, Expression="day.*") == ["day_names", "days"]
    assert names(athena, Expression="none.*") == []
    assert names(athena, Expression="days|nights") == ["days", "nights"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [("day", "matches only a part"), ("(", "no regular expression"), ("x" * 257, "less than or equal to 256")],
)
def test_an_expression_that_is_not_clear_is_refused(athena: Athena, expression: str, message: str) -> None:
    with pytest.raises(AwsError, match=message):
        names(athena, Expression=expression)


@pytest.mark.parametrize(
    ("action", "request_", "code"),
    [
        ("GetDatabase", {"DatabaseName": "none"}, "MetadataException"),
        ("GetTableMetadata", {"DatabaseName": "d", "TableName": "none"}, "MetadataException"),
        ("ListTableMetadata", {"DatabaseName": "none"}, "MetadataException"),
        ("ListTableMetadata", {}, "Value null at 'databaseName'"),
        ("ListDatabases", {"MaxResults": 51}, "'maxResults' failed .* less than or equal to 50"),
        ("ListDataCatalogs", {"MaxResults": 1}, "'maxResults' failed .* greater than or equal to 2"),
        ("ListDatabases", {"CatalogName": "hive2"}, "InvalidRequestException: Data catalog hive2 is not found"),
    ],
)
def test_what_is_not_there_is_not_found(athena: Athena, action: str, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError, match=code):
        ask(athena, action, **{**CATALOG, **request_})
