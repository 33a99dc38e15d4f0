"""Athena's metadata actions over Glue: the one data catalog, its databases and its tables."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.athena.api.paging import page
from local_aws.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOG = "AwsDataCatalog"


class Metadata:
    """
    Answer GetDataCatalog, ListDataCatalogs, GetDatabase, ListDatabases, GetTableMetadata and ListTableMetadata.

    The only catalog is AwsDataCatalog, the account's Glue. All raise AwsError.
    """

    def __init__(self, glue: Any) -> None:
        self._glue = glue
        self.actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "GetDataCatalog": self._data_catalog,
            "ListDataCatalogs": self._data_catalogs,
            "GetDatabase": self._database,
            "ListDatabases": self._databases,
            "GetTableMetadata": self._table,
            "ListTableMetadata": self._tables,
        }

    def _data_catalog(self, body: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(body.get("Name"))
        return {"DataCatalog": {"Name": CATALOG, "Type": "GLUE", "Status": "CREATE_COMPLETE"}}

    def _data_catalogs(self, body: dict[str, Any]) -> dict[str, Any]:
        summary = {"CatalogName": CATALOG, "Type": "GLUE", "Status": "CREATE_COMPLETE"}
        return page(body, "DataCatalogsSummary", [(CATALOG, summary)])

    def _database(self, body: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(body.get("CatalogName"))
        name = body["DatabaseName"]
        database = self._found(self._glue.get_database, f"Database {name}", Name=name)["Database"]
        return {"Database": _database_of(database)}

    def _databases(self, body: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(body.get("CatalogName"))
        pages = self._glue.get_paginator("get_databases").paginate()
        found = [(entry["Name"], _database_of(entry)) for part in pages for entry in part["DatabaseList"]]
        return page(body, "DatabaseList", found)

    def _table(self, body: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(body.get("CatalogName"))
        database, name = body["DatabaseName"], body["TableName"]
        table = self._found(self._glue.get_table, f"Table {database}.{name}", DatabaseName=database, Name=name)["Table"]
        return {"TableMetadata": _metadata_of(table)}

    def _tables(self, body: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(body.get("CatalogName"))
        database = body["DatabaseName"]
        self._found(self._glue.get_database, f"Database {database}", Name=database)
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
        tables = [table for part in pages for table in part["TableList"]]
        wanted = _matching({table["Name"] for table in tables}, body.get("Expression") or "")
        found = [(table["Name"], _metadata_of(table)) for table in tables if table["Name"] in wanted]
        return page(body, "TableMetadataList", found)

    def _found(self, get: Callable[..., dict[str, Any]], what: str, **place: Any) -> dict[str, Any]:
        try:
            return get(**place)
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            raise AwsError("MetadataException", f"{code}: {what} is not found") from problem


def _check_catalog(name: str | None) -> None:
    if (name or "").lower() != CATALOG.lower():
        raise AwsError("InvalidRequestException", f"Data catalog {name} is not found: there is only {CATALOG}")


def _database_of(database: dict[str, Any]) -> dict[str, Any]:
    described = {key: database.get(key) for key in ("Name", "Description", "Parameters")}
    return {key: value for key, value in described.items() if value}


def _metadata_of(table: dict[str, Any]) -> dict[str, Any]:
    """Return Athena's form of a Glue table: its storage becomes parameters, as in the AWS CLI's example."""
    storage = table.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    parameters = {
        **(table.get("Parameters") or {}),
        "inputformat": storage.get("InputFormat"),
        "location": storage.get("Location") or "",
        "outputformat": storage.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
        **{f"serde.param.{key}": value for key, value in (serde.get("Parameters") or {}).items()},
    }
    metadata: dict[str, Any] = {
        "Name": table["Name"],
        "TableType": table.get("TableType", "EXTERNAL_TABLE"),
        "Columns": storage.get("Columns") or [],
        "PartitionKeys": table.get("PartitionKeys") or [],
        "Parameters": {key: value for key, value in parameters.items() if value is not None},
    }
    if isinstance(table.get("CreateTime"), datetime):
        metadata["CreateTime"] = table["CreateTime"].timestamp()
    return metadata


def _matching(names: set[str], expression: str) -> set[str]:
    """Return the names that a regular expression matches; no documentation says what a match of a part means."""
    if not expression:
        return names
    try:
        whole = {name for name in names if re.fullmatch(expression, name)}
        part = {name for name in names if re.search(expression, name)}
    except re.error as problem:
        raise AwsError("InvalidRequestException", f"Expression is no regular expression: {problem.msg}") from problem
    if whole != part:
        raise AwsError(
            "InvalidRequestException",
            "LOCAL_AWS_UNSUPPORTED: an Expression that matches only a part of a table's name; write .* around it",
        )
    return whole
