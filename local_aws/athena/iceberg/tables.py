"""Iceberg tables in Glue: which metadata file is current, and commits that change it only if nobody else has."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.objects import ObjectStore

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.table import Table, Transaction

    from local_aws.athena.tables.catalog import TableName

_COMMITS = threading.Lock()
_GLUE_PARAMETERS = ("table_type", "metadata_location", "previous_metadata_location")


class Tables(GlueCatalog):
    """
    The Iceberg tables of one Glue and one S3.

    Table properties stay in the metadata file, as in Athena; Glue has the table's type and where its metadata is.
    Source: Athena user guide, ALTER TABLE SET TBLPROPERTIES of Iceberg tables.
    """

    def __init__(self, glue: Any, s3: Any) -> None:
        super().__init__("awsdatacatalog", client=glue)
        self.objects = ObjectStore(s3)

    def _load_file_io(self, properties: Any = None, location: str | None = None) -> FileIO:  # noqa: ARG002
        return self.objects

    def _is_s3tables_database(self, database_name: str) -> bool:  # noqa: ARG002
        return False  # without asking Glue before each commit

    def _create_glue_table(self, database_name: str, table_name: str, table_input: Any) -> None:
        super()._create_glue_table(database_name, table_name, _as_athena(table_input, {}))

    def _update_glue_table(self, database_name: str, table_name: str, table_input: Any, version_id: str) -> None:
        # moto's Glue takes any VersionId, so the comparison is made here: it holds among the commits of this process.
        with _COMMITS:
            current = self._get_glue_table(database_name, table_name)
            if current.get("VersionId") != version_id:
                raise CommitFailedException("the table has changed")
            kept = _as_athena(table_input, current.get("Parameters") or {})
            super()._update_glue_table(database_name, table_name, kept, version_id)

    def open(self, name: TableName) -> Table:
        """
        Return a table as it is now.

        Raises: StatementError; Unsupported for a format version other than 2.
        """
        try:
            table = self.load_table((name.database, name.name))
        except NoSuchTableError as problem:
            raise StatementError("TABLE_NOT_FOUND", f"Table '{name}' does not exist") from problem
        except FileNotFoundError as problem:
            raise StatementError(
                "ICEBERG_INVALID_METADATA", f"Metadata not found in metadata location for table {name}"
            ) from problem
        if table.metadata.format_version != 2:
            raise Unsupported(f"Iceberg format version {table.metadata.format_version} of {name}")
        return table


def _as_athena(table_input: Any, parameters: dict[str, str]) -> Any:
    """
    Return *table_input* with *parameters* and what tells of the metadata, but without the table's properties.

    Columns of the past, which Iceberg's own writers leave in Glue and mark so, are left out: SHOW COLUMNS reads Glue.
    """
    told = {key: text for key, text in table_input["Parameters"].items() if key in _GLUE_PARAMETERS}
    storage = table_input["StorageDescriptor"]
    columns = [column for column in storage["Columns"] if column["Parameters"]["iceberg.field.current"] == "true"]
    return {
        **table_input,
        "Parameters": {**parameters, **told},
        "StorageDescriptor": {**storage, "Columns": columns},
    }


def commit(transaction: Transaction, name: TableName) -> None:
    """
    Commit, or leave the table as it is.

    Raises: StatementError ICEBERG_COMMIT_ERROR when the table has changed since the statement read it.
    """
    try:
        transaction.commit_transaction()
    except CommitFailedException as problem:
        text = f"Failed to commit Iceberg update to table: {name.database}.{name.name}"
        raise StatementError("ICEBERG_COMMIT_ERROR", text) from problem
